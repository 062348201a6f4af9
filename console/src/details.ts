/** Everything about one fix. */

import { stackedBar } from "./charts";
import { copy, h, s } from "./dom";
import { type Fix, toGeoJson, toKml } from "./fix";
import { metres, ms, percent, place, significant, squareMetres } from "./format";

export interface Actions {
  zoom?: () => void;
  close?: () => void;
}

export function details(fix: Fix, actions: Actions): HTMLElement {
  const sigmaEast = Math.sqrt(fix.var_east);
  const sigmaNorth = Math.sqrt(fix.var_north);
  const level = percent(fix.ellipse.confidence_level);
  return h(
    "section",
    { class: "details", "aria-label": "Selected fix" },
    h(
      "header",
      {},
      h("h2", {}, place(fix.latitude, fix.longitude)),
      actions.close && h("button", { class: "icon", "aria-label": "Close details", onclick: actions.close }, "✕"),
    ),
    h(
      "p",
      { class: "chips" },
      h("span", { class: "chip" }, `${fix.model} · version ${fix.version}`),
      h("span", { class: `chip cache-${fix.cache}` }, `cache ${fix.cache}`),
      h("span", { class: "chip" }, ms(fix.inference_time_ms)),
    ),
    h(
      "div",
      { class: "shape-row" },
      shape(fix),
      h(
        "dl",
        {},
        row("CEP50", metres(fix.cep50_m)),
        row("R95", metres(fix.r95_m)),
        row("Confidence", percent(fix.confidence, 1)),
        row(`Ellipse ${level}`, `${metres(fix.ellipse.semi_major_m)} × ${metres(fix.ellipse.semi_minor_m)}`),
        row("Major axis", `${fix.ellipse.orientation_deg.toFixed(1)}° true`),
        row("Area", squareMetres(fix.ellipse.area_m2)),
      ),
    ),
    fix.no_outline ? h("p", { class: "note" }, `No outline on the map: ${fix.no_outline}.`) : null,
    h("h3", {}, "Covariance, east and north"),
    h(
      "dl",
      {},
      row("σ east, σ north", `${metres(sigmaEast)}, ${metres(sigmaNorth)}`),
      row("ρ", significant(fix.cov / (sigmaEast * sigmaNorth))),
      row("Variances, cov, m²", [fix.var_east, fix.var_north, fix.cov].map((v) => v.toExponential(3)).join("  ")),
    ),
    h("h3", {}, "Where the time went"),
    stackedBar(Object.entries(fix.stages_ms), ms),
    h(
      "dl",
      {},
      row("Time", fix.timestamp.replace("T", " ")),
      row("Session", fix.session_id),
      fix.frequency_mhz !== undefined && row("Frequency", `${fix.frequency_mhz} MHz`),
      row("Id", h("code", {}, fix.id)),
    ),
    h(
      "div",
      { class: "buttons" },
      actions.zoom && h("button", { onclick: actions.zoom }, "Zoom to it"),
      h("button", { onclick: () => void copy(JSON.stringify(toGeoJson(fix)), "GeoJSON") }, "Copy GeoJSON"),
      h("button", { onclick: () => void copy(toKml(fix), "KML") }, "Copy KML"),
    ),
  );
}

function row(name: string, value: string | HTMLElement): HTMLElement {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

/** The ellipse on the tangent plane, north up: its true shape wherever on Earth it lies. */
function shape(fix: Fix): SVGElement {
  const size = 132;
  const { semi_major_m: a, semi_minor_m: b, orientation_deg } = fix.ellipse;
  const radius = Math.max(a, fix.r95_m) * 1.08;
  const k = size / 2 / radius;
  return s(
    "svg",
    {
      class: "shape",
      viewBox: `0 0 ${size} ${size}`,
      role: "img",
      "aria-label": `Ellipse ${metres(a)} by ${metres(b)}, major axis ${orientation_deg.toFixed(0)} degrees from north; circles: CEP50 and R95`,
    },
    s("line", { class: "axis", x1: size / 2, y1: 4, x2: size / 2, y2: size - 4 }),
    s("line", { class: "axis", x1: 4, y1: size / 2, x2: size - 4, y2: size / 2 }),
    s("circle", { class: "r95", cx: size / 2, cy: size / 2, r: fix.r95_m * k }),
    s("circle", { class: "cep", cx: size / 2, cy: size / 2, r: fix.cep50_m * k }),
    s("ellipse", {
      class: "own",
      cx: size / 2,
      cy: size / 2,
      rx: a * k,
      ry: Math.max(b * k, 0.6),
      transform: `rotate(${orientation_deg - 90} ${size / 2} ${size / 2})`,
    }),
    s("circle", { class: "centre", cx: size / 2, cy: size / 2, r: 2.4 }),
    s("text", { class: "north", x: size / 2 + 4, y: 11 }, "N"),
  );
}
