// One browser for all tests, pages that notice every console error, and what the tests ask of the gateways.
import { createRequire } from "node:module";
import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(`${ROOT}/console/package.json`);
const { chromium } = require("playwright-core");
export const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const STAND = JSON.parse(process.env.FIXGATE_CONSOLE_TEST);
export const LONG = { timeout: 60_000 };
mkdirSync(STAND.artifacts, { recursive: true });

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-dev-shm-usage",
];
const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function launch() {
  return chromium.launch({ executablePath: PATHS.find((path) => existsSync(path)), args: FLAGS });
}

/** A fresh tab; `errors` fills with whatever the page complains of. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "dark", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(LONG.timeout);
  page.errors = [];
  page.on("console", (one) => one.type() === "error" && page.errors.push(one.text()));
  page.on("pageerror", (error) => page.errors.push(String(error)));
  await page.goto(`${url}/console`, LONG);
  await page.waitForSelector("#tab-map");
  return page;
}

export function shot(page, name) {
  return page.screenshot({ path: `${STAND.artifacts}/${name}.png` });
}

export async function get(url, path) {
  const headers = url === STAND.keyed ? { Authorization: `Bearer ${STAND.key}` } : {};
  return (await fetch(url + path, { headers })).json();
}

export function sample(name) {
  return readFileSync(`${ROOT}/demo/samples/${name}`);
}

/** POST a recording; the answer. */
export async function predict(url, query = "", body = sample("01.npy")) {
  const headers = { "Content-Type": "application/x-npy" };
  if (url === STAND.keyed) headers.Authorization = `Bearer ${STAND.key}`;
  return (await fetch(`${url}/predict?${query}`, { method: "POST", headers, body })).json();
}

/** Let a file fall onto an element, as from a desktop. */
export async function drop(page, selector, name, bytes) {
  const base64 = Buffer.from(bytes).toString("base64");
  const data = await page.evaluateHandle(
    ([name, base64]) => {
      const raw = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([raw], name));
      return transfer;
    },
    [name, base64],
  );
  await page.dispatchEvent(selector, "drop", { dataTransfer: data });
}

/** The process that listens as the gateway of `fixgate up`. */
export function gatewayPid() {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
      if (command.includes("gateway") && environment.includes(`FIXGATE_PORT=${STAND.port}`)) return Number(pid);
    } catch {
      continue; // it has ended meanwhile
    }
  }
  throw new Error("no gateway process");
}

/** Wait until the fixes' canvas has ink, and at these points (shares of the map) exactly where expected. */
export async function untilInked(page, map, points = [], expected = []) {
  const until = Date.now() + LONG.timeout;
  let found = await ink(page, map, points);
  while (Date.now() < until) {
    if (found.share > 0.0005 && String(found.at) === String(expected)) return;
    await page.waitForTimeout(100);
    found = await ink(page, map, points);
  }
  throw new Error(`${map}: ink at ${found.at}, expected at ${expected}; ${found.share} of the canvas`);
}

/** How much of the fixes' canvas is inked, and whether there is ink at points given as shares of the map. */
function ink(page, map, points = []) {
  return page.evaluate(
    ([map, points]) => {
      const frame = document.querySelector(map).getBoundingClientRect();
      const canvas = document.querySelector(`${map} .leaflet-fixes-pane canvas`);
      const box = canvas.getBoundingClientRect();
      const ctx = canvas.getContext("2d");
      const ratio = canvas.width / box.width;
      const all = ctx.getImageData(0, 0, canvas.width, canvas.height).data;
      let inked = 0;
      for (let i = 3; i < all.length; i += 4) inked += all[i] > 0 ? 1 : 0;
      const at = points.map(([x, y]) => {
        const px = Math.round((frame.left + x * frame.width - box.left) * ratio);
        const py = Math.round((frame.top + y * frame.height - box.top) * ratio);
        return all[4 * (py * canvas.width + px) + 3] > 0;
      });
      return { share: inked / (all.length / 4), at };
    },
    [map, points],
  );
}
