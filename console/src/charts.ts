/** Charts as SVG: lines over time, and what was promised against what came true. */

import { h, s } from "./dom";
import { clock } from "./format";

export interface Series {
  name: string;
  /** CSS class: `c1` … `c4`, `bad`. */
  look: string;
  values: (number | null)[];
}

interface LineOptions {
  title: string;
  unit: (value: number) => string;
  times: number[];
  series: Series[];
  limit?: { value: number; name: string };
  floor?: number;
  summary: string;
  area?: boolean;
}

const W = 560;
const H = 190;
const PAD = { left: 58, right: 12, top: 10, bottom: 24 };

/** A titled chart of series over time with a legend, a limit line, and the values under the pointer. */
export function lineChart(options: LineOptions): HTMLElement {
  const { times, series, limit } = options;
  const values = series.flatMap((one) => one.values.filter((v): v is number => v !== null));
  const most = Math.max(options.floor ?? 0, ...values, limit ? limit.value * 1.08 : 0) || 1;
  const top = nice(most);
  const first = times[0] ?? 0;
  const last = times[times.length - 1] ?? 1;
  const x = (t: number) => PAD.left + ((t - first) / (last - first || 1)) * (W - PAD.left - PAD.right);
  const y = (v: number) => H - PAD.bottom - (v / top) * (H - PAD.top - PAD.bottom);
  const svg = s("svg", {
    viewBox: `0 0 ${W} ${H}`,
    class: "chart",
    role: "img",
    "aria-label": `${options.title}: ${options.summary}`,
  });
  for (let i = 0; i <= 4; i++) {
    const v = (top * i) / 4;
    svg.append(
      s("line", { class: "grid", x1: PAD.left, x2: W - PAD.right, y1: y(v), y2: y(v) }),
      s("text", { class: "tick", x: PAD.left - 8, y: y(v) + 4, "text-anchor": "end" }, options.unit(v)),
    );
  }
  for (let i = 0; i <= 3; i++) {
    const t = first + ((last - first) * i) / 3;
    const anchor = i === 0 ? "start" : i === 3 ? "end" : "middle";
    svg.append(s("text", { class: "tick", x: x(t), y: H - 6, "text-anchor": anchor }, clock(t).slice(0, 5)));
  }
  for (const one of series) {
    const parts = runs(one.values, times).map((run) => run.map(([t, v]) => `${x(t).toFixed(1)},${y(v).toFixed(1)}`));
    for (const run of parts) {
      if (options.area) {
        const [x0] = run[0]!.split(",");
        const [x1] = run[run.length - 1]!.split(",");
        const d = `M${x0},${y(0)} L${run.join(" L")} L${x1},${y(0)} Z`;
        svg.append(s("path", { class: `area ${one.look}`, d }));
      }
      if (run.length === 1) {
        const [cx, cy] = run[0]!.split(",");
        svg.append(s("circle", { class: `dot ${one.look}`, cx, cy, r: 2.4 }));
      } else {
        svg.append(s("path", { class: `line ${one.look}`, d: `M${run.join(" L")}` }));
      }
    }
  }
  if (limit) {
    svg.append(
      s("line", { class: "limit", x1: PAD.left, x2: W - PAD.right, y1: y(limit.value), y2: y(limit.value) }),
      s("text", { class: "limit-name", x: W - PAD.right, y: y(limit.value) - 5, "text-anchor": "end" }, limit.name),
    );
  }
  const readout = h("span", { class: "readout" });
  const cursor = s("line", { class: "cursor", y1: PAD.top, y2: H - PAD.bottom, x1: -9, x2: -9 });
  svg.append(cursor);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = (((event as PointerEvent).clientX - box.left) / box.width) * W;
    const place = nearest(times.map(x), at);
    const t = times[place];
    if (t === undefined) return;
    cursor.setAttribute("x1", String(x(t)));
    cursor.setAttribute("x2", String(x(t)));
    const told = series.map((one) => {
      const v = one.values[place];
      return `${one.name} ${v === null || v === undefined ? "–" : options.unit(v)}`;
    });
    readout.textContent = `${clock(t)}  ${told.join("   ")}`;
  });
  svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("x1", "-9");
    cursor.setAttribute("x2", "-9");
    readout.textContent = "";
  });
  const legend = series.map((one) => h("span", { class: "key" }, h("i", { class: one.look }), one.name));
  return h(
    "figure",
    { class: "card chart-card" },
    h("figcaption", {}, h("h2", {}, options.title), h("span", { class: "legend" }, series.length > 1 ? legend : null)),
    svg,
    h("div", { class: "under" }, h("span", { class: "summary" }, options.summary), readout),
  );
}

