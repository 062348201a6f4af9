/** The world's outline from Natural Earth, as TopoJSON, drawn on a canvas. */

import * as L from "leaflet";
import fine from "world-atlas/countries-10m.json?url";
import coarse from "world-atlas/countries-50m.json?url";
import { CanvasLayer, type Frame } from "./canvas_layer";
import { NORTH, REACH_DEG } from "./polar";

interface Topology {
  transform: { scale: [number, number]; translate: [number, number] };
  arcs: [number, number][][];
  objects: { countries: { geometries: Geometry[] } };
}

type Geometry =
  | { type: "Polygon"; arcs: number[][]; properties: { name: string } }
  | { type: "MultiPolygon"; arcs: number[][][]; properties: { name: string } }
  | { type: null };

/** Points x, y, x, y… at zoom 0, and the box around them. */
interface Path {
  points: Float64Array;
  box: [number, number, number, number];
}

interface Label {
  name: string;
  x: number;
  y: number;
  width: number;
}

interface World {
  rings: Path[];
  coasts: Path[];
  borders: Path[];
  labels: Label[];
}

const FINE_FROM_ZOOM = 6;
const loaded = new Map<string, Promise<Topology>>();
const worlds = new Map<string, World>();

function load(url: string): Promise<Topology> {
  let one = loaded.get(url);
  if (!one) {
    one = fetch(url).then((response) => {
      if (!response.ok) throw new Error(`the map's outline: ${response.status}`);
      return response.json() as Promise<Topology>;
    });
    one.catch(() => loaded.delete(url));
    loaded.set(url, one);
  }
  return one;
}

/** The outline of land and countries, finer when near, with the countries' names. */
export class Basemap extends CanvasLayer {
  private coarse: World | null = null;
  private fine: World | null = null;
  private wanted = false;

  override onAdd(map: L.Map): this {
    super.onAdd(map);
    void this.fetch(map, coarse, (world) => (this.coarse = world));
    return this;
  }

  private async fetch(map: L.Map, url: string, keep: (world: World) => void): Promise<void> {
    try {
      const topology = await load(url);
      const name = `${url} ${map.options.crs?.code}`;
      const world = worlds.get(name) ?? projected(map, topology);
      worlds.set(name, world);
      keep(world);
      this.draw();
    } catch {
      this.wanted = false;
      setTimeout(() => this.onMap() && void this.fetch(map, url, keep), 3000);
    }
  }

  protected override paint(ctx: CanvasRenderingContext2D, frame: Frame): void {
    const near = frame.zoom >= FINE_FROM_ZOOM;
    if (near && !this.wanted) {
      this.wanted = true;
      void this.fetch(frame.map, fine, (world) => (this.fine = world));
    }
    const world = near ? (this.fine ?? this.coarse) : this.coarse;
    const colours = palette();
    ctx.fillStyle = colours.sea;
    ctx.fillRect(0, 0, frame.width, frame.height);
    graticule(ctx, frame, colours.grid);
    if (!world) return;
    const { copies } = frame;
    // What lies across the antimeridian reaches from one copy of the world into the next.
    const shifts = copies.length === 1 && copies[0] === 0 && isPolar(frame.map) ? [0] : [copies[0]! - 256, ...copies, copies.at(-1)! + 256];
    for (const shift of shifts) {
      paths(ctx, frame, shift, world.rings, true);
      ctx.fillStyle = colours.land;
      ctx.fill();
      ctx.lineJoin = "round";
      paths(ctx, frame, shift, world.borders, false);
      ctx.lineWidth = 0.8;
      ctx.strokeStyle = colours.border;
      ctx.stroke();
      paths(ctx, frame, shift, world.coasts, false);
      ctx.lineWidth = 1;
      ctx.strokeStyle = colours.coast;
      ctx.stroke();
      labels(ctx, frame, shift, world.labels, colours);
    }
  }
}

