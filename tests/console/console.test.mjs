// What the console promises, in a real browser on the real stack. Run by `make test-console`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { AXE, LONG, STAND, drop, gatewayPid, get, launch, open, predict, sample, shot, untilInked } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** The text of an element once it matches. */
async function text(page, selector, pattern) {
  await page.waitForFunction(
    ([selector, source]) => new RegExp(source).test(document.querySelector(selector)?.textContent ?? ""),
    [selector, pattern.source],
    LONG,
  );
  return page.textContent(selector);
}

async function done(page) {
  assert.deepEqual(page.errors, []);
  await page.context().close();
}

test("a dropped npy file yields waterfalls, a fix on both maps, and takes the truth once", async () => {
  const page = await open(browser, STAND.main);
  await page.click("#tab-try");
  await page.waitForSelector("#try-model option", { state: "attached" });
  await drop(page, "#drop", "02.npy", sample("02.npy"));
  const place = /4\d\.\d{5}° N, \d\.\d{5}° E/;
  const told = (await text(page, "#try-result", place)).match(place)[0];
  assert.equal(await page.locator("#waterfalls canvas").count(), 3);
  const colours = await page.evaluate(() => {
    const canvas = document.querySelector("#waterfalls canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return seen.size;
  });
  assert.ok(colours > 50, `a waterfall of ${colours} colours`);
  await untilInked(page, "#try-map");
  await page.fill("#truth-latitude", "44.426225");
  await page.fill("#truth-longitude", "9.524397");
  await page.click("#send-truth");
  await text(page, "#outcome", /Noted\. The fix is .* off, .* σ/);
  await page.click("#send-truth");
  await text(page, "#outcome", /told before/);
  await page.click("#tab-map");
  await page.locator("#panel-map .fix-list button", { hasText: told }).first().click();
  await text(page, "#fix-details", /CEP50.*R95.*Covariance.*triton|CEP50[\s\S]*Covariance/);
  await untilInked(page, "#map");
  page.errors = page.errors.filter((one) => !one.includes("409")); // the truth told twice
  await done(page);
});

test("raw samples and a SigMF archive give the fix of the same npy file", async () => {
  const page = await open(browser, STAND.main);
  await page.click("#tab-try");
  await page.waitForSelector("#try-model option", { state: "attached" });
  const npy = sample("00.npy");
  const header = 10 + npy.readUInt16LE(8);
  const places = [];
  for (const [name, bytes] of [["00.npy", npy], ["00.cf32", npy.subarray(header)], ["00.sigmf", sample("00.sigmf")]]) {
    await drop(page, "#drop", name, bytes);
    await text(page, "#waterfalls h2", new RegExp(name.replace(".", "\\.")));
    await text(page, "#try-result", /cache/);
    places.push(await page.textContent("#try-result h2"));
    assert.equal(await page.locator("#waterfalls canvas").count(), 3, name);
  }
  assert.equal(new Set(places).size, 1, places.join("; "));
  await drop(page, "#drop", "letter.txt", Buffer.from("no recording"));
  await text(page, "#try-result", /letter\.txt: not an npy file/);
  await done(page);
});

test("a demo recording shows how far off its fix is", async () => {
  const page = await open(browser, STAND.main);
  await page.click("#tab-try");
  await page.click("#samples button >> nth=0");
  assert.match(await text(page, "#outcome", /The fix|the fix/), /2\d\.\d km off/);
  await page.waitForSelector(".truth-name");
  await shot(page, "try");
  await done(page);
});

test("fixes arrive live, at another level with a larger ellipse, and can be copied", async () => {
  const page = await open(browser, STAND.main, { permissions: ["clipboard-read", "clipboard-write"] });
  await text(page, "#feed-state", /^live$/);
  const { id } = await predict(STAND.main, "session_id=live&frequency_mhz=144.8");
  await page.click(`#fix-${id}`, LONG);
  const small = await text(page, "#fix-details", /Ellipse 68 %/);
  assert.match(small, /Session\s*live/);
  await page.selectOption("#map-level", "0.95");
  await text(page, "#fix-details", /Ellipse 95 %/);
  await page.click("text=Copy GeoJSON");
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.equal(copied.features[1].geometry.type, "Polygon");
  assert.equal(copied.features[1].properties.confidence_level, 0.95);
  await page.click("text=Copy KML");
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /<kml[\s\S]*<Polygon>/);
  await done(page);
});

