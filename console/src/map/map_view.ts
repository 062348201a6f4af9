/** A map with fixes, receivers and a truth on it. */

import * as L from "leaflet";
import "leaflet/dist/leaflet.css";
import type { Settings } from "../api";
import type { Fix } from "../fix";
import { Basemap } from "./basemap";
import { FixLayer } from "./fix_layer";

export interface Receiver {
  id: string;
  latitude: number;
  longitude: number;
}

/** Web Mercator as everywhere, or plate carrée, which reaches the poles. */
export type Projection = "mercator" | "plate";

interface Options {
  tiles: Settings["tiles"];
  label: string;
  select: (fix: Fix | null) => void;
}

export class MapView {
  private map!: L.Map;
  private fixLayer!: FixLayer;
  private base!: Basemap;
  private readonly tip = document.createElement("div");
  private extras = L.layerGroup();
  private shown: readonly Fix[] = [];
  private selected = "";
  private hovered = "";
  private projection: Projection = "mercator";
  private receivers: Receiver[] = [];

  constructor(
    private readonly node: HTMLElement,
    private readonly options: Options,
  ) {
    this.tip.className = "map-tip";
    this.tip.hidden = true;
    this.make([30, 8], 2);
    new ResizeObserver(() => this.map.invalidateSize({ animate: false })).observe(node);
  }

  private make(center: L.LatLngExpression, zoom: number): void {
    const plate = this.projection === "plate";
    this.map = L.map(this.node, {
      crs: plate ? L.CRS.EPSG4326 : L.CRS.EPSG3857,
      zoomControl: false,
      attributionControl: false,
      preferCanvas: true,
      minZoom: plate ? 0 : 1,
      maxZoom: 17,
      zoomSnap: 0.25,
      wheelPxPerZoomLevel: 110,
      worldCopyJump: true,
      keyboard: true,
      ...(plate ? {} : { maxBounds: [[-85.06, -100_000], [85.06, 100_000]], maxBoundsViscosity: 1 }),
    });
    const pane = this.map.createPane("base");
    pane.style.zIndex = "150";
    this.map.createPane("fixes").style.zIndex = "410";
    this.map.getPane("fixes")!.style.pointerEvents = "none";
    this.map.setView(center, zoom, { animate: false });
    this.node.setAttribute("role", "application");
    this.node.setAttribute("aria-label", this.options.label);
    L.control.zoom({ position: "bottomright" }).addTo(this.map);
    L.control.scale({ position: "bottomleft", imperial: false }).addTo(this.map);
    const credit = L.control.attribution({ position: "bottomleft", prefix: false }).addTo(this.map);
    this.base = new Basemap("base").addTo(this.map);
    const { tiles } = this.options;
    if (tiles && !plate) {
      L.tileLayer(tiles.url, { maxZoom: 19, attribution: "" }).addTo(this.map);
      const span = document.createElement("span");
      span.textContent = tiles.credit;
      credit.addAttribution(span.innerHTML);
    } else {
      credit.addAttribution("Outline: Natural Earth");
    }
    this.fixLayer = new FixLayer().addTo(this.map);
    this.extras = L.layerGroup().addTo(this.map);
    this.fixLayer.show(this.shown);
    this.fixLayer.mark(this.selected, "");
    this.setReceivers(this.receivers);
    this.node.append(this.tip);
    this.listen();
  }

  private listen(): void {
    this.map.on("mousemove", (event) => this.hover(event.containerPoint));
    this.map.on("mouseout", () => this.hover(null));
    this.map.on("click", (event) => this.options.select(this.fixLayer.at(event.containerPoint)));
  }

