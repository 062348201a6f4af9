/** A fix as the page knows it, whether it came by the feed or as an answer. */

export interface Ellipse {
  semi_major_m: number;
  semi_minor_m: number;
  orientation_deg: number;
  confidence_level: number;
  area_m2: number;
}

export interface Fix {
  id: string;
  at: number;
  timestamp: string;
  model: string;
  version: string;
  latitude: number;
  longitude: number;
  var_east: number;
  var_north: number;
  cov: number;
  cep50_m: number;
  r95_m: number;
  confidence: number;
  cache: string;
  inference_time_ms: number;
  session_id: string;
  stages_ms: Record<string, number>;
  frequency_mhz?: number;
  sample_id?: string;
  passed_over?: number;
  ellipse: Ellipse;
  outline?: number[][];
  no_outline?: string;
}

interface Prediction {
  id: string;
  position: { latitude: number; longitude: number };
  uncertainty: { sigma_x: number; sigma_y: number; rho: number };
  ellipse: Ellipse & { cep50_m: number; r95_m: number };
  confidence: number;
  model: string;
  model_version: string;
  inference_time_ms: number;
  timestamp: string;
  session_id: string;
  geojson?: GeoJSON.FeatureCollection;
}

/** The answer of /predict with `geojson=true` as a fix. */
export function fromPrediction(told: Prediction, response: Response): Fix {
  const { sigma_x, sigma_y, rho } = told.uncertainty;
  const drawn = told.geojson?.features[1];
  const fix: Fix = {
    id: told.id,
    at: Date.parse(told.timestamp) / 1000,
    timestamp: told.timestamp,
    model: told.model,
    version: told.model_version,
    latitude: told.position.latitude,
    longitude: told.position.longitude,
    var_east: sigma_x ** 2,
    var_north: sigma_y ** 2,
    cov: rho * sigma_x * sigma_y,
    cep50_m: told.ellipse.cep50_m,
    r95_m: told.ellipse.r95_m,
    confidence: told.confidence,
    cache: response.headers.get("X-Cache") ?? "miss",
    inference_time_ms: told.inference_time_ms,
    session_id: told.session_id,
    stages_ms: stages(response.headers.get("Server-Timing") ?? ""),
    ellipse: told.ellipse,
  };
  const outline = drawn?.geometry ? rings(drawn.geometry) : undefined;
  if (outline) fix.outline = outline;
  else fix.no_outline = String(drawn?.properties?.["reason"] ?? "no outline");
  return fix;
}

function stages(header: string): Record<string, number> {
  return Object.fromEntries(
    [...header.matchAll(/([\w-]+);dur=([\d.]+)/g)].map((one) => [one[1], Number(one[2])]),
  );
}

function rings(geometry: GeoJSON.Geometry): number[][] | undefined {
  if (geometry.type === "Polygon") return geometry.coordinates.map((ring) => ring.flat());
  if (geometry.type === "MultiPolygon") return geometry.coordinates.map((one) => one[0]!.flat());
  return undefined;
}

/** RFC 7946: a point and the outline. */
export function toGeoJson(fix: Fix): GeoJSON.FeatureCollection {
  const { outline, no_outline, ellipse, stages_ms, ...plain } = fix;
  void stages_ms;
  const polygons = (outline ?? []).map(pairs);
  const geometry =
    polygons.length === 0
      ? null
      : polygons.length === 1
        ? { type: "Polygon" as const, coordinates: polygons }
        : { type: "MultiPolygon" as const, coordinates: polygons.map((ring) => [ring]) };
  return {
    type: "FeatureCollection",
    features: [
      {
        type: "Feature",
        geometry: { type: "Point", coordinates: [fix.longitude, fix.latitude] },
        properties: { kind: "position", ...plain },
      },
      {
        type: "Feature",
        geometry: geometry as GeoJSON.Geometry,
        properties: { kind: "ellipse", id: fix.id, ...ellipse, ...(no_outline ? { reason: no_outline } : {}) },
      },
    ],
  };
}

function pairs(flat: number[]): number[][] {
  const ring: number[][] = [];
  for (let i = 0; i < flat.length; i += 2) ring.push([flat[i]!, flat[i + 1]!]);
  return ring;
}

/** KML 2.2: a placemark with the point and its outline. */
export function toKml(fix: Fix): string {
  const polygons = (fix.outline ?? []).map((flat) => {
    const coordinates = pairs(flat)
      .map(([x, y]) => `${x},${y}`)
      .join(" ");
    return (
      "<Polygon><tessellate>1</tessellate><outerBoundaryIs><LinearRing><coordinates>" +
      `${coordinates}</coordinates></LinearRing></outerBoundaryIs></Polygon>`
    );
  });
  const about = `${fix.model} version ${fix.version}; ${fix.ellipse.confidence_level * 100} % ellipse`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark>',
    `<name>${escaped(fix.id)}</name><description>${escaped(about)}</description>`,
    `<TimeStamp><when>${escaped(fix.timestamp)}</when></TimeStamp>`,
    "<MultiGeometry>",
    `<Point><coordinates>${fix.longitude},${fix.latitude}</coordinates></Point>`,
    ...polygons,
    "</MultiGeometry></Placemark></kml>",
  ].join("\n");
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** A colour of its own for each version; the same on every page. */
export function hue(version: string): number {
  const hues = [199, 38, 152, 280, 340, 96];
  const number = Number.parseInt(version, 10) || 0;
  return hues[(number + hues.length - 1) % hues.length]!;
}