test("without a key it is read only after one is typed; with an admin key weights reach the router", async () => {
  const page = await open(browser, STAND.keyed);
  await page.waitForSelector("#key-input");
  await page.fill("#key-input", "fixgate_000000000000_wrong");
  await page.click("text=Use this key");
  await page.waitForSelector(".toast.bad");
  await page.click("#key-button");
  await page.fill("#key-input", STAND.key);
  await page.click("text=Use this key");
  await text(page, "#feed-state", /^live$/);
  await page.click("#tab-versions");
  await page.waitForSelector("#weight-2:enabled");
  await page.locator("#weight-2").fill("30");
  assert.equal(await page.inputValue("#weight-1"), "70");
  await page.click("#apply-weights");
  const dialog = await text(page, "dialog", /30 %/);
  assert.match(dialog, /Version 1 \(champion\): 100 % → 70 %/);
  assert.match(dialog, /Version 2 \(2\): 0 % → 30 %/);
  await page.click("#dialog-confirm");
  await text(page, "#version-cards", /30 %/);
  assert.deepEqual((await get(STAND.keyed, "/models/localization/routing")).shares, { 1: 0.7, 2: 0.3 });
  const versions = new Set();
  for (let i = 0; i < 40; i++) versions.add((await predict(STAND.keyed, `session_id=s${i}`)).model_version);
  assert.deepEqual([...versions].sort(), ["1", "2"]);
  await shot(page, "versions");
  const kept = await page.evaluate(() => location.href + document.documentElement.outerHTML + JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!kept.includes(STAND.key.slice(-20)), "the key is nowhere in the page");
  await page.click("#clear-weights");
  await page.click("#dialog-confirm");
  await text(page, "#weights", /champion takes everything/);
  page.errors = page.errors.filter((one) => !one.includes("401"));
  await done(page);
});

test("a rollout is started, paused and aborted; a promotion is rolled back", async () => {
  const page = await open(browser, STAND.main);
  await page.click("#tab-versions");
  await page.waitForSelector("#rollout-start:enabled");
  await page.fill("#rollout-steps", "10, 100");
  await page.fill("#rollout-every", "3600");
  await page.click("#rollout-start");
  assert.match(await text(page, "dialog", /Roll out version 2/), /10 %, 100 % of the traffic, each for at least 3600 s/);
  await page.click("#dialog-confirm");
  await text(page, "#rollout-state", /Version 2: (waits|under way)/);
  await page.waitForSelector("#rollout-state .now", LONG);
  await page.click("#rollout-pause");
  await page.click("#dialog-confirm");
  await text(page, "#rollout-state", /paused/);
  assert.equal((await get(STAND.main, "/models/localization/rollout")).paused, true);
  await shot(page, "rollout");
  await page.click("#rollout-abort");
  assert.match(await text(page, "dialog", /Abort the rollout/), /from 10 % of the traffic to 0/);
  await page.click("#dialog-confirm");
  await text(page, "#rollout-state", /aborted/);
  assert.equal((await get(STAND.main, "/models/localization/rollout")).phase, "aborted");

  await page.click("#promote-2");
  assert.match(await text(page, "dialog", /Promote/), /moves from version 1 to version 2/);
  await page.click("#dialog-confirm");
  await page.click("#rollback-2:enabled", LONG);
  assert.match(await text(page, "dialog", /Roll back/), /moves from version 2 to version 1/);
  await page.click("#dialog-confirm");
  await page.waitForSelector("#promote-2:enabled", LONG);
  assert.equal((await get(STAND.main, "/models/localization")).aliases.champion, "1");
  await text(page, "#journal", /switch champion/);
  await done(page);
});

test("a gateway that dies is shown, and the feed goes on by itself where it was", async () => {
  const page = await open(browser, STAND.main);
  await text(page, "#feed-state", /^live$/);
  const { id: earlier } = await predict(STAND.main, "session_id=before");
  await page.waitForSelector(`#fix-${earlier}`, LONG);
  process.kill(gatewayPid(), "SIGKILL");
  await page.waitForSelector("#banner:not([hidden])", LONG);
  await shot(page, "gateway-away");
  await text(page, "#feed-state", /^live$/);
  await page.waitForSelector("#banner[hidden]", { state: "attached", ...LONG });
  const { id } = await predict(STAND.main, "session_id=after");
  await page.waitForSelector(`#fix-${id}`, LONG);
  assert.equal(await page.locator(`#fix-${earlier}`).count(), 1, "what was there before is there once");
  page.errors = page.errors.filter((one) => !/ERR_|Failed to load resource/.test(one));
  await done(page);
});

test("health shows the requests of the last minutes against the objective, and calibration", async () => {
  const page = await open(browser, STAND.main);
  await page.click("#tab-health");
  await text(page, ".tiles", /p95, 15 minutes\s*[\d.]+ m?s/);
  await text(page, ".charts", /objective: p95 within 500 ms/);
  await text(page, "#calibration", /localization v1/);
  await text(page, ".parts", /This gateway\s*ready/);
  await shot(page, "health");
  await done(page);
});

test("a gateway that keeps nothing says so, and still answers", async () => {
  const page = await open(browser, STAND.forgetful);
  await text(page, "#feed-note", /FIXGATE_REMEMBER is off/);
  await text(page, "#feed-state", /no feed/);
  await page.click("#tab-try");
  await page.click("#samples button >> nth=1");
  await text(page, "#try-result", /CEP50/);
  assert.ok(await page.isDisabled("#send-truth"));
  await done(page);
});

