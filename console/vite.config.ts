import { defineConfig } from "vite";

// The page is at /console and its files at /console/files/…, under whatever prefix a proxy puts before them.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../gateway/console",
    emptyOutDir: true,
    assetsDir: "",
    target: "es2022",
    modulePreload: false,
    chunkSizeWarningLimit: 1000,
  },
  experimental: {
    renderBuiltUrl: (filename, { hostType }) =>
      hostType === "html" ? `console/files/${filename}` : { relative: true },
  },
});
