/** The map tab: recent and live fixes. */

import { get, why } from "../api";
import { details } from "../details";
import { announce, fill, h } from "../dom";
import { Feed, type FeedState } from "../feed";
import { type Fix, hue } from "../fix";
import { ago, metres, percent, place } from "../format";
import { MapView, type Projection, type Receiver } from "../map/map_view";
import { type ModelDocument, receivers } from "../models";
import type { Context, Panel } from "./panel";

const LEVELS = [0.5, 0.68, 0.9, 0.95, 0.99];
const SPANS: [string, number][] = [
  ["1 minute", 60],
  ["10 minutes", 600],
  ["1 hour", 3600],
  ["1 day", 86_400],
];
const MOST = 2000;
const LISTED = 60;

export function mapPanel(context: Context, tellFeed: (state: FeedState) => void): Panel {
  const state = { level: 0.68, span: 3600, version: "", follow: true, selected: "", passedOver: 0 };
  const fixes = new Map<string, Fix>();
  let feed: Feed | null = null;
  let isShown = true;
  let fitted = false;

  const mapNode = h("div", { class: "map", id: "map", tabindex: "0" });
  const list = h("ul", { class: "fix-list", "aria-label": "Newest fixes" });
  const count = h("span", { class: "count", id: "fix-count" }, "0 fixes");
  const card = h("div", { class: "details-slot", id: "fix-details" });
  const note = h("p", { class: "note", id: "feed-note", hidden: true });
  const versions = h("select", { id: "map-version", onchange: changeVersion }, h("option", { value: "" }, "all"));
  const projection = select(
    [
      ["Mercator", "mercator"],
      ["North pole", "north"],
      ["South pole", "south"],
    ],
    "mercator",
    (value) => view.setProjection(value as Projection),
  );
  projection.id = "projection";
  projection.setAttribute("aria-label", "Projection");
  const node = h(
    "div",
    { class: "map-tab" },
    h(
      "div",
      { class: "map-frame" },
      mapNode,
      h(
        "div",
        { class: "map-buttons" },
        h("button", { id: "fit", onclick: () => view.zoomTo(visible()), title: "Show all fixes" }, "Fit"),
        projection,
      ),
    ),
    h(
      "aside",
      { class: "side", "aria-label": "Fixes" },
      h(
        "div",
        { class: "controls" },
        field("Ellipse", "map-level", select(LEVELS.map((v) => [percent(v), String(v)]), String(state.level), changeLevel)),
        field("Show", "map-span", select(SPANS.map(([name, v]) => [name, String(v)]), String(state.span), changeSpan)),
        field("Version", "map-version", versions),
      ),
      note,
      card,
      h("div", { class: "list-head" }, h("h2", {}, "Newest fixes"), count),
      list,
    ),
  );
  /** Made when it is first in sight: a map without a size shows nothing. */
  let view!: MapView;

  function begin(): void {
    view = new MapView(mapNode, {
      tiles: context.settings.tiles,
      label: "Map of fixes. Arrow keys move it, plus and minus zoom; the list beside it has the same fixes.",
      select: (fix) => choose(fix?.id ?? ""),
    });
    view.describe = (fix) =>
      `${place(fix.latitude, fix.longitude)}\n${fix.model} v${fix.version} · CEP50 ${metres(fix.cep50_m)} · ${ago(Date.now() / 1000 - fix.at)}`;
    void showReceivers();
  }

  function field(name: string, id: string, control: HTMLElement): HTMLElement {
    control.id = id;
    return h("label", { for: id }, h("span", {}, name), control);
  }

  function select(options: [string, string][], value: string, changed: (value: string) => void): HTMLElement {
    const node = h(
      "select",
      { onchange: () => changed(node.value) },
      options.map(([name, one]) => h("option", { value: one }, name)),
    ) as HTMLSelectElement;
    node.value = value;
    return node;
  }

  function changeLevel(value: string): void {
    state.level = Number(value);
    connect();
  }

  function changeSpan(value: string): void {
    state.span = Number(value);
    refresh();
  }

  function changeVersion(): void {
    state.version = versions.value;
    refresh();
  }

  function visible(): Fix[] {
    const since = Date.now() / 1000 - state.span;
    return [...fixes.values()].filter(
      (fix) => fix.at >= since && (!state.version || `${fix.model} ${fix.version}` === state.version),
    );
  }

  function refresh(): void {
    const shown = visible();
    view?.show(shown, state.span);
    count.textContent = `${shown.length} fix${shown.length === 1 ? "" : "es"}`;
    const newest = shown.slice(-LISTED).reverse();
    const now = Date.now() / 1000;
    fill(
      list,
      newest.length === 0 ? h("li", { class: "empty" }, emptyText()) : newest.map((fix) => listed(fix, now)),
    );
    if (!fitted && view && shown.length > 0) {
      fitted = true;
      view.zoomTo(shown);
    }
  }

  function emptyText(): string {
    return context.settings.remember
      ? "No fix in this span yet. Send a recording, or go to “Try it”."
      : "No fixes are kept by this gateway.";
  }

  function listed(fix: Fix, now: number): HTMLElement {
    const button = h(
      "button",
      {
        id: `fix-${fix.id}`,
        "aria-pressed": String(fix.id === state.selected),
        onclick: () => {
          choose(fix.id);
          view.bringIntoSight(fix);
        },
      },
      dot(fix.version),
      h("span", { class: "where" }, place(fix.latitude, fix.longitude)),
      h("span", { class: "what" }, `v${fix.version} · CEP50 ${metres(fix.cep50_m)} · ${fix.cache}`),
      h("span", { class: "when" }, ago(now - fix.at)),
    );
    return h("li", {}, button);
  }

  function choose(id: string): void {
    state.selected = id;
    view.select(id);
    const fix = fixes.get(id);
    const actions = { zoom: () => fix && view.zoomTo([fix]), close: () => choose("") };
    fill(card, fix ? details(fix, actions) : null);
    for (const one of list.querySelectorAll("button")) {
      one.setAttribute("aria-pressed", String(one.id === `fix-${id}`));
    }
    if (fix) {
      announce(`Fix at ${place(fix.latitude, fix.longitude)}, CEP50 ${metres(fix.cep50_m)}`);
      card.scrollIntoView({ block: "nearest" });
    }
  }

  function arrived(news: Fix[]): void {
    for (const fix of news) {
      fixes.delete(fix.id);
      fixes.set(fix.id, fix);
      state.passedOver += fix.passed_over ?? 0;
    }
    for (const id of fixes.keys()) {
      if (fixes.size <= MOST) break;
      fixes.delete(id);
    }
    learnVersions(news);
    if (state.passedOver > 0) {
      tellNote(`Too many at once: ${state.passedOver} more were made than are shown.`);
    }
    schedule();
    if (state.selected && news.some((fix) => fix.id === state.selected)) choose(state.selected);
  }

  let asked = 0;
  function schedule(): void {
    if (asked || !isShown) return;
    asked = window.setTimeout(() => {
      asked = 0;
      refresh();
    }, 120);
  }

  function learnVersions(news: Fix[]): void {
    const known = new Set([...versions.options].map((one) => one.value));
    for (const fix of news) {
      const name = `${fix.model} ${fix.version}`;
      if (known.has(name)) continue;
      known.add(name);
      versions.append(h("option", { value: name }, `${fix.model} v${fix.version}`));
    }
  }

  function tellNote(text: string): void {
    note.hidden = text === "";
    note.textContent = text;
  }

  function connect(): void {
    feed?.close();
    if (!context.settings.remember) {
      tellNote("FIXGATE_REMEMBER is off: this gateway keeps no fix, so there is no feed. “Try it” still works.");
      tellFeed({ kind: "refused", status: 404, reason: "no feed" });
      return;
    }
    if (!context.may("read")) {
      tellNote("This gateway asks for an API key with the scope read.");
      tellFeed({ kind: "refused", status: 401, reason: "key needed" });
      return;
    }
    tellNote("");
    feed = new Feed(state.level, MOST, {
      fixes: arrived,
      state: (told) => {
        tellFeed(told);
        if (told.kind === "refused") tellNote(told.reason);
        if (told.kind === "live") {
          tellNote(told.shared ? "" : "Redis is away: only fixes of this one gateway process are shown.");
        }
      },
    });
  }

  async function showReceivers(): Promise<void> {
    if (!view || !context.may("read")) return;
    try {
      const told = await get<{ models: ModelDocument[] }>("/models");
      const seen = new Map<string, Receiver>();
      for (const model of told.models) for (const one of receivers(model)) seen.set(one.id, one);
      view.setReceivers([...seen.values()]);
      if (!fitted && seen.size > 1) {
        view.zoomTo([], [...seen.values()].map((one) => [one.latitude, one.longitude]));
      }
    } catch (error) {
      console.info("receivers:", why(error));
    }
  }

  setInterval(() => isShown && !document.hidden && refresh(), 5000);
  connect();

  return {
    node,
    shown: () => {
      isShown = true;
      if (!view) begin();
      refresh();
    },
    hidden: () => (isShown = false),
    changed: (what) => {
      if (what === "access") {
        connect();
        void showReceivers();
      }
      if (what === "theme") view?.recolour();
      if (what === "reachable") feed?.retry();
    },
  };
}

export function dot(version: string): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "dot");
  svg.setAttribute("viewBox", "0 0 10 10");
  svg.setAttribute("aria-hidden", "true");
  const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  circle.setAttribute("cx", "5");
  circle.setAttribute("cy", "5");
  circle.setAttribute("r", "4.5");
  circle.setAttribute("fill", `hsl(${hue(version)} 85% 55%)`);
  svg.append(circle);
  return svg;
}
