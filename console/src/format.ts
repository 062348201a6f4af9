/** Numbers and times as people read them. */

export function metres(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 100_000) return `${grouped(value / 1000)} km`;
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10_000 ? 1 : 2)} km`;
  if (value >= 10) return `${value.toFixed(0)} m`;
  return `${value.toFixed(2)} m`;
}

export function squareMetres(value: number): string {
  return value >= 1e5 ? `${significant(value / 1e6)} km²` : `${significant(value)} m²`;
}

export function ms(value: number | undefined): string {
  if (value === undefined) return "–";
  return value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(value >= 100 ? 0 : 1)} ms`;
}

export function percent(value: number | undefined | null, digits = 0): string {
  return value === undefined || value === null ? "–" : `${(100 * value).toFixed(digits)} %`;
}

export function grouped(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

export function significant(value: number): string {
  if (Math.abs(value) >= 1000) return grouped(value);
  return Number(value.toPrecision(3)).toString();
}

export function bytes(value: number): string {
  return value >= 1e6 ? `${(value / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(value / 1e3))} KB`;
}

/** Degrees with hemisphere, five decimals: a metre. */
export function place(latitude: number, longitude: number): string {
  const ns = latitude < 0 ? "S" : "N";
  const ew = longitude < 0 ? "W" : "E";
  return `${Math.abs(latitude).toFixed(5)}° ${ns}, ${Math.abs(longitude).toFixed(5)}° ${ew}`;
}

export function ago(seconds: number): string {
  if (seconds < 2) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

export function clock(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString().slice(11, 19);
}

/** As it is in the API, without the milliseconds. */
export function moment(text: string): string {
  return text.replace("T", " ").replace(/\.\d+Z$/, " UTC").replace(/Z$/, " UTC");
}