test("two thousand fixes are drawn, whole across the antimeridian and around the poles", async () => {
  const page = await open(browser, STAND.crowded);
  await text(page, "#fix-count", /^2000 fixes$/);
  await page.click("#fit");
  await page.waitForFunction(() => performance.getEntriesByType("resource").some((one) => one.name.includes("countries-50m")));
  await shot(page, "crowd");
  await page.locator(".fix-list button", { hasText: "179.95000° E" }).click();
  await page.click("text=Zoom to it");
  const across = [[0.5, 0.5], [0.42, 0.5], [0.58, 0.5], [0.02, 0.02]]; // the last one is far outside
  await untilInked(page, "#map", across, [true, true, true, false]);
  for (const [projection, pole] of [["north", "89.60000° N"], ["south", "89.70000° S"]]) {
    await page.selectOption("#projection", projection);
    await page.locator(".fix-list button", { hasText: pole }).click();
    await page.click("text=Zoom to it");
    await untilInked(page, "#map", across, [true, true, true, false]);
  }
  await shot(page, "poles");
  await done(page);
});

test("dragging two thousand fixes paints nothing: the picture is moved", async () => {
  const page = await open(browser, STAND.crowded);
  await text(page, "#fix-count", /^2000 fixes$/);
  await page.evaluate(() => {
    window.painted = 0;
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...box) {
      window.painted += 1;
      return clear.apply(this, box);
    };
  });
  await page.mouse.move(500, 500);
  await page.mouse.down();
  const counts = [];
  for (let i = 1; i <= 10; i++) {
    await page.mouse.move(500 - 20 * i, 500 - 5 * i);
    counts.push(await page.evaluate(() => window.painted));
  }
  assert.ok(counts.at(-1) - counts[2] <= 2, `painted ${counts}`); // at most the regular refresh
  await page.mouse.up();
  await page.waitForFunction((before) => window.painted > before, counts.at(-1));
  await done(page);
});

for (const theme of ["dark", "light"]) {
  test(`axe-core finds nothing on any tab, ${theme}`, async () => {
    const page = await open(browser, STAND.main, { colorScheme: theme });
    await page.evaluate(AXE);
    for (const tab of ["map", "try", "versions", "health"]) {
      await page.click(`#tab-${tab}`);
      if (tab === "map") await page.click(".fix-list button >> nth=0");
      if (tab === "try") await page.waitForSelector("#samples button");
      if (tab === "versions") await page.waitForSelector("#version-cards article");
      if (tab === "health") await page.waitForSelector(".tile");
      const found = await page.evaluate(async () => {
        const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
        return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
      });
      assert.deepEqual(found, [], tab);
    }
    await shot(page, `health-${theme}`);
    await done(page);
  });
}

test("at 360 px nothing sticks out, and on a wall screen the map fills it", async () => {
  const page = await open(browser, STAND.main, { viewport: { width: 360, height: 740 } });
  for (const tab of ["map", "try", "versions", "health"]) {
    await page.click(`#tab-${tab}`);
    if (tab === "versions") await page.waitForSelector("#version-cards article");
    if (tab === "health") await page.waitForSelector(".tile");
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 360, `${tab} is ${width} px wide`);
    await shot(page, `phone-${tab}`);
  }
  await page.setViewportSize({ width: 3840, height: 2160 });
  await page.click("#tab-map");
  const map = await page.locator("#map").boundingBox();
  assert.ok(map.width > 3000 && map.height > 1900, JSON.stringify(map));
  await done(page);
});

test("everything can be reached with the keyboard", async () => {
  const page = await open(browser, STAND.main);
  await page.waitForSelector(".fix-list button");
  await page.focus("#tab-map");
  await page.keyboard.press("ArrowRight");
  await page.waitForSelector("#panel-try:not([hidden])");
  assert.equal(await page.evaluate(() => document.activeElement.id), "tab-try");
  await page.keyboard.press("ArrowLeft");
  await page.focus(".fix-list button");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#fix-details .details");
  await done(page);
});

test("the page comes with a strict policy, and its files are kept for ever", async () => {
  const page = await fetch(`${STAND.main}/console`);
  const policy = page.headers.get("Content-Security-Policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  const html = await page.text();
  assert.doesNotMatch(html, /<script(?![^>]*src=)|<style|style=|https?:/);
  const [, script] = html.match(/src="(console\/files\/[^"]+\.js)"/);
  const file = await fetch(`${STAND.main}/${script}`);
  assert.match(file.headers.get("Cache-Control"), /immutable/);
  const again = await fetch(`${STAND.main}/${script}`, { headers: { "If-None-Match": file.headers.get("ETag") } });
  assert.equal(again.status, 304);
});

test("an open page costs an idle gateway less than 1 % of a core", async () => {
  const ticks = (pid) => {
    const parts = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return Number(parts[11]) + Number(parts[12]);
  };
  const pid = gatewayPid();
  const used = async (seconds) => {
    const before = ticks(pid);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    return (ticks(pid) - before) / seconds; // a tick is 10 ms: percent of a core
  };
  const alone = await used(8);
  const page = await open(browser, STAND.main);
  await page.click("#tab-health");
  await page.waitForSelector(".tile");
  await used(2);
  const watched = await used(8);
  console.log(`idle gateway: ${alone.toFixed(2)} % of a core alone, ${watched.toFixed(2)} % with the page open`);
  assert.ok(watched - alone < 1, `${alone} % alone, ${watched} % with the page`);
  await done(page);
});