/** Stretches without a gap. */
function runs(values: (number | null)[], times: number[]): [number, number][][] {
  const found: [number, number][][] = [];
  let run: [number, number][] = [];
  values.forEach((v, i) => {
    if (v === null) {
      if (run.length) found.push(run);
      run = [];
    } else run.push([times[i]!, v]);
  });
  if (run.length) found.push(run);
  return found;
}

function nearest(places: number[], at: number): number {
  let best = 0;
  places.forEach((one, i) => {
    if (Math.abs(one - at) < Math.abs((places[best] ?? 0) - at)) best = i;
  });
  return best;
}

function nice(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  for (const step of [1, 2, 4, 5, 8, 10]) if (step * power >= most) return step * power;
  return 10 * power;
}

/** Nominal levels against the share of truths inside: on the diagonal is right. */
export function calibrationChart(lines: { name: string; look: string; points: [number, number][] }[]): SVGElement {
  const size = 220;
  const pad = 34;
  const at = (v: number) => pad + v * (size - pad - 8);
  const up = (v: number) => size - at(v);
  const summary = lines
    .map((one) => `${one.name}: ${one.points.map(([p, q]) => `${Math.round(p * 100)} % nominal, ${Math.round(q * 100)} % seen`).join("; ")}`)
    .join(". ");
  const svg = s("svg", {
    viewBox: `0 0 ${size} ${size}`,
    class: "chart square",
    role: "img",
    "aria-label": `Coverage against nominal level. ${summary}`,
  });
  for (const v of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(
      s("line", { class: "grid", x1: at(0), x2: at(1), y1: up(v), y2: up(v) }),
      s("line", { class: "grid", x1: at(v), x2: at(v), y1: up(0), y2: up(1) }),
      s("text", { class: "tick", x: at(0) - 5, y: up(v) + 3, "text-anchor": "end" }, `${v * 100}`),
      s("text", { class: "tick", x: at(v), y: size - pad + 14, "text-anchor": "middle" }, `${v * 100}`),
    );
  }
  svg.append(s("line", { class: "ideal", x1: at(0), y1: up(0), x2: at(1), y2: up(1) }));
  for (const one of lines) {
    const points = [[0, 0] as [number, number], ...one.points, [1, 1] as [number, number]];
    svg.append(s("path", { class: `line ${one.look}`, d: `M${points.map(([p, q]) => `${at(p)},${up(q)}`).join(" L")}` }));
    for (const [p, q] of one.points) svg.append(s("circle", { class: `dot ${one.look}`, cx: at(p), cy: up(q), r: 3.2 }));
  }
  return svg;
}

/** Parts of a whole, side by side. */
export function stackedBar(parts: [string, number][], unit: (value: number) => string): HTMLElement {
  const total = parts.reduce((sum, [, value]) => sum + value, 0) || 1;
  const svg = s("svg", { class: "stacked", viewBox: "0 0 300 12", preserveAspectRatio: "none", "aria-hidden": "true" });
  let at = 0;
  parts.forEach(([, value], i) => {
    const wide = (value / total) * 300;
    svg.append(s("rect", { class: `stage-${i % 6}`, x: at, y: 0, width: Math.max(wide, 0.5), height: 12 }));
    at += wide;
  });
  const rows = parts.map(([name, value], i) =>
    h("li", {}, h("i", { class: `swatch stage-${i % 6}` }), name, h("b", {}, unit(value))),
  );
  return h("div", { class: "stages" }, svg, h("ul", {}, rows));
}
