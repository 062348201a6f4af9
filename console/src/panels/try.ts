/** Try it: a recording dropped or picked, its waterfall, the fix, the truth. */

import { ask, get, send, why } from "../api";
import { details } from "../details";
import { announce, fill, h, toast } from "../dom";
import { type Fix, fromPrediction } from "../fix";
import { bytes, metres, percent, place } from "../format";
import { type Recording, read } from "../iq/recording";
import { draw, spectrogram } from "../iq/waterfall";
import { MapView } from "../map/map_view";
import { type ModelDocument, receiverCount, receivers } from "../models";
import type { Context, Panel } from "./panel";

interface Sample {
  name: string;
  bytes: number;
  truth?: { latitude: number; longitude: number };
}

interface Outcome {
  error_m: number;
  mahalanobis: number;
  inside: Record<string, boolean>;
}

export function tryPanel(context: Context): Panel {
  let models: ModelDocument[] = [];
  let recording: Recording | null = null;
  let fix: Fix | null = null;
  let view: MapView | null = null;

  const modelSelect = h("select", { id: "try-model", onchange: () => drawReceivers() });
  const levelSelect = h(
    "select",
    { id: "try-level" },
    [0.5, 0.68, 0.9, 0.95, 0.99].map((v) => h("option", { value: v }, percent(v))),
  );
  levelSelect.value = "0.68";
  const receiverInput = h("input", { id: "try-receivers", type: "number", min: 1, max: 64, value: "3" });
  const fileInput = h("input", {
    id: "try-file",
    type: "file",
    class: "sr-only",
    accept: ".npy,.sigmf,.tar,.cf32,.fc32,.cfile,.raw,.ci16,.sc16,.ci8,.cs8,.sc8,.cu8",
    onchange: () => {
      const file = fileInput.files?.[0];
      if (file) void take(file);
      fileInput.value = "";
    },
  });
  const samplesNode = h("div", { class: "samples", id: "samples" });
  const waterfalls = h("div", { class: "waterfalls", id: "waterfalls" });
  const resultNode = h("div", { id: "try-result" });
  const mapNode = h("div", { class: "map", id: "try-map", tabindex: "0" });
  const latitude = h("input", { id: "truth-latitude", type: "number", step: "any", min: -90, max: 90 });
  const longitude = h("input", { id: "truth-longitude", type: "number", step: "any", min: -180, max: 180 });
  const outcomeNode = h("div", { class: "outcome", id: "outcome", role: "status" });
  const tell = h("button", { class: "primary", id: "send-truth", type: "submit" }, "Send as feedback");
  const truthForm = h(
    "form",
    { class: "card truth-form", hidden: true, onsubmit: (event: Event) => void sendTruth(event) },
    h("h2", {}, "Where was it really?"),
    h("label", { for: "truth-latitude" }, h("span", {}, "Latitude, °"), latitude),
    h("label", { for: "truth-longitude" }, h("span", {}, "Longitude, °"), longitude),
    tell,
    outcomeNode,
  );
  const drop = h(
    "div",
    { class: "drop card", id: "drop" },
    h("p", { class: "big" }, "Drop a recording here"),
    h("p", { class: "note" }, "npy, SigMF archive, or raw samples (.cf32, .ci16, .ci8, .cu8)"),
    h("label", { class: "button primary", for: "try-file" }, "Choose a file"),
    fileInput,
  );
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) void take(file);
  });
  fileInput.addEventListener("focus", () => drop.classList.add("focused"));
  fileInput.addEventListener("blur", () => drop.classList.remove("focused"));

  const node = h(
    "div",
    { class: "try-tab" },
    h(
      "div",
      { class: "try-left" },
      drop,
      h(
        "div",
        { class: "card controls" },
        h("label", { for: "try-model" }, h("span", {}, "Model"), modelSelect),
        h("label", { for: "try-level" }, h("span", {}, "Ellipse"), levelSelect),
        h("label", { for: "try-receivers" }, h("span", {}, "Receivers in raw files"), receiverInput),
      ),
      samplesNode,
      waterfalls,
    ),
    h("div", { class: "try-right" }, h("div", { class: "map-frame" }, mapNode), truthForm, resultNode),
  );

  async function load(): Promise<void> {
    if (!context.may("read")) return;
    try {
      models = (await get<{ models: ModelDocument[] }>("/models")).models;
      const before = modelSelect.value;
      const targets = models.flatMap((model) => [
        h("option", { value: `/models/${encodeURIComponent(model.name)}`, "data-model": model.name }, `${model.name}, as routed`),
        ...model.versions.map((one) =>
          h(
            "option",
            {
              value: `/models/${encodeURIComponent(model.name)}/versions/${one.version}`,
              "data-model": model.name,
            },
            `${model.name}, version ${one.version}${one.aliases.length ? ` (${one.aliases.join(", ")})` : ""}`,
          ),
        ),
      ]);
      fill(modelSelect, targets);
      if (before) modelSelect.value = before;
      drawReceivers();
    } catch (error) {
      console.info("models:", why(error));
    }
    if (!context.settings.samples) return;
    try {
      const found = await get<{ samples: Sample[] }>("/console/samples");
      fill(
        samplesNode,
        h("h2", {}, "Or try one of these"),
        h(
          "div",
          { class: "sample-buttons" },
          found.samples.map((one) =>
            h("button", { onclick: () => void takeSample(one), title: bytes(one.bytes) }, one.name),
          ),
        ),
      );
    } catch (error) {
      console.info("samples:", why(error));
    }
  }

  function chosenModel(): ModelDocument | undefined {
    const name = modelSelect.selectedOptions[0]?.dataset["model"];
    return models.find((one) => one.name === name);
  }

  function drawReceivers(): void {
    const model = chosenModel();
    if (!model) return;
    receiverInput.value = String(receiverCount(model.versions.at(-1)));
    const known = receivers(model).filter((one, i, all) => all.findIndex((r) => r.id === one.id) === i);
    view?.setReceivers(known);
    if (!fix && known.length > 1) view?.zoomTo([], known.map((one) => [one.latitude, one.longitude]));
  }

  /** The receivers, when they are near enough to show where this is. */
  function near(): [number, number][] {
    const model = chosenModel();
    if (!fix || !model) return [];
    const far = Math.max(3 * fix.ellipse.semi_major_m, 300_000);
    return receivers(model)
      .map((one): [number, number] => [one.latitude, one.longitude])
      .filter(([lat, lon]) => fix !== null && distance(fix, lat, lon) < far);
  }

  async function takeSample(sample: Sample): Promise<void> {
    try {
      const response = await ask(`/console/samples/${encodeURIComponent(sample.name)}`);
      const file = new File([await response.blob()], sample.name);
      await take(file, sample.truth);
    } catch (error) {
      toast(why(error), "bad");
    }
  }

  async function take(file: File, truth?: Sample["truth"]): Promise<void> {
    fill(outcomeNode);
    fill(resultNode, h("p", { class: "card note" }, `Reading ${file.name} …`));
    truthForm.hidden = true;
    try {
      recording = await read(file, Math.max(1, Number(receiverInput.value) || 1));
      showWaterfalls(recording);
      await predict(recording);
      latitude.value = truth ? String(truth.latitude) : "";
      longitude.value = truth ? String(truth.longitude) : "";
      truthForm.hidden = false;
      tell.disabled = !context.settings.remember;
      if (truth && fix) showError(truth.latitude, truth.longitude);
    } catch (error) {
      fix = null;
      fill(resultNode, h("p", { class: "card problem", role: "alert" }, why(error)));
    }
  }

  async function predict(one: Recording): Promise<void> {
    const query = new URLSearchParams({
      ...one.query,
      confidence_level: levelSelect.value,
      geojson: "true",
      session_id: "console",
    });
    const response = await ask(`${modelSelect.value}/predict?${query}`, {
      method: "POST",
      body: one.body,
      headers: { "Content-Type": one.mediaType },
    });
    fix = fromPrediction(await response.json(), response);
    view?.clearTruth();
    view?.show([fix]);
    view?.select(fix.id);
    view?.zoomTo([fix], near());
    fill(resultNode, h("div", { class: "card" }, details(fix, {})));
    announce(`Fix at ${place(fix.latitude, fix.longitude)}`);
  }

  function showWaterfalls(one: Recording): void {
    const rate = one.sampleRateHz ?? sampleRate();
    const half = rate && one.iq ? `±${(rate / 2000).toFixed(0)} kHz` : "";
    const known = chosenModel()?.versions.at(-1)?.contract.input.receivers;
    const names = Array.isArray(known) ? known.map((r) => r.id ?? "") : [];
    const pictures = (one.iq ?? one.features ?? []).slice(0, 8).map((part, i) => {
      const canvas = h("canvas", { role: "img", "aria-label": `Waterfall of receiver ${i + 1}` });
      if (part instanceof Float32Array) draw(canvas, spectrogram(part));
      else draw(canvas, { rows: part.rows, columns: part.columns, db: flipped(part) });
      return h(
        "figure",
        {},
        canvas,
        h("figcaption", {}, names[i] ?? `receiver ${i + 1}`, half && h("span", {}, half)),
      );
    });
    fill(
      waterfalls,
      h("h2", {}, one.name, h("span", { class: "note" }, one.about)),
      pictures.length
        ? h("div", { class: "waterfall-row" }, pictures)
        : h("p", { class: "note" }, "No waterfall for this form; the gateway reads it all the same."),
    );
  }

  function sampleRate(): number | null {
    const input = chosenModel()?.versions.at(-1)?.contract.input;
    return input?.frontend?.sample_rate_hz ?? input?.sample_rate_hz ?? null;
  }

  /** Show how far off it is, without telling the gateway. */
  function showError(lat: number, lon: number): void {
    if (!fix) return;
    view?.setTruth(fix, lat, lon);
    view?.zoomTo([fix], [[lat, lon], ...near()]);
    const far = distance(fix, lat, lon);
    fill(
      outcomeNode,
      h("p", {}, "The truth is known: the fix is ", h("b", { id: "try-error" }, metres(far)), " off."),
    );
  }

  async function sendTruth(event: Event): Promise<void> {
    event.preventDefault();
    if (!fix) return;
    const [lat, lon] = [Number(latitude.value), Number(longitude.value)];
    if (latitude.value === "" || longitude.value === "") {
      toast("Latitude and longitude are needed", "bad");
      return;
    }
    try {
      const told = await send<Outcome>("POST", "/feedback", { id: fix.id, latitude: lat, longitude: lon });
      view?.setTruth(fix, lat, lon);
      const held = Object.entries(told.inside)
        .filter(([, yes]) => yes)
        .map(([level]) => Number(level));
      fill(
        outcomeNode,
        h("p", {}, "Noted. The fix is ", h("b", { id: "try-error" }, metres(told.error_m)), " off, ",
          h("b", {}, `${told.mahalanobis.toFixed(2)} σ`), "."),
        h("p", { class: "note" }, held.length
          ? `The truth lies inside the ellipse from ${percent(Math.min(...held))} on.`
          : "The truth lies outside every ellipse up to the largest level that is checked."),
      );
      toast("Feedback sent");
    } catch (error) {
      fill(outcomeNode, h("p", { class: "problem", role: "alert" }, why(error)));
    }
  }

  void load();
  return {
    node,
    shown: () => {
      if (!view) {
        view = new MapView(mapNode, {
          tiles: context.settings.tiles,
          label: "Map of the fix",
          select: () => undefined,
        });
      }
      void load();
    },
    changed: (what) => {
      if (what === "theme") view?.recolour();
      if (what === "access" || what === "reachable") void load();
    },
  };
}

/** Highest mel band on top. */
function flipped({ rows, columns, values }: { rows: number; columns: number; values: Float32Array }): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    turned.set(values.subarray(row * columns, (row + 1) * columns), (rows - 1 - row) * columns);
  }
  return turned;
}

/** Metres along a great circle; the gateway's own answer to feedback is geodesic. */
function distance(fix: Fix, latitude: number, longitude: number): number {
  const rad = Math.PI / 180;
  const dLat = (latitude - fix.latitude) * rad;
  const dLon = (longitude - fix.longitude) * rad;
  const a =
    Math.sin(dLat / 2) ** 2 +
    Math.cos(fix.latitude * rad) * Math.cos(latitude * rad) * Math.sin(dLon / 2) ** 2;
  return 2 * 6_371_008.8 * Math.asin(Math.sqrt(a));
}
