/** Recordings as people have them on disk: npy, raw samples, SigMF archives. Reads as much as a waterfall needs. */

export interface Recording {
  name: string;
  /** The body for POST …/predict and its media type. */
  body: Blob;
  mediaType: string;
  /** Query parameters that say what the bytes are. */
  query: Record<string, string>;
  /** By receiver: I and Q alternating, 1.0 = full scale; null when the form cannot be drawn. */
  iq: Float32Array[] | null;
  /** A model's input tensor, drawn as it is: receivers of rows. */
  features: { rows: number; columns: number; values: Float32Array }[] | null;
  sampleRateHz: number | null;
  about: string;
}

/** The file is not what its name says. */
export class Unreadable extends Error {}

export const RAW_TYPES = ["cf32_le", "ci16_le", "ci8", "cu8"] as const;
export type RawType = (typeof RAW_TYPES)[number];

/** What is in a file, by its name. Raw samples: `receivers` of them, one after the other. */
export async function read(file: File, receivers: number): Promise<Recording> {
  const buffer = await file.arrayBuffer();
  const ending = file.name.toLowerCase().split(".").pop() ?? "";
  if (startsWith(buffer, "\x93NUMPY")) return npy(file, buffer);
  if (ending === "sigmf" || ending === "tar") return sigmf(file, buffer);
  const type = rawType(ending);
  if (type) return raw(file, buffer, type, receivers);
  throw new Unreadable(
    `${file.name}: not an npy file, a SigMF archive, or raw samples (.cf32, .ci16, .ci8, .cu8)`,
  );
}

function rawType(ending: string): RawType | null {
  const names: Record<string, RawType> = {
    cf32: "cf32_le",
    fc32: "cf32_le",
    cfile: "cf32_le",
    raw: "cf32_le",
    ci16: "ci16_le",
    sc16: "ci16_le",
    ci8: "ci8",
    sc8: "ci8",
    cs8: "ci8",
    cu8: "cu8",
  };
  return names[ending] ?? null;
}

function startsWith(buffer: ArrayBuffer, text: string): boolean {
  const head = new Uint8Array(buffer, 0, Math.min(text.length, buffer.byteLength));
  return head.length === text.length && head.every((byte, i) => byte === text.charCodeAt(i));
}

function npy(file: File, buffer: ArrayBuffer): Recording {
  const view = new DataView(buffer);
  const wide = view.getUint8(6) >= 2;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (wide ? 12 : 10) + length;
  const header = new TextDecoder("latin1").decode(new Uint8Array(buffer, wide ? 12 : 10, length));
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? "";
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .filter((part) => part.trim())
    .map(Number);
  const fortran = /'fortran_order':\s*True/.test(header);
  const base: Recording = {
    name: file.name,
    body: file,
    mediaType: "application/x-npy",
    query: {},
    iq: null,
    features: null,
    sampleRateHz: null,
    about: `npy ${descr} (${shape.join(" × ")})`,
  };
  const plain = !fortran && (descr.startsWith("<") || descr.startsWith("|"));
  if (plain && ["<c8", "<c16"].includes(descr) && shape.length >= 1 && shape.length <= 2) {
    const receivers = shape.length === 2 ? shape[0]! : 1;
    const samples = shape[shape.length - 1]!;
    const values =
      descr === "<c8"
        ? new Float32Array(buffer.slice(start))
        : Float32Array.from(new Float64Array(buffer.slice(start)));
    base.iq = split(values, receivers, samples);
    base.about = `npy, ${receivers} × ${samples} complex samples`;
  } else if (plain && descr === "<f4" && shape.length === 3) {
    const [channels, rows, columns] = shape as [number, number, number];
    const values = new Float32Array(buffer.slice(start));
    base.features = Array.from({ length: channels }, (_, i) => ({
      rows,
      columns,
      values: values.subarray(i * rows * columns, (i + 1) * rows * columns),
    }));
    base.about = `npy, the model's input tensor (${shape.join(" × ")})`;
  }
  return base;
}

