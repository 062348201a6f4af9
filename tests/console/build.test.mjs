// The committed page is what its source builds to, byte for byte.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { ROOT } from "./browser.mjs";

const FRESH = `${ROOT}/build/console-fresh`;

test("gateway/console is what `make console` builds", () => {
  execFileSync("npx", ["tsc", "--noEmit"], { cwd: `${ROOT}/console`, stdio: "pipe" });
  execFileSync("npx", ["vite", "build", "--outDir", FRESH, "--logLevel", "error"], { cwd: `${ROOT}/console`, stdio: "pipe" });
  const names = readdirSync(FRESH).sort();
  assert.deepEqual(readdirSync(`${ROOT}/gateway/console`).sort(), names);
  for (const name of names) {
    const committed = readFileSync(`${ROOT}/gateway/console/${name}`);
    assert.ok(committed.equals(readFileSync(`${FRESH}/${name}`)), `${name} differs: run make console and commit`);
  }
});

test("the lock file names no registry", () => {
  assert.doesNotMatch(readFileSync(`${ROOT}/console/package-lock.json`, "utf8"), /"resolved"/);
});
