/** Fixes with their ellipses, on one canvas: thousands of them stay smooth. */

import * as L from "leaflet";
import { type Fix, hue } from "../fix";
import { CanvasLayer, type Frame } from "./canvas_layer";

interface Drawn {
  fix: Fix;
  x: number;
  y: number;
  rings: Float64Array[];
  /** By ring: 1 where the edge that ends at this point lies on the map's seam, not on the ellipse. */
  seams: Uint8Array[];
  box: [number, number, number, number];
}

/** Only the newest are filled: filling costs, and many on one another hide the map. */
const FILLED = 24;
/** More than this, and lines get thinner in ink, so that the map stays readable. */
const CROWD = 60;
const HIT_PX = 9;

export class FixLayer extends CanvasLayer {
  private drawn: Drawn[] = [];
  private hovered = "";
  private selected = "";
  /** Seconds after which a fix has faded as far as it will; 0 = never. */
  fadeAfter = 600;

  constructor() {
    super("fixes");
  }

  /** Show these, oldest first. */
  show(fixes: readonly Fix[]): void {
    const known = new Map(this.drawn.map((one) => [one.fix, one]));
    // One recording asked about again gives the same fix: the newest stands for all of them.
    const newest = new Map(fixes.map((fix) => [`${fix.version} ${fix.latitude} ${fix.longitude} ${fix.cov}`, fix]));
    this.drawn = fixes
      .filter((fix) => newest.get(`${fix.version} ${fix.latitude} ${fix.longitude} ${fix.cov}`) === fix)
      .map((fix) => known.get(fix) ?? this.prepare(fix));
    this.draw();
  }

  mark(selected: string, hovered: string): void {
    if (selected === this.selected && hovered === this.hovered) return;
    this.selected = selected;
    this.hovered = hovered;
    this.draw();
  }

  /** The fix at a point of the map's container: the nearest position, else the smallest ellipse around it. */
  at(point: L.Point): Fix | null {
    const frame = this.current;
    if (!frame) return null;
    const place = frame.map.project(frame.map.containerPointToLatLng(point).wrap(), 0);
    let best: { fix: Fix; size: number } | null = null;
    let nearest = (HIT_PX / frame.scale) ** 2;
    let found: Fix | null = null;
    for (let i = this.drawn.length - 1; i >= 0; i--) {
      const one = this.drawn[i]!;
      const distance = (one.x - place.x) ** 2 + (one.y - place.y) ** 2;
      if (distance < nearest) {
        nearest = distance;
        found = one.fix;
      }
      const [x0, y0, x1, y1] = one.box;
      if (place.x < x0 || place.x > x1 || place.y < y0 || place.y > y1) continue;
      const size = one.fix.ellipse.area_m2;
      if ((!best || size < best.size) && one.rings.some((ring) => inside(ring, place))) {
        best = { fix: one.fix, size };
      }
    }
    return found ?? best?.fix ?? null;
  }

  private prepare(fix: Fix): Drawn {
    const at = this._map.project([fix.latitude, fix.longitude], 0);
    const box: Drawn["box"] = [Infinity, Infinity, -Infinity, -Infinity];
    const seams: Uint8Array[] = [];
    const rings = (fix.outline ?? []).map((flat) => {
      const ring = new Float64Array(flat.length);
      const seam = new Uint8Array(flat.length / 2);
      for (let i = 0; i < flat.length; i += 2) {
        const point = this._map.project([flat[i + 1]!, flat[i]!], 0);
        ring[i] = point.x;
        ring[i + 1] = point.y;
        box[0] = Math.min(box[0], point.x);
        box[1] = Math.min(box[1], point.y);
        box[2] = Math.max(box[2], point.x);
        box[3] = Math.max(box[3], point.y);
        if (i > 0) seam[i / 2] = onSeam(flat, i) ? 1 : 0;
      }
      seams.push(seam);
      return ring;
    });
    return { fix, x: at.x, y: at.y, rings, seams, box };
  }