function split(values: Float32Array, receivers: number, samples: number): Float32Array[] {
  return Array.from({ length: receivers }, (_, i) => values.subarray(2 * i * samples, 2 * (i + 1) * samples));
}

/** Raw bytes as I, Q, I, Q… with 1.0 = full scale. */
export function scaled(buffer: ArrayBuffer, type: RawType): Float32Array {
  switch (type) {
    case "cf32_le":
      return new Float32Array(buffer.slice(0, buffer.byteLength - (buffer.byteLength % 8)));
    case "ci16_le":
      return Float32Array.from(new Int16Array(buffer.slice(0, buffer.byteLength & ~3)), (v) => v / 32768);
    case "ci8":
      return Float32Array.from(new Int8Array(buffer), (v) => v / 128);
    case "cu8":
      return Float32Array.from(new Uint8Array(buffer), (v) => (v - 128) / 128);
  }
}

function raw(file: File, buffer: ArrayBuffer, type: RawType, receivers: number): Recording {
  const values = scaled(buffer, type);
  const samples = Math.floor(values.length / 2 / receivers);
  return {
    name: file.name,
    body: file,
    mediaType: "application/octet-stream",
    query: { dtype: type, receivers: String(receivers) },
    iq: samples > 0 ? split(values, receivers, samples) : null,
    features: null,
    sampleRateHz: null,
    about: `raw ${type}, ${receivers} × ${samples} complex samples`,
  };
}

function sigmf(file: File, buffer: ArrayBuffer): Recording {
  const recording: Recording = {
    name: file.name,
    body: file,
    mediaType: "application/x-sigmf",
    query: {},
    iq: null,
    features: null,
    sampleRateHz: null,
    about: "SigMF archive",
  };
  const entries = tar(buffer);
  const metas = entries.filter((one) => one.name.endsWith(".sigmf-meta"));
  const streams: Float32Array[] = [];
  for (const meta of metas) {
    const told = JSON.parse(new TextDecoder().decode(meta.bytes)) as {
      global?: Record<string, unknown>;
    };
    const data = entries.find((one) => one.name === meta.name.replace(/meta$/, "data"));
    const type = RAW_TYPES.find((one) => one === told.global?.["core:datatype"]);
    if (!data || !type) return recording; // the gateway says what is wrong with it
    const channels = Number(told.global?.["core:num_channels"] ?? 1);
    recording.sampleRateHz = Number(told.global?.["core:sample_rate"]) || null;
    streams.push(...deinterleaved(scaled(data.bytes.slice().buffer, type), channels));
  }
  if (streams.length > 0) {
    recording.iq = streams;
    recording.about = `SigMF, ${streams.length} × ${streams[0]!.length / 2} complex samples`;
  }
  return recording;
}

function deinterleaved(values: Float32Array, channels: number): Float32Array[] {
  const samples = Math.floor(values.length / 2 / channels);
  return Array.from({ length: channels }, (_, channel) => {
    const one = new Float32Array(2 * samples);
    for (let i = 0; i < samples; i++) {
      one[2 * i] = values[2 * (i * channels + channel)]!;
      one[2 * i + 1] = values[2 * (i * channels + channel) + 1]!;
    }
    return one;
  });
}

function tar(buffer: ArrayBuffer): { name: string; bytes: Uint8Array }[] {
  const all = new Uint8Array(buffer);
  const text = new TextDecoder("latin1");
  const entries = [];
  for (let at = 0; at + 512 <= all.length; ) {
    const name = text.decode(all.subarray(at, at + 100)).replace(/\0.*$/s, "");
    if (!name) break;
    const size = Number.parseInt(text.decode(all.subarray(at + 124, at + 136)), 8) || 0;
    entries.push({ name, bytes: all.subarray(at + 512, at + 512 + size) });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}
