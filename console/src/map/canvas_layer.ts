/** A canvas over the map, larger than it by a third, so that dragging shows no edge and needs no drawing. */

import * as L from "leaflet";

/** How zoom-0 points come onto the canvas: `(x + copy) * scale - left`. Sizes are CSS pixels. */
export interface Frame {
  map: L.Map;
  zoom: number;
  scale: number;
  left: number;
  top: number;
  width: number;
  height: number;
  copies: number[];
}

const PADDING = 0.33;

export abstract class CanvasLayer extends L.Layer {
  private readonly canvas = document.createElement("canvas");
  private frame: Frame | null = null;
  private drawnAt: { center: L.LatLng; zoom: number } | null = null;
  private asked = 0;

  constructor(private readonly paneName: string) {
    super({ pane: paneName });
  }

  override onAdd(map: L.Map): this {
    this.canvas.className = "leaflet-zoom-animated";
    this.canvas.setAttribute("aria-hidden", "true");
    map.getPane(this.paneName)?.append(this.canvas);
    this.reset();
    return this;
  }

  override onRemove(): this {
    cancelAnimationFrame(this.asked);
    this.canvas.remove();
    this.frame = null;
    return this;
  }

  override getEvents(): Record<string, L.LeafletEventHandlerFn> {
    return {
      moveend: () => this.reset(),
      viewreset: () => this.reset(),
      resize: () => this.reset(),
      zoom: () => this.follow(this._map.getCenter(), this._map.getZoom()),
      zoomanim: (event) => {
        const { center, zoom } = event as L.ZoomAnimEvent;
        this.follow(center, zoom);
      },
    };
  }

  /** Draw again in the next frame. */
  draw(): void {
    if (this.asked || !this.onMap()) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.render();
    });
  }

  protected onMap(): boolean {
    return this.frame !== null;
  }

  /** The frame of the last drawing. */
  protected get current(): Frame | null {
    return this.frame;
  }

  protected abstract paint(ctx: CanvasRenderingContext2D, frame: Frame): void;

  private reset(): void {
    const map = this._map;
    const size = map.getSize();
    const corner = map.containerPointToLayerPoint(size.multiplyBy(-PADDING)).round();
    const width = Math.round(size.x * (1 + 2 * PADDING));
    const height = Math.round(size.y * (1 + 2 * PADDING));
    const zoom = map.getZoom();
    const scale = 2 ** zoom;
    const origin = map.getPixelOrigin();
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    if (this.canvas.width !== width * ratio || this.canvas.height !== height * ratio) {
      this.canvas.width = width * ratio;
      this.canvas.height = height * ratio;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    L.DomUtil.setTransform(this.canvas, corner, 1);
    const left = origin.x + corner.x;
    const world = map.project([0, 180], 0).x - map.project([0, -180], 0).x;
    const copies = [];
    if (world > 1) {
      const first = Math.floor(left / scale / world);
      const last = Math.floor((left + width) / scale / world);
      for (let i = first; i <= last; i++) copies.push(i * world);
    } else copies.push(0); // around a pole there is one world
    this.frame = { map, zoom, scale, left, top: origin.y + corner.y, width, height, copies };
    this.drawnAt = { center: map.getCenter(), zoom };
    this.render();
  }

  private render(): void {
    const ctx = this.canvas.getContext("2d");
    if (!ctx || !this.frame) return;
    const ratio = this.canvas.width / this.frame.width;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, this.frame.width, this.frame.height);
    this.paint(ctx, this.frame);
  }

  /** While zooming: stretch what is drawn to where it will be. */
  private follow(center: L.LatLng, zoom: number): void {
    if (!this.drawnAt) return;
    const map = this._map as L.Map & { _getNewPixelOrigin: (center: L.LatLng, zoom: number) => L.Point };
    const scale = map.getZoomScale(zoom, this.drawnAt.zoom);
    const half = map.getSize().multiplyBy((0.5 + PADDING) * scale);
    const drawn = map.project(this.drawnAt.center, zoom);
    L.DomUtil.setTransform(this.canvas, drawn.subtract(half).subtract(map._getNewPixelOrigin(center, zoom)), scale);
  }
}