  private hover(point: L.Point | null): void {
    const fix = point ? this.fixLayer.at(point) : null;
    this.hovered = fix?.id ?? "";
    this.fixLayer.mark(this.selected, this.hovered);
    this.node.classList.toggle("hovering", fix !== null);
    this.tip.hidden = fix === null;
    if (!fix || !point) return;
    this.tip.textContent = this.describe(fix);
    const right = point.x > this.node.clientWidth / 2;
    this.tip.style.transform = `translate(${point.x + (right ? -14 : 14)}px, ${point.y + 14}px)`;
    this.tip.classList.toggle("left", right);
  }

  /** What the hover tip says; set by whoever owns the map. */
  describe: (fix: Fix) => string = (fix) => `${fix.model} v${fix.version}`;

  show(fixes: readonly Fix[], fadeAfter = 0): void {
    this.shown = fixes;
    this.fixLayer.fadeAfter = fadeAfter;
    this.fixLayer.show(fixes);
  }

  select(id: string): void {
    this.selected = id;
    this.fixLayer.mark(id, this.hovered);
  }

  /** Ages change even when nothing else does. */
  redraw(): void {
    this.fixLayer.draw();
  }

  recolour(): void {
    this.base.draw();
    this.fixLayer.draw();
  }

  setProjection(projection: Projection): void {
    if (projection === this.projection) return;
    const center = this.map.getCenter();
    const zoom = this.map.getZoom() + (projection === "plate" ? -1 : 1);
    this.map.remove();
    this.projection = projection;
    this.make(center, Math.max(zoom, 1));
  }

  /** Move only when it is out of sight. */
  bringIntoSight(fix: Fix): void {
    if (!this.map.getBounds().contains([fix.latitude, fix.longitude])) this.zoomTo([fix]);
  }

  zoomTo(fixes: readonly Fix[], also: [number, number][] = []): void {
    if (fixes.length === 0 && also.length === 0) return;
    const bounds = L.latLngBounds(also);
    const first = fixes[0];
    for (const fix of fixes) {
      const one = FixLayer.bounds(fix);
      const turns = first ? 360 * Math.round((first.longitude - fix.longitude) / 360) : 0;
      bounds.extend([one.getSouth(), one.getWest() + turns]);
      bounds.extend([one.getNorth(), one.getEast() + turns]);
    }
    const limit = this.projection === "mercator" ? 85 : 90;
    const clipped = L.latLngBounds(
      [Math.max(bounds.getSouth(), -limit), bounds.getWest()],
      [Math.min(bounds.getNorth(), limit), bounds.getEast()],
    );
    this.map.fitBounds(clipped, { padding: [56, 56], maxZoom: 15, animate: false });
  }

  /** Triangles with names where the receivers are. */
  setReceivers(receivers: Receiver[]): void {
    this.receivers = receivers;
    this.extras.clearLayers();
    for (const one of receivers) {
      const icon = L.divIcon({ className: "receiver", iconSize: [14, 14] });
      L.marker([one.latitude, one.longitude], { icon, interactive: false, keyboard: false })
        .bindTooltip(one.id, { permanent: true, direction: "right", className: "receiver-name" })
        .addTo(this.extras);
    }
  }

  /** Where the source really was, and the way to it from the fix. */
  setTruth(fix: Fix, latitude: number, longitude: number): void {
    this.setReceivers(this.receivers);
    const turns = 360 * Math.round((fix.longitude - longitude) / 360);
    const icon = L.divIcon({ className: "truth", iconSize: [16, 16] });
    L.polyline(
      [
        [fix.latitude, fix.longitude],
        [latitude, longitude + turns],
      ],
      { className: "truth-line", color: "#f472b6", weight: 2, dashArray: "5 5", interactive: false },
    ).addTo(this.extras);
    L.marker([latitude, longitude + turns], { icon, interactive: false, keyboard: false })
      .bindTooltip("truth", {
        permanent: true,
        direction: longitude + turns < fix.longitude ? "left" : "right",
        className: "truth-name",
      })
      .addTo(this.extras);
  }

  clearTruth(): void {
    this.setReceivers(this.receivers);
  }
}
