/** The versions side by side: what became of each one's traffic, and how far its fixes are from the champion's. */

import { fill, h, s } from "../dom";
import { grouped, metres, ms, percent, significant } from "../format";
import type { Feedback, ModelDocument } from "../models";
import { dot } from "./map";
import type { Routing } from "./routing_types";

interface Quantiles {
  p05: number;
  p25: number;
  median: number;
  p75: number;
  p95: number;
}

export interface VersionRecord {
  version: string;
  requests: number;
  errors: Record<string, number>;
  fell_back: number;
  error_rate?: number;
  latency_ms?: { p50: number; p95: number; p99: number };
  cache_hit_rate?: number;
  mean_semi_major_m?: number;
  comparison?: {
    count: number;
    errors: Record<string, number>;
    skipped: Record<string, number>;
    distance_m?: Quantiles;
    overlap?: { median: number };
    relative_shift?: number;
  };
  feedback?: Feedback;
}

type Row = [string, (one: VersionRecord) => string | Element];

const ROWS: Row[] = [
  ["Requests", (one) => grouped(one.requests)],
  ["Errors", (one) => (one.error_rate === undefined ? "–" : percent(one.error_rate, 2))],
  ["p50 / p95 / p99", (one) => (one.latency_ms ? [one.latency_ms.p50, one.latency_ms.p95, one.latency_ms.p99].map(ms).join(" / ") : "–")],
  ["Cache hits", (one) => percent(one.cache_hit_rate)],
  ["Mean 1 σ semi-major axis", (one) => length(one.mean_semi_major_m)],
  ["Error by feedback", (one) => (one.feedback ? `${metres(one.feedback.mean_error_m)} (${grouped(one.feedback.count)} truths)` : "–")],
  ["Truths inside 68 % / 95 %", (one) => (one.feedback ? `${percent(one.feedback.coverage["0.68"])} / ${percent(one.feedback.coverage["0.95"])}` : "–")],
  ["Compared with the champion", (one) => (one.comparison ? `${grouped(one.comparison.count)} recordings` : "–")],
  ["Median shift", (one) => (one.comparison?.relative_shift === undefined ? "–" : `${significant(one.comparison.relative_shift)} σ`)],
  ["Overlap of ellipses", (one) => (one.comparison?.overlap ? one.comparison.overlap.median.toFixed(2) : "–")],
];

export function recordTable(node: HTMLElement, model: ModelDocument, routing: Routing): void {
  const records = routing.versions ?? [];
  if (records.length === 0) {
    fill(node, h("h2", {}, "Side by side"), h("p", { class: "note" }, "What became of each version's traffic is kept in Redis, which does not answer."));
    return;
  }
  const farthest = Math.max(0, ...records.map((one) => one.comparison?.distance_m?.p95 ?? 0));
  const minutes = Math.round((routing.window_s ?? 0) / 60);
  fill(
    node,
    h("h2", {}, "Side by side ", h("span", { class: "note" }, `the last ${minutes} minutes`)),
    h(
      "div",
      { class: "scroll-x", tabindex: "0", role: "region", "aria-label": "Versions side by side" },
      h(
        "table",
        { class: "side-by-side" },
        h("thead", {}, h("tr", {}, h("td", {}), records.map((one) => h("th", { scope: "col" }, dot(one.version), ` Version ${one.version} `, h("span", { class: "note" }, named(model, one.version)))))),
        h(
          "tbody",
          {},
          ROWS.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), records.map((one) => h("td", {}, value(one))))),
          h("tr", {}, h("th", { scope: "row" }, "Distance to the champion's fixes"), records.map((one) => h("td", {}, box(one.comparison?.distance_m, farthest)))),
        ),
      ),
    ),
    h("p", { class: "note" }, "Box: the middle half of the distances; line: 5 to 95 of 100; mark: the median. Two equally good models differ, too."),
  );
}

function named(model: ModelDocument, version: string): string {
  return model.versions.find((one) => one.version === version)?.aliases.join(", ") ?? "";
}

function length(value: number | undefined): string {
  return value === undefined ? "–" : metres(value);
}

/** How the distances are distributed, all versions on one scale. */
function box(told: Quantiles | undefined, farthest: number): string | Element {
  if (!told || farthest === 0) return "–";
  const x = (value: number) => 4 + (value / farthest) * 232;
  const words = `median ${metres(told.median)}, 95 % within ${metres(told.p95)}`;
  const svg = s(
    "svg",
    { viewBox: "0 0 240 20", class: "box", role: "img", "aria-label": `Distances: ${words}` },
    s("line", { class: "whisker", x1: x(told.p05), x2: x(told.p95), y1: 10, y2: 10 }),
    s("rect", { class: "middle", x: x(told.p25), y: 4, width: Math.max(x(told.p75) - x(told.p25), 1), height: 12, rx: 2 }),
    s("line", { class: "median", x1: x(told.median), x2: x(told.median), y1: 2, y2: 18 }),
  );
  return h("div", { class: "boxed" }, svg, h("span", { class: "note" }, words));
}
