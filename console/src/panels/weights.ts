/** Traffic weights as sliders that always add up to 100 %. */

import { send } from "../api";
import { fill, h } from "../dom";
import { moment, percent } from "../format";
import type { ModelDocument } from "../models";
import { dot } from "./map";
import type { Act, Routing } from "./routing_types";

const SOURCES: Record<Routing["source"], string> = {
  champion: "No weights are set: the champion takes everything.",
  tag: "Set in the registry.",
  temporary: "Set for a while.",
  rollout: "A rollout decides about the traffic.",
};
const SPANS: [string, string][] = [
  ["until changed", ""],
  ["for 10 minutes", "600"],
  ["for 1 hour", "3600"],
  ["for 1 day", "86400"],
];

export function weightsCard(
  node: HTMLElement,
  model: ModelDocument,
  routing: Routing,
  admin: boolean,
  act: Act,
  path: string,
): void {
  const versions = model.versions.filter((one) => !(one.aliases.length === 1 && one.aliases[0] === "shadow"));
  const wanted = new Map(versions.map((one) => [one.version, Math.round(100 * (routing.shares[one.version] ?? 0))]));
  const locked = !admin || routing.source === "rollout" || versions.length < 2;
  const sliders = new Map<string, HTMLInputElement>();
  const outputs = new Map<string, HTMLOutputElement>();
  const apply = h("button", { class: "primary", id: "apply-weights", disabled: true, onclick: () => void put() }, "Apply weights");
  const span = h("select", { id: "weights-span", disabled: locked }, SPANS.map(([name, value]) => h("option", { value }, name)));

  /** The others give or take what this one takes or gives, in proportion. */
  function moved(version: string): void {
    const value = Number(sliders.get(version)!.value);
    const others = versions.map((one) => one.version).filter((one) => one !== version);
    const before = others.reduce((sum, one) => sum + wanted.get(one)!, 0);
    let left = 100 - value;
    others.forEach((one, i) => {
      const part = before > 0 ? wanted.get(one)! / before : 1 / others.length;
      const given = i === others.length - 1 ? left : Math.min(left, Math.round((100 - value) * part));
      wanted.set(one, given);
      left -= given;
    });
    wanted.set(version, value);
    showValues();
    node.dataset["changed"] = "yes";
    apply.disabled = false;
    reset.hidden = false;
  }

  function showValues(): void {
    for (const [version, value] of wanted) {
      sliders.get(version)!.value = String(value);
      outputs.get(version)!.textContent = `${value} %`;
    }
  }

  const reset = h("button", { hidden: true, id: "reset-weights", onclick: () => {
    delete node.dataset["changed"];
    weightsCard(node, model, routing, admin, act, path);
  } }, "Undo");

  function named(version: string): string {
    const alias = ["champion", "candidate"].find((one) => model.aliases[one] === version);
    return alias ?? version;
  }

  async function put(): Promise<void> {
    const weights = Object.fromEntries([...wanted].map(([version, value]) => [named(version), value]));
    const body = { weights, ...(span.value ? { expires_in_s: Number(span.value) } : {}) };
    const lines = versions.map((one) => {
      const from = percent(routing.shares[one.version] ?? 0);
      return `Version ${one.version} (${named(one.version)}): ${from} → ${wanted.get(one.version)} % of the requests that pin none.`;
    });
    lines.push(
      span.value
        ? `After ${SPANS.find(([, value]) => value === span.value)![0].replace("for ", "")} the weights of now are in force again.`
        : "It stands in the registry until somebody changes it.",
      "Sessions stay with their version as far as the new weights allow.",
    );
    await act(`Share out the traffic of ${model.name}?`, lines, "Apply weights", async () => {
      delete node.dataset["changed"];
      await send("PUT", `${path}/routing`, body, { "If-Match": `"${routing.etag}"` });
      return "Weights are in force";
    });
  }

  const rows = versions.map((one) => {
    const slider = h("input", {
      type: "range",
      id: `weight-${one.version}`,
      min: 0,
      max: 100,
      step: 1,
      value: String(wanted.get(one.version)),
      disabled: locked,
      oninput: () => moved(one.version),
    });
    const output = h("output", { for: `weight-${one.version}` }, `${wanted.get(one.version)} %`);
    sliders.set(one.version, slider);
    outputs.set(one.version, output);
    return h(
      "div",
      { class: "weight" },
      h("label", { for: `weight-${one.version}` }, dot(one.version), `Version ${one.version}`, h("span", { class: "note" }, one.aliases.join(", "))),
      slider,
      output,
    );
  });
  const clear = h(
    "button",
    {
      id: "clear-weights",
      disabled: locked || routing.source === "champion",
      onclick: () =>
        void act(
          `Give all traffic of ${model.name} to its champion?`,
          [`The weights ${JSON.stringify(routing.weights)} are taken out of the registry.`, `Version ${model.aliases["champion"] ?? "–"} answers every request that pins none.`],
          "Clear weights",
          async () => {
            await send("DELETE", `${path}/routing`, undefined, { "If-Match": `"${routing.etag}"` });
            return "The champion takes everything";
          },
        ),
    },
    "Champion only",
  );
  fill(
    node,
    h("h2", {}, "Traffic"),
    h("p", { class: "note" }, SOURCES[routing.source], routing.expires_at ? ` Until ${moment(routing.expires_at)}.` : ""),
    rows,
    h("div", { class: "buttons" }, h("label", { for: "weights-span", class: "sr-only" }, "For how long"), span, reset, clear, apply),
  );
}
