/** A rollout: start, watch, pause, resume, abort. */

import { send } from "../api";
import { fill, h } from "../dom";
import { moment, percent } from "../format";
import type { ModelDocument } from "../models";
import type { Act } from "./routing_types";

export interface RolloutDocument {
  version: string;
  champion: string;
  phase: "waiting" | "running" | "promoted" | "aborted" | "failed";
  steps: number[];
  step: number;
  /** Of 1. */
  share: number;
  every_s: number;
  paused: boolean;
  by: string;
  started_at: string;
  next_step_at?: string;
  waits_for?: string[];
  ended_at?: string;
  reason?: string;
}

export function rolloutCard(
  node: HTMLElement,
  model: ModelDocument,
  rollout: RolloutDocument | undefined,
  admin: boolean,
  act: Act,
  path: string,
): void {
  const active = rollout && (rollout.phase === "waiting" || rollout.phase === "running");
  fill(node, h("h2", {}, "Rollout"), rollout ? progress(rollout) : null, active ? steer(rollout) : begin());

  function progress(one: RolloutDocument): HTMLElement {
    const words = { waiting: "waits until it is served", running: one.paused ? "paused" : "under way", promoted: "promoted", aborted: "aborted", failed: "failed" };
    return h(
      "div",
      { class: `progress phase-${one.phase}`, id: "rollout-state" },
      h("p", {}, h("b", {}, `Version ${one.version}: ${words[one.phase]}`), h("span", { class: "note" }, ` ${one.ended_at ? `ended ${moment(one.ended_at)}` : `since ${moment(one.started_at)}`}`)),
      h(
        "ol",
        { class: "steps" },
        one.steps.map((step, i) => {
          const done = one.phase === "promoted" || i < one.step;
          const now = one.phase === "running" && i === one.step;
          return h("li", { class: done ? "done" : now ? "now" : "", "aria-current": now ? "step" : undefined }, `${step} %`);
        }),
      ),
      one.next_step_at ? h("p", { class: "note" }, `Next step after ${moment(one.next_step_at)}, if the guards hold.`) : null,
      one.waits_for?.length ? h("p", { class: "note" }, `Waits for: ${one.waits_for.join("; ")}.`) : null,
      one.reason ? h("p", { class: "note" }, one.reason) : null,
    );
  }

  function steer(one: RolloutDocument): HTMLElement {
    return h(
      "div",
      { class: "buttons" },
      h(
        "button",
        {
          id: "rollout-pause",
          disabled: !admin,
          onclick: () =>
            void act(
              one.paused ? "Resume the rollout?" : "Pause the rollout?",
              one.paused
                ? [`Version ${one.version} goes on from ${percent(one.share)}; its guards are judged again.`]
                : [`Version ${one.version} stays at ${percent(one.share)} of the traffic; no step is taken until you resume.`],
              one.paused ? "Resume" : "Pause",
              async () => {
                await send("PATCH", `${path}/rollout`, { action: one.paused ? "resume" : "pause" });
                return one.paused ? "Resumed" : "Paused";
              },
            ),
        },
        one.paused ? "Resume" : "Pause",
      ),
      h(
        "button",
        {
          id: "rollout-abort",
          class: "danger",
          disabled: !admin,
          onclick: () =>
            void act(
              "Abort the rollout?",
              [`Version ${one.version} goes from ${percent(one.share)} of the traffic to 0 at once.`, `Version ${one.champion} takes everything again.`],
              "Abort the rollout",
              async () => {
                await send("DELETE", `${path}/rollout`);
                return "Rollout aborted";
              },
              true,
            ),
        },
        "Abort",
      ),
    );
  }

  function begin(): HTMLElement {
    const champion = model.aliases["champion"];
    const others = model.versions.filter((one) => one.version !== champion);
    if (others.length === 0) return h("p", { class: "note" }, "A rollout needs a served version besides the champion.");
    const changed = () => (node.dataset["changed"] = "yes");
    const version = h("select", { id: "rollout-version", disabled: !admin, onchange: changed }, [...others].reverse().map((one) => h("option", { value: one.version }, `version ${one.version}`)));
    const steps = h("input", { id: "rollout-steps", value: "1, 5, 25, 50, 100", disabled: !admin, oninput: changed });
    const every = h("input", { id: "rollout-every", type: "number", min: 1, value: "300", disabled: !admin, oninput: changed });
    const errors = h("input", { id: "rollout-errors", type: "number", min: 0, max: 100, step: "any", value: "1", disabled: !admin, oninput: changed });
    const p95 = h("input", { id: "rollout-p95", type: "number", min: 1, value: "500", disabled: !admin, oninput: changed });
    const shift = h("input", { id: "rollout-shift", type: "number", min: 0.01, step: "any", value: "0.5", disabled: !admin, oninput: changed });
    const least = h("input", { id: "rollout-least", type: "number", min: 1, value: "200", disabled: !admin, oninput: changed });
    const field = (name: string, input: HTMLElement) => h("label", { for: input.id }, h("span", {}, name), input);
    const start = (event: Event) => {
      event.preventDefault();
      const shares = steps.value.split(/[\s,]+/).filter(Boolean).map(Number);
      const guards = {
        max_error_rate: Number(errors.value) / 100,
        max_p95_ms: Number(p95.value),
        max_shift: Number(shift.value),
        min_requests: Number(least.value),
      };
      void act(
        `Roll out version ${version.value} of ${model.name}?`,
        [
          `It gets ${shares.join(" %, ")} % of the traffic, each for at least ${every.value} s; then the alias champion moves to it.`,
          `It falls back to 0 at once when its errors exceed ${errors.value} %, its p95 exceeds ${p95.value} ms, or its fixes move by more than ${shift.value} σ of the champion's.`,
          `Nothing is judged before ${least.value} requests in a step.`,
          `Version ${champion ?? "–"} takes the rest.`,
        ],
        "Start the rollout",
        async () => {
          delete node.dataset["changed"];
          await send("POST", `${path}/rollout`, { version: version.value, steps: shares, every_s: Number(every.value), guards });
          return `Rollout of version ${version.value} started`;
        },
      );
    };
    return h(
      "form",
      { class: "rollout-form", onsubmit: start },
      field("Version", version),
      field("Steps, %", steps),
      field("Each for, s", every),
      field("Errors up to, %", errors),
      field("p95 up to, ms", p95),
      field("Shift up to, σ", shift),
      field("Requests per step", least),
      h("button", { class: "primary", id: "rollout-start", type: "submit", disabled: !admin }, "Start rollout"),
    );
  }
}