  protected override paint(ctx: CanvasRenderingContext2D, frame: Frame): void {
    const now = Date.now() / 1000;
    const dark = document.documentElement.dataset["theme"] !== "light";
    const light = dark ? 62 : 40;
    const ink = Math.max(0.3, Math.min(1, Math.sqrt(CROWD / Math.max(1, this.drawn.length))));
    const behind = this.selected ? 0.45 : 1;
    ctx.lineJoin = "round";
    for (const shift of frame.copies) {
      this.drawn.forEach((one, i) => {
        if (one.fix.id === this.selected || one.fix.id === this.hovered) return;
        const alpha = this.alpha(now - one.fix.at) * behind;
        const filled = i >= this.drawn.length - FILLED;
        this.one(ctx, frame, shift, one, `hsl(${hue(one.fix.version)} 90% ${light}%)`, alpha, filled, 1.1, ink);
      });
      for (const id of [this.hovered, this.selected]) {
        const one = id ? this.drawn.find((candidate) => candidate.fix.id === id) : undefined;
        if (one) {
          const colour = `hsl(${hue(one.fix.version)} 95% ${dark ? 72 : 34}%)`;
          this.one(ctx, frame, shift, one, colour, 1, true, 2.4, 1);
        }
      }
    }
    ctx.globalAlpha = 1;
  }

  private alpha(age: number): number {
    return this.fadeAfter ? Math.max(0.14, 1 - (0.86 * Math.max(0, age)) / this.fadeAfter) : 1;
  }

  private one(
    ctx: CanvasRenderingContext2D,
    frame: Frame,
    shift: number,
    one: Drawn,
    colour: string,
    alpha: number,
    filled: boolean,
    line: number,
    ink: number,
  ): void {
    const { scale, left, top, width, height } = frame;
    const [x0, y0, x1, y1] = one.box;
    const wide = (x1 - x0) * scale;
    const seen =
      (x1 + shift) * scale - left > 0 &&
      (x0 + shift) * scale - left < width &&
      y1 * scale - top > 0 &&
      y0 * scale - top < height;
    if (seen && wide > 3) {
      const step = wide < 24 ? 8 : wide < 120 ? 4 : 2; // a small ellipse needs few of its points
      if (filled) {
        ctx.beginPath();
        for (const ring of one.rings) trace(ctx, ring, null, frame, shift, step);
        ctx.globalAlpha = alpha * (line > 2 ? 0.22 : 0.09);
        ctx.fillStyle = colour;
        ctx.fill();
      }
      ctx.beginPath();
      one.rings.forEach((ring, i) => trace(ctx, ring, one.seams[i]!, frame, shift, step));
      ctx.globalAlpha = alpha * 0.85 * ink;
      ctx.lineWidth = line;
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
    const x = (one.x + shift) * scale - left;
    const y = one.y * scale - top;
    if (x < -8 || y < -8 || x > width + 8 || y > height + 8) return;
    ctx.globalAlpha = alpha;
    ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.arc(x, y, line > 2 ? 5 : frame.zoom < 4 ? 1.8 : 2.6, 0, 2 * Math.PI);
    ctx.fill();
    if (line > 2) {
      ctx.lineWidth = 1.5;
      ctx.strokeStyle = "#fff";
      ctx.stroke();
    }
  }
}

/** Whether the edge to point i runs along the antimeridian or a pole: where an outline was cut. */
function onSeam(flat: number[], i: number): boolean {
  const cut = Math.abs(flat[i]!) === 180 && flat[i - 2] === flat[i];
  const pole = Math.abs(flat[i + 1]!) > 89.9999 && Math.abs(flat[i - 1]!) > 89.9999;
  return cut || pole;
}

function trace(
  ctx: CanvasRenderingContext2D,
  ring: Float64Array,
  seam: Uint8Array | null,
  { scale, left, top }: Frame,
  shift: number,
  step: number,
): void {
  const last = ring.length - 2;
  const simple = !seam?.includes(1);
  for (let i = 0; ; i = Math.min(i + (simple ? step : 2), last)) {
    const x = (ring[i]! + shift) * scale - left;
    const y = ring[i + 1]! * scale - top;
    if (i === 0 || seam?.[i / 2]) ctx.moveTo(x, y);
    else ctx.lineTo(x, y);
    if (i === last) return;
  }
}

function inside(ring: Float64Array, { x, y }: L.Point): boolean {
  let odd = false;
  for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
    const yi = ring[i + 1]!;
    const yj = ring[j + 1]!;
    if (yi > y !== yj > y && x < ((ring[j]! - ring[i]!) * (y - yi)) / (yj - yi) + ring[i]!) odd = !odd;
  }
  return odd;
}
