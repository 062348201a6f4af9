/** A map with fixes, receivers and a truth on it. */

import * as L from "leaflet";
import "leaflet/dist/leaflet.css";
import type { Settings } from "../api";
import type { Fix } from "../fix";
import { Basemap } from "./basemap";
import { FixLayer } from "./fix_layer";
import { NORTH, SOUTH } from "./polar";

export interface Receiver {
  id: string;
  latitude: number;
  longitude: number;
}

/** Web Mercator as everywhere, or seen from above a pole, which Mercator cannot show. */
export type Projection = "mercator" | "north" | "south";

const CRS: Record<Projection, L.CRS> = { mercator: L.CRS.EPSG3857, north: NORTH, south: SOUTH };
const MARGIN_PX = 56;

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
    const polar = this.projection !== "mercator";
    const widest = Math.floor(4 * Math.log2(Math.max(this.node.clientWidth, 256) / 256)) / 4;
    this.map = L.map(this.node, {
      crs: CRS[this.projection],
      zoomControl: false,
      attributionControl: false,
      preferCanvas: true,
      minZoom: polar ? 1 : Math.max(widest, 1),
      maxZoom: 17,
      zoomSnap: 0.25,
      wheelPxPerZoomLevel: 110,
      worldCopyJump: !polar,
      keyboard: true,
      ...(polar ? {} : { maxBounds: [[-85.06, -100_000], [85.06, 100_000]], maxBoundsViscosity: 1 }),
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
    if (tiles && !polar) {
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
    this.map.remove();
    this.projection = projection;
    const pole = { mercator: 20, north: 90, south: -90 }[projection];
    this.make([pole, 0], projection === "mercator" ? 2 : 2.5);
  }

  /** Move only when it is out of sight. */
  bringIntoSight(fix: Fix): void {
    const at = this.map.latLngToContainerPoint([fix.latitude, fix.longitude]);
    const size = this.map.getSize();
    if (at.x < 0 || at.y < 0 || at.x > size.x || at.y > size.y) this.zoomTo([fix]);
  }

  /** Show all of these fixes, and other places. */
  zoomTo(fixes: readonly Fix[], also: [number, number][] = []): void {
    const box = L.bounds([]);
    const first = fixes[0]?.longitude ?? also[0]?.[1] ?? 0;
    const extend = (latitude: number, longitude: number) => {
      const turns = this.projection === "mercator" ? 360 * Math.round((first - longitude) / 360) : 0;
      box.extend(this.map.project([latitude, longitude + turns], 0));
    };
    for (const fix of fixes) {
      extend(fix.latitude, fix.longitude);
      for (const ring of fix.outline ?? []) {
        for (let i = 0; i < ring.length; i += 2) extend(ring[i + 1]!, ring[i]!);
      }
    }
    for (const place of also) extend(...place);
    if (!box.isValid()) return;
    const size = this.map.getSize().subtract([2 * MARGIN_PX, 2 * MARGIN_PX]);
    const extent = box.getSize();
    const zoom = Math.log2(Math.min(Math.max(size.x, 50) / extent.x, Math.max(size.y, 50) / extent.y));
    const snapped = Math.min(Math.max(Math.floor(4 * zoom) / 4, this.map.getMinZoom()), 15);
    this.map.setView(this.map.unproject(box.getCenter(), 0), snapped, { animate: false });
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
