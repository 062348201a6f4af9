/** Health: the last fifteen minutes, the parts, calibration. */

import { get, getEvenIfNotReady, why } from "../api";
import { calibrationChart, lineChart } from "../charts";
import { fill, h } from "../dom";
import { grouped, metres, ms, percent, significant } from "../format";
import type { ModelDocument, VersionDocument } from "../models";
import type { Context, Panel } from "./panel";

interface Step {
  at: number;
  requests: number;
  errors: number;
  refused: number;
  hits: number;
  looked_up: number;
  queue: number;
  p50_ms?: number;
  p95_ms?: number;
  p99_ms?: number;
}

interface History {
  step_s: number;
  window_s: number;
  objective_ms: number;
  gateways: number;
  shared: boolean;
  now: number;
  steps: Step[];
  all: Step;
}

interface Detailed {
  status: string;
  missing: string[];
  draining: boolean;
  dependencies: {
    catalogue: { status: string; following: boolean; revision?: number; age_s?: number };
    redis_cache: { status: string };
    triton: { address: string; status: string }[];
  };
}

const EVERY_MS = 5000;

export function healthPanel(context: Context): Panel {
  const tiles = h("div", { class: "tiles" });
  const charts = h("div", { class: "charts" });
  const parts = h("div", { class: "parts card" });
  const calibration = h("div", { class: "calibration card", id: "calibration" });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const node = h("div", { class: "health-tab" }, problem, tiles, charts, h("div", { class: "lower" }, calibration, parts));
  let timer = 0;

  async function refresh(): Promise<void> {
    if (!context.may("read")) {
      problem.hidden = false;
      problem.textContent = "This gateway asks for an API key with the scope read.";
      return;
    }
    try {
      const [history, told] = await Promise.all([get<History>("/performance/history"), detailed()]);
      problem.hidden = true;
      showHistory(history);
      showParts(told, history);
    } catch (error) {
      problem.hidden = false;
      problem.textContent = why(error);
    }
  }

  function detailed(): Promise<Detailed | null> {
    return getEvenIfNotReady<Detailed>("/health/detailed").catch(() => null);
  }

  function showHistory(told: History): void {
    const last = Math.floor(told.now / told.step_s) * told.step_s;
    const times: number[] = [];
    for (let t = last - told.window_s + told.step_s; t <= last; t += told.step_s) times.push(t);
    const at = new Map(told.steps.map((step) => [step.at, step]));
    const of = (pick: (step: Step) => number | undefined) =>
      times.map((t) => {
        const step = at.get(t);
        return step ? (pick(step) ?? null) : null;
      });
    const zero = (pick: (step: Step) => number) => times.map((t) => (at.has(t) ? pick(at.get(t)!) : 0));
    const { all } = told;
    const rates = zero((step) => step.requests / told.step_s);
    const lately = rates.slice(-7, -1).reduce((sum, v) => sum + v, 0) / 6;
    const hitRate = all.looked_up ? all.hits / all.looked_up : undefined;
    const errorRate = all.requests ? all.errors / all.requests : undefined;
    const met = all.p95_ms === undefined ? "" : all.p95_ms <= told.objective_ms ? "good" : "bad";
    fill(
      tiles,
      tile("p95, 15 minutes", ms(all.p95_ms), `objective ${ms(told.objective_ms)}`, met),
      tile("p50", ms(all.p50_ms), `p99 ${ms(all.p99_ms)}, ${grouped(all.requests)} requests`),
      tile("Requests", `${significant(lately)}/s`, "over the last minute"),
      tile("Cache hits", percent(hitRate), `${grouped(all.hits)} of ${grouped(all.looked_up)}`),
      tile("Errors", percent(errorRate, 2), `${grouped(all.errors)} of 5xx, ${grouped(all.refused)} of 4xx`, all.errors ? "bad" : "good"),
      tile("Queue", grouped(all.queue), "most rows waiting for Triton"),
    );
    fill(
      charts,
      lineChart({
        title: "Time to answer",
        unit: ms,
        times,
        limit: { value: told.objective_ms, name: `objective: p95 within ${told.objective_ms} ms` },
        series: [
          { name: "p50", look: "c1", values: of((step) => step.p50_ms) },
          { name: "p95", look: "c2", values: of((step) => step.p95_ms) },
          { name: "p99", look: "c3", values: of((step) => step.p99_ms) },
        ],
        summary: all.p95_ms === undefined ? "no request in the last 15 minutes" : `p95 ${ms(all.p95_ms)}, p99 ${ms(all.p99_ms)}`,
      }),
      lineChart({
        title: "Requests",
        unit: (v) => `${significant(v)}/s`,
        times,
        floor: 1,
        area: true,
        series: [{ name: "requests", look: "c1", values: rates }],
        summary: `${grouped(all.requests)} in 15 minutes`,
      }),
      lineChart({
        title: "Cache hits and errors",
        unit: (v) => percent(v),
        times,
        floor: 1,
        series: [
          { name: "hits", look: "c4", values: of((step) => (step.looked_up ? step.hits / step.looked_up : undefined)) },
          { name: "errors", look: "bad", values: of((step) => (step.requests ? step.errors / step.requests : undefined)) },
        ],
        summary: `hits ${percent(hitRate)}, errors ${percent(errorRate, 2)}`,
      }),
      lineChart({
        title: "Rows waiting for Triton",
        unit: (v) => significant(v),
        times,
        floor: 4,
        area: true,
        series: [{ name: "waiting", look: "c2", values: zero((step) => step.queue) }],
        summary: `at most ${grouped(all.queue)}`,
      }),
    );
  }

  function tile(name: string, value: string, note: string, look = ""): HTMLElement {
    return h("div", { class: `tile card ${look}` }, h("span", { class: "name" }, name), h("b", {}, value), h("span", { class: "note" }, note));
  }

  function showParts(told: Detailed | null, history: History): void {
    const rows: [string, boolean, string][] = told
      ? [
          ["This gateway", told.status === "healthy", told.missing.join("; ") || (told.draining ? "draining" : "ready")],
          [
            "Catalogue",
            told.dependencies.catalogue.status === "known" && told.dependencies.catalogue.following,
            `revision ${told.dependencies.catalogue.revision ?? "–"}${told.dependencies.catalogue.following ? "" : ", not followed"}`,
          ],
          ["Redis", told.dependencies.redis_cache.status === "up", told.dependencies.redis_cache.status],
          ...told.dependencies.triton.map((one): [string, boolean, string] => [`Triton ${one.address}`, one.status === "up", one.status]),
        ]
      : [["This gateway", false, "not ready"]];
    const whose = history.shared ? `${history.gateways} gateway process${history.gateways === 1 ? "" : "es"}` : "this process alone: Redis is away";
    fill(
      parts,
      h("h2", {}, "Parts"),
      h("ul", { class: "part-list" }, rows.map(([name, up, note]) =>
        h("li", {}, h("span", { class: `lamp ${up ? "up" : "down"}`, role: "img", "aria-label": up ? "up" : "down" }), h("b", {}, name), h("span", {}, note)))),
      h("p", { class: "note" }, `Numbers are of ${whose}.`),
    );
  }

  async function showCalibration(): Promise<void> {
    if (!context.may("read")) return;
    try {
      const { models } = await get<{ models: ModelDocument[] }>("/models");
      const all = await Promise.all(
        models.flatMap((model) =>
          model.versions.map((one) => get<VersionDocument>(`/models/${encodeURIComponent(model.name)}/versions/${one.version}`)),
        ),
      );
      const told = all.filter((one) => one.feedback);
      const looks = ["c1", "c2", "c3", "c4"];
      const lines = told.slice(0, 4).map((one, i) => ({
        name: `${one.model} v${one.version}`,
        look: looks[i]!,
        points: Object.entries(one.feedback!.coverage).map(([p, q]): [number, number] => [Number(p), q]),
      }));
      fill(
        calibration,
        h("h2", {}, "Calibration"),
        told.length === 0
          ? h("p", { class: "note" }, "No truth has been told yet: send one in “Try it”, or by POST /feedback.")
          : h(
              "div",
              { class: "calibration-row" },
              calibrationChart(lines),
              h(
                "table",
                {},
                h("thead", {}, h("tr", {}, ["Version", "Truths", "Mean error", "NEES", "In 68 %", "In 95 %"].map((t) => h("th", { scope: "col" }, t)))),
                h("tbody", {}, told.map((one, i) => {
                  const f = one.feedback!;
                  return h("tr", {}, h("th", { scope: "row" }, h("i", { class: `swatch ${looks[i % 4]}` }), `${one.model} v${one.version}`),
                    h("td", {}, grouped(f.count)), h("td", {}, metres(f.mean_error_m)), h("td", {}, f.mean_nees.toFixed(2)),
                    h("td", {}, percent(f.coverage["0.68"])), h("td", {}, percent(f.coverage["0.95"])));
                })),
              ),
            ),
        h("p", { class: "note" }, "On the diagonal, ellipses hold what they promise. NEES is right at 2; above, σ is too small."),
      );
    } catch (error) {
      console.info("calibration:", why(error));
    }
  }

  function start(): void {
    stop();
    void refresh();
    void showCalibration();
    timer = window.setInterval(() => {
      if (!document.hidden) void refresh();
    }, EVERY_MS);
  }

  function stop(): void {
    clearInterval(timer);
  }

  return {
    node,
    shown: start,
    hidden: stop,
    changed: (what) => {
      if (what !== "theme" && node.isConnected && !node.hidden) start();
    },
  };
}
