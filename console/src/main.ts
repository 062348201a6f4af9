/** The page: its frame, its tabs, what it knows of the gateway and of its visitor. */

import { type Settings, gatewayIsReachable, get, hasKey, onReachable, setKey, why } from "./api";
import { askForKey } from "./confirm";
import { fill, h, s, toast } from "./dom";
import type { FeedState } from "./feed";
import { healthPanel } from "./panels/health";
import { mapPanel } from "./panels/map";
import type { Context, Panel } from "./panels/panel";
import { tryPanel } from "./panels/try";
import { versionsPanel } from "./panels/versions";

const TABS = [
  ["map", "Map"],
  ["try", "Try it"],
  ["versions", "Versions"],
  ["health", "Health"],
] as const;
type Tab = (typeof TABS)[number][0];

const app = document.getElementById("app")!;
const banner = h("div", { class: "banner", id: "banner", role: "alert", hidden: true });
const feedPill = h("span", { class: "pill", id: "feed-state", role: "status" }, "connecting");

function theme(): "light" | "dark" {
  const kept = localStorage.getItem("fixgate-theme");
  if (kept === "light" || kept === "dark") return kept;
  return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
}

async function settings(): Promise<Settings> {
  for (;;) {
    try {
      return await get<Settings>("/console/settings");
    } catch (error) {
      fill(app, h("main", { class: "starting" }, h("h1", {}, "fixgate console"), h("p", { role: "status" }, `${why(error)}; trying again …`)));
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
  }
}

async function start(): Promise<void> {
  document.documentElement.dataset["theme"] = theme();
  let current = await settings();
  const context: Context = {
    settings: current,
    may: (scope) => current.scopes.includes(scope),
    wantKey: () => void takeKey(),
  };
  const panels: Record<Tab, Panel> = {
    map: mapPanel(context, tellFeed),
    try: tryPanel(context),
    versions: versionsPanel(context),
    health: healthPanel(context),
  };
  let front: Tab = "map";

  const keyButton = h("button", { id: "key-button", class: "quiet", onclick: () => void takeKey() });
  const themeButton = h("button", { id: "theme-button", class: "icon", onclick: toggleTheme }, "◐");
  const tabs = TABS.map(([id, name]) =>
    h(
      "button",
      {
        id: `tab-${id}`,
        role: "tab",
        "aria-controls": `panel-${id}`,
        onclick: () => show(id),
        onkeydown: (event: KeyboardEvent) => byArrow(event, id),
      },
      name,
    ),
  );
  fill(
    app,
    h("a", { class: "skip", href: "#main" }, "Skip to content"),
    h(
      "header",
      { class: "top" },
      h("div", { class: "brand" }, logo(), h("h1", {}, "fixgate")),
      h("nav", { "aria-label": "Console" }, h("div", { role: "tablist", "aria-label": "Views", class: "tabs" }, tabs)),
      h("div", { class: "tools" }, feedPill, keyButton, themeButton),
    ),
    banner,
    h(
      "main",
      { id: "main", tabindex: "-1" },
      TABS.map(([id]) => {
        const panel = panels[id].node;
        panel.id = `panel-${id}`;
        panel.setAttribute("role", "tabpanel");
        panel.tabIndex = 0;
        panel.setAttribute("aria-labelledby", `tab-${id}`);
        panel.classList.add("panel");
        panel.hidden = true;
        return panel;
      }),
    ),
    h("div", { id: "toasts", class: "toasts", role: "status", "aria-live": "polite" }),
  );

  function show(id: Tab): void {
    for (const [other] of TABS) {
      const chosen = other === id;
      const tab = document.getElementById(`tab-${other}`)!;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      if (!chosen && other === front) panels[other].hidden?.();
      panels[other].node.hidden = !chosen;
    }
    front = id;
    if (location.hash !== `#${id}`) history.replaceState(null, "", `#${id}`);
    panels[id].shown?.();
  }

  function byArrow(event: KeyboardEvent, id: Tab): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const place = TABS.findIndex(([one]) => one === id) + step;
    const [next] = TABS[(place + TABS.length) % TABS.length]!;
    show(next);
    document.getElementById(`tab-${next}`)?.focus();
  }

  function toggleTheme(): void {
    const next = document.documentElement.dataset["theme"] === "dark" ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    localStorage.setItem("fixgate-theme", next);
    dress();
    changed("theme");
  }

  function dress(): void {
    const dark = document.documentElement.dataset["theme"] === "dark";
    themeButton.setAttribute("aria-label", `Use the ${dark ? "light" : "dark"} theme`);
    keyButton.hidden = !current.keys;
    const admin = current.scopes.includes("admin");
    keyButton.textContent = hasKey() ? (admin ? "admin key" : "key") : "Enter key";
    keyButton.classList.toggle("on", hasKey());
  }

  async function takeKey(): Promise<void> {
    const given = await askForKey("Reading needs a key with the scope read; changes need admin.");
    if (given === null) return;
    setKey(given);
    try {
      await learn();
      if (current.scopes.length === 0) {
        setKey("");
        toast("This key is not known here", "bad");
      } else {
        toast(`Key accepted: ${current.scopes.join(", ")}`);
      }
    } catch (error) {
      toast(why(error), "bad");
    }
  }

  async function learn(): Promise<void> {
    current = await get<Settings>("/console/settings");
    Object.assign(context.settings, current);
    dress();
    changed("access");
  }

  function changed(what: "access" | "theme" | "reachable"): void {
    for (const [id] of TABS) panels[id].changed?.(what);
  }

  onReachable(() => {
    const up = gatewayIsReachable();
    banner.hidden = up;
    banner.textContent = up ? "" : "The gateway does not answer. Trying again …";
    if (up) {
      toast("The gateway answers again");
      changed("reachable");
    } else void heal();
  });

  async function heal(): Promise<void> {
    while (!gatewayIsReachable()) {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await get("/console/settings").catch(() => undefined);
    }
  }

  dress();
  const wanted = TABS.find(([id]) => `#${id}` === location.hash);
  show(wanted ? wanted[0] : "map");
  if (current.keys && !current.scopes.includes("read")) void takeKey();
  addEventListener("hashchange", () => {
    const found = TABS.find(([id]) => `#${id}` === location.hash);
    if (found) show(found[0]);
  });
}

function tellFeed(state: FeedState): void {
  const looks: Record<FeedState["kind"], string> = { connecting: "wait", live: "up", waiting: "down", refused: "off" };
  feedPill.className = `pill ${looks[state.kind]}`;
  feedPill.textContent =
    state.kind === "live"
      ? state.shared
        ? "live"
        : "live, this process"
      : state.kind === "waiting"
        ? "reconnecting"
        : state.kind === "refused"
          ? "no feed"
          : "connecting";
  feedPill.title = state.kind === "waiting" || state.kind === "refused" ? state.reason : "Feed of fixes";
  if (state.kind === "waiting") void get("/console/settings").catch(() => undefined);
}

function logo(): SVGElement {
  return s(
    "svg",
    { viewBox: "0 0 32 32", class: "logo", "aria-hidden": "true" },
    s("ellipse", { cx: 16, cy: 16, rx: 12, ry: 6.5, transform: "rotate(-28 16 16)", class: "logo-ring" }),
    s("path", { d: "M16 2v6M16 24v6M2 16h6M24 16h6", class: "logo-cross" }),
    s("circle", { cx: 16, cy: 16, r: 2.8, class: "logo-dot" }),
  );
}

void start();