function palette(): Record<"sea" | "land" | "border" | "coast" | "grid" | "label" | "halo", string> {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--map-${name}`).trim();
  return {
    sea: of("sea"),
    land: of("land"),
    border: of("border"),
    coast: of("coast"),
    grid: of("grid"),
    label: of("label"),
    halo: of("land"),
  };
}

function isPolar(map: L.Map): boolean {
  return map.options.crs !== L.CRS.EPSG3857;
}

/** What `map.project(…, 0)` does, without an object for each of half a million points. */
function projector(map: L.Map): (latitude: number, longitude: number) => [number, number] {
  if (isPolar(map)) {
    const pole = map.options.crs === NORTH ? 1 : -1;
    const rad = Math.PI / 180;
    return (latitude, longitude) => {
      const r = Math.min(90 - pole * latitude, 180);
      const x = r * Math.sin(longitude * rad);
      const y = pole * r * Math.cos(longitude * rad);
      return [(x / 360 + 0.5) * 256, (y / 360 + 0.5) * 256];
    };
  }
  const limit = 85.0511287798; // where the square map ends
  return (latitude, longitude) => {
    const sin = Math.sin((Math.max(Math.min(latitude, limit), -limit) * Math.PI) / 180);
    const y = Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI);
    return [((longitude + 180) / 360) * 256, (0.5 - y) * 256];
  };
}

function projected(map: L.Map, topology: Topology): World {
  const [kx, ky] = topology.transform.scale;
  const [tx, ty] = topology.transform.translate;
  const onto = projector(map);
  const arcs = topology.arcs.map((arc) => {
    let x = 0;
    let y = 0;
    const points = new Float64Array(arc.length * 2);
    const seam = new Uint8Array(arc.length);
    arc.forEach(([dx, dy], i) => {
      x += dx;
      y += dy;
      const lon = x * kx + tx;
      [points[2 * i], points[2 * i + 1]] = onto(y * ky + ty, lon);
      seam[i] = Math.abs(lon) > 179.999 ? 1 : 0;
    });
    return { points, seam };
  });
  const used = new Uint8Array(arcs.length);
  const rings: Path[] = [];
  const labels: Label[] = [];
  for (const one of topology.objects.countries.geometries) {
    if (one.type === null) continue;
    const polygons = one.type === "Polygon" ? [one.arcs] : one.arcs;
    let largest: { ring: Path; size: number } | null = null;
    for (const polygon of polygons) {
      polygon.forEach((ring, hole) => {
        for (const arc of ring) used[arc < 0 ? ~arc : arc]! += 1;
        const path = boxed(isPolar(map) ? joined(ring, arcs) : unrolled(joined(ring, arcs)));
        if (isPolar(map) && beyondReach(path)) return;
        rings.push(path);
        const size = (path.box[2] - path.box[0]) * (path.box[3] - path.box[1]);
        if (hole === 0 && (!largest || size > largest.size)) largest = { ring: path, size };
      });
    }
    if (largest) labels.push(label(one.properties.name, (largest as { ring: Path }).ring));
  }
  const lines = (count: (n: number) => boolean) =>
    arcs
      .flatMap((arc, i) => (count(used[i]!) ? pieces(arc, !isPolar(map)).map(boxed) : []))
      .filter((path) => !isPolar(map) || !beyondReach(path));
  return { rings, coasts: lines((n) => n === 1), borders: lines((n) => n > 1), labels };
}

function joined(ring: number[], arcs: { points: Float64Array }[]): Float64Array {
  const parts: number[] = [];
  for (const index of ring) {
    const { points } = arcs[index < 0 ? ~index : index]!;
    const n = points.length / 2;
    for (let i = parts.length ? 1 : 0; i < n; i++) {
      const at = index < 0 ? n - 1 - i : i;
      parts.push(points[2 * at]!, points[2 * at + 1]!);
    }
  }
  return Float64Array.from(parts);
}

/** A ring without jumps across the antimeridian; one that goes once around is closed along the map's edge. */
function unrolled(points: Float64Array): Float64Array {
  let turns = 0;
  const steady = points.slice();
  for (let i = 2; i < points.length; i += 2) {
    const step = points[i]! - points[i - 2]!;
    if (step > 128) turns -= 256;
    if (step < -128) turns += 256;
    steady[i] = points[i]! + turns;
  }
  if (turns === 0) return steady;
  const edge = points[1]! > 128 ? 256 : 0;
  return Float64Array.from([...steady, steady.at(-2)!, edge, steady[0]!, edge]);
}

/** Around a pole: what lies far on the other side, stretched beyond recognition. */
function beyondReach({ box }: Path): boolean {
  const far = (REACH_DEG / 360) * 256;
  return Math.max(128 - box[0], 128 - box[1], box[2] - 128, box[3] - 128) > far;
}

/** A coast without its stretches along the antimeridian, which are no coast, and in two where it jumps across. */
function pieces(arc: { points: Float64Array; seam: Uint8Array }, jumps: boolean): Float64Array[] {
  const found: Float64Array[] = [];
  let from = 0;
  const n = arc.seam.length;
  for (let i = 1; i <= n; i++) {
    const jump = jumps && i < n && Math.abs(arc.points[2 * i]! - arc.points[2 * i - 2]!) > 128;
    if (i === n || jump || (arc.seam[i] && arc.seam[i - 1])) {
      if (i - from > 1) found.push(arc.points.subarray(2 * from, 2 * i));
      from = i;
    }
  }
  return found;
}

function boxed(points: Float64Array): Path {
  const box: Path["box"] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    box[0] = Math.min(box[0], points[i]!);
    box[1] = Math.min(box[1], points[i + 1]!);
    box[2] = Math.max(box[2], points[i]!);
    box[3] = Math.max(box[3], points[i + 1]!);
  }
  return { points, box };
}

/** At the centroid of the largest part. */
function label(name: string, { points, box }: Path): Label {
  let area = 0;
  let x = 0;
  let y = 0;
  for (let i = 0; i + 3 < points.length; i += 2) {
    const cross = points[i]! * points[i + 3]! - points[i + 2]! * points[i + 1]!;
    area += cross;
    x += (points[i]! + points[i + 2]!) * cross;
    y += (points[i + 1]! + points[i + 3]!) * cross;
  }
  return { name, x: x / (3 * area), y: y / (3 * area), width: box[2] - box[0] };
}

/** Trace the paths that are in sight; points nearer than half a pixel to the one before are left out. */
function paths(
  ctx: CanvasRenderingContext2D,
  frame: Frame,
  shift: number,
  all: Path[],
  closed: boolean,
): void {
  const { scale, left, top, width, height } = frame;
  ctx.beginPath();
  for (const { points, box } of all) {
    const x0 = (box[0] + shift) * scale - left;
    const x1 = (box[2] + shift) * scale - left;
    const y0 = box[1] * scale - top;
    const y1 = box[3] * scale - top;
    if (x1 < 0 || y1 < 0 || x0 > width || y0 > height) continue;
    if (closed && x1 - x0 < 0.4 && y1 - y0 < 0.4) continue;
    let px = NaN;
    let py = NaN;
    const last = points.length - 2;
    for (let i = 0; i <= last; i += 2) {
      const x = (points[i]! + shift) * scale - left;
      const y = points[i + 1]! * scale - top;
      if (i === 0) ctx.moveTo(x, y);
      else if (i === last || Math.abs(x - px) > 0.5 || Math.abs(y - py) > 0.5) ctx.lineTo(x, y);
      else continue;
      px = x;
      py = y;
    }
    if (closed) ctx.closePath();
  }
}

function graticule(ctx: CanvasRenderingContext2D, frame: Frame, colour: string): void {
  if (isPolar(frame.map)) return polarGraticule(ctx, frame, colour);
  const step = frame.zoom < 3 ? 30 : frame.zoom < 5 ? 10 : frame.zoom < 7 ? 5 : frame.zoom < 9 ? 1 : 0.5;
  const bounds = frame.map.getBounds().pad(0.6);
  ctx.beginPath();
  for (let lon = Math.floor(bounds.getWest() / step) * step; lon <= bounds.getEast(); lon += step) {
    const x = frame.map.project([0, lon], 0).x * frame.scale - frame.left;
    ctx.moveTo(x, 0);
    ctx.lineTo(x, frame.height);
  }
  const south = Math.max(bounds.getSouth(), -90);
  for (let lat = Math.ceil(south / step) * step; lat <= Math.min(bounds.getNorth(), 90); lat += step) {
    const y = frame.map.project([lat, 0], 0).y * frame.scale - frame.top;
    ctx.moveTo(0, y);
    ctx.lineTo(frame.width, y);
  }
  ctx.lineWidth = 0.6;
  ctx.strokeStyle = colour;
  ctx.stroke();
}

function polarGraticule(ctx: CanvasRenderingContext2D, { scale, left, top }: Frame, colour: string): void {
  const centre = [128 * scale - left, 128 * scale - top] as const;
  ctx.beginPath();
  for (const degrees of [1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90]) {
    const radius = (degrees / 360) * 256 * scale;
    ctx.moveTo(centre[0] + radius, centre[1]);
    ctx.arc(...centre, radius, 0, 2 * Math.PI);
  }
  const reach = (90 / 360) * 256 * scale;
  for (let angle = 0; angle < 360; angle += 30) {
    const turn = (angle * Math.PI) / 180;
    ctx.moveTo(...centre);
    ctx.lineTo(centre[0] + reach * Math.sin(turn), centre[1] + reach * Math.cos(turn));
  }
  ctx.lineWidth = 0.8;
  ctx.strokeStyle = colour;
  ctx.stroke();
}

function labels(
  ctx: CanvasRenderingContext2D,
  frame: Frame,
  shift: number,
  all: Label[],
  colours: { label: string; halo: string },
): void {
  ctx.font = "500 12px system-ui, sans-serif";
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineWidth = 3;
  ctx.strokeStyle = colours.halo;
  ctx.fillStyle = colours.label;
  for (const one of all) {
    const x = (one.x + shift) * frame.scale - frame.left;
    const y = one.y * frame.scale - frame.top;
    if (x < 0 || y < 0 || x > frame.width || y > frame.height) continue;
    const text = frame.zoom >= 4 ? one.name.toUpperCase() : one.name;
    if (one.width * frame.scale < ctx.measureText(text).width * 1.25) continue;
    ctx.strokeText(text, x, y);
    ctx.fillText(text, x, y);
  }
}
