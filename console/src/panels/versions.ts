/** Versions: what is served, who gets the traffic, how the versions compare, what was done. */

import { Refused, get, getEvenIfNotReady, send, why } from "../api";
import { confirmed } from "../confirm";
import { fill, h, toast } from "../dom";
import { moment, percent } from "../format";
import type { ModelDocument, VersionDocument } from "../models";
import { dot } from "./map";
import type { Context, Panel } from "./panel";
import { recordTable } from "./record";
import { type RolloutDocument, rolloutCard } from "./rollout";
import type { Routing } from "./routing_types";
import { weightsCard } from "./weights";

interface Deployment {
  timestamp: string;
  event: string;
  version?: string;
  previous?: string;
  alias?: string;
  cause?: string;
  by?: string;
  message?: string;
}

const EVERY_MS = 3000;

export function versionsPanel(context: Context): Panel {
  let timer = 0;
  let chosen = "";
  let busy = false;
  let drawn = "";
  let away: string[] = [];
  const picker = h("select", { id: "model-picker", onchange: () => ((chosen = picker.value), (drawn = ""), void refresh()) });
  const readOnly = h("p", { class: "note read-only", id: "read-only", hidden: true });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const cards = h("div", { class: "version-cards", id: "version-cards" });
  const weights = h("section", { class: "card weights", id: "weights", "aria-label": "Traffic" });
  const rollout = h("section", { class: "card rollout", id: "rollout", "aria-label": "Rollout" });
  const record = h("section", { class: "card record", id: "record", "aria-label": "Comparison" });
  const journal = h("section", { class: "card journal", id: "journal", "aria-label": "Deployment history" });
  const node = h(
    "div",
    { class: "versions-tab" },
    h("div", { class: "bar" }, h("label", { for: "model-picker" }, h("span", {}, "Model"), picker), readOnly),
    problem,
    cards,
    h("div", { class: "two" }, weights, rollout),
    record,
    journal,
  );

  /** Ask, do it, say what came of it. */
  async function act(title: string, lines: string[], deed: string, work: () => Promise<string>, danger = false): Promise<void> {
    if (!context.may("admin")) {
      context.wantKey();
      return;
    }
    if (!(await confirmed(title, lines, deed, danger))) return;
    busy = true;
    node.classList.add("busy");
    try {
      toast(await work());
    } catch (error) {
      toast(why(error), "bad");
    }
    busy = false;
    node.classList.remove("busy");
    drawn = "";
    await refresh();
  }

  async function refresh(): Promise<void> {
    if (!context.may("read")) {
      tell("This gateway asks for an API key with the scope read.");
      return;
    }
    try {
      const { models } = await get<{ models: ModelDocument[] }>("/models");
      if (!models.some((one) => one.name === chosen)) chosen = (models.find((one) => one.default) ?? models[0])?.name ?? "";
      const model = models.find((one) => one.name === chosen);
      if (!model) {
        tell("No model is served yet.");
        return;
      }
      const path = `/models/${encodeURIComponent(model.name)}`;
      const [routing, deployments, health] = await Promise.all([
        get<Routing>(`${path}/routing`),
        get<{ deployments: Deployment[] }>(`${path}/deployments?limit=40`).catch(() => ({ deployments: [] })),
        getEvenIfNotReady<{ missing: string[] }>("/health/detailed"),
      ]);
      away = health.missing;
      const wasOne = routing.source === "rollout" || deployments.deployments.some((one) => one.event === "rollout");
      const newest = wasOne ? await get<RolloutDocument>(`${path}/rollout`).catch(absent) : undefined;
      tell("");
      const state = JSON.stringify([models, away, routing, newest, deployments, context.settings.scopes]);
      if (state === drawn || busy || editing()) return;
      drawn = state;
      showPicker(models);
      show(model, routing, newest, deployments.deployments);
    } catch (error) {
      tell(why(error));
    }
  }

  /** Never redraw under a person's hand. */
  function editing(): boolean {
    const active = document.activeElement;
    return (
      ((active instanceof HTMLInputElement || active instanceof HTMLSelectElement) && node.contains(active)) || node.querySelector("[data-changed]") !== null
    );
  }

  function tell(text: string): void {
    problem.hidden = text === "";
    problem.textContent = text;
  }

  function showPicker(models: ModelDocument[]): void {
    fill(picker, models.map((one) => h("option", { value: one.name }, one.name)));
    picker.value = chosen;
  }

  function show(model: ModelDocument, routing: Routing, newest: RolloutDocument | undefined, deployments: Deployment[]): void {
    const admin = context.may("admin");
    readOnly.hidden = admin;
    fill(
      readOnly,
      context.settings.keys
        ? ["Read only. ", h("button", { class: "link", onclick: context.wantKey }, "Enter an admin key"), " to change anything."]
        : "Read only: without API keys, changes are taken on loopback alone.",
    );
    const path = `/models/${encodeURIComponent(model.name)}`;
    fill(cards, [...model.versions].reverse().map((one) => card(model, routing, one, path, admin)));
    weightsCard(weights, model, routing, admin, act, path);
    rolloutCard(rollout, model, newest, admin, act, path);
    recordTable(record, model, routing);
    fill(
      journal,
      h("h2", {}, "Deployment history"),
      deployments.length === 0 ? h("p", { class: "note" }, "Nothing yet.") : history(deployments),
    );
  }

  function card(model: ModelDocument, routing: Routing, one: VersionDocument, path: string, admin: boolean): HTMLElement {
    const champion = model.aliases["champion"];
    const isChampion = champion === one.version;
    const share = routing.shares[one.version] ?? 0;
    const previous = routing.previous_champion;
    return h(
      "article",
      { class: `card version ${isChampion ? "champion" : ""}`, "aria-label": `Version ${one.version}` },
      h("header", {}, dot(one.version), h("h2", {}, `Version ${one.version}`), one.aliases.map((alias) => h("span", { class: `chip alias-${alias}` }, alias))),
      h("div", { class: "share" }, h("b", {}, percent(share, share > 0 && share < 0.1 ? 1 : 0)), h("span", {}, "of the traffic")),
      h(
        "dl",
        {},
        row("Ready", away.some((text) => text.includes(`"${model.name}" version ${one.version}:`)) ? "no: not in Triton" : "yes"),
        row("Served since", moment(one.served_since)),
        row("Digest", h("code", { title: one.digest }, one.digest.slice(0, 12))),
        row(
          "Run",
          one.mlflow_run_url
            ? h("a", { href: one.mlflow_run_url, target: "_blank", rel: "noreferrer" }, (one.mlflow_run_id ?? "run").slice(0, 12))
            : one.mlflow_run_id
              ? h("code", { title: one.mlflow_run_id }, one.mlflow_run_id.slice(0, 12))
              : "–",
        ),
        row("σ scale", String(one.sigma_scale)),
      ),
      h(
        "div",
        { class: "buttons" },
        isChampion
          ? h(
              "button",
              {
                id: `rollback-${one.version}`,
                disabled: !admin || !previous,
                title: previous ? `Back to version ${previous}` : "There is no champion before this one",
                onclick: () =>
                  void act(
                    "Roll back?",
                    [
                      `The alias champion of ${model.name} moves from version ${one.version} to version ${previous}.`,
                      `Requests that pin no version go to version ${previous}, as far as the weights name the champion.`,
                      "It is done in the registry, and stands there until somebody moves it again.",
                    ],
                    `Roll back to version ${previous}`,
                    async () => (await send<{ message: string }>("POST", `${path}/rollback`, {})).message || "Rolled back",
                    true,
                  ),
              },
              previous ? `Roll back to v${previous}` : "Roll back",
            )
          : h(
              "button",
              {
                id: `promote-${one.version}`,
                disabled: !admin,
                onclick: () =>
                  void act(
                    "Promote?",
                    [
                      `The alias champion of ${model.name} moves from version ${champion ?? "none"} to version ${one.version}.`,
                      `Requests that pin no version go to version ${one.version}, as far as the weights name the champion.`,
                      champion ? `Version ${champion} stays loaded, so that you can roll back.` : "It is the first champion.",
                    ],
                    `Promote version ${one.version}`,
                    async () => {
                      await send("POST", `${path}/promote`, { version: one.version });
                      return `Version ${one.version} is champion`;
                    },
                  ),
              },
              "Promote to champion",
            ),
      ),
    );
  }

  function row(name: string, value: string | HTMLElement): HTMLElement {
    return h("div", {}, h("dt", {}, name), h("dd", {}, value));
  }

  function history(entries: Deployment[]): HTMLElement {
    return h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Entries" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ["When", "What", "Version", "Why"].map((t) => h("th", { scope: "col" }, t)))),
        h(
          "tbody",
          {},
          entries.map((one) =>
            h(
              "tr",
              {},
              h("td", { class: "nowrap" }, moment(one.timestamp)),
              h("td", {}, h("span", { class: `chip event-${one.event}` }, one.event), one.alias ? ` ${one.alias}` : ""),
              h("td", {}, one.previous ? `${one.previous} → ${one.version ?? "–"}` : (one.version ?? "–")),
              h("td", {}, [one.message, one.cause, one.by && one.by !== "registry" ? `by ${one.by}` : ""].filter(Boolean).join(" · ")),
            ),
          ),
        ),
      ),
    );
  }

  function start(): void {
    stop();
    drawn = "";
    void refresh();
    timer = window.setInterval(() => {
      if (!document.hidden && !busy) void refresh();
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
      drawn = "";
      if (what !== "theme" && !node.hidden) void refresh();
    },
  };
}

/** There has been none. */
function absent(error: unknown): undefined {
  if (error instanceof Refused && error.problem.status === 404) return undefined;
  throw error;
}
