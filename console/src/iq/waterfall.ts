/** A waterfall of IQ samples: short-time Fourier transform, power in dB, drawn with time to the right. */

const SIZE = 256;
const COLUMNS = 420;

export interface Spectrogram {
  rows: number;
  columns: number;
  /** dB, row 0 = the highest frequency. */
  db: Float32Array;
}

/** Of I and Q alternating; Hann window, frequencies from +f_s/2 (top) to -f_s/2. */
export function spectrogram(iq: Float32Array): Spectrogram {
  const samples = iq.length / 2;
  const columns = Math.max(1, Math.min(COLUMNS, samples - SIZE + 1));
  const hop = columns > 1 ? (samples - SIZE) / (columns - 1) : 0;
  const db = new Float32Array(SIZE * columns);
  const re = new Float64Array(SIZE);
  const im = new Float64Array(SIZE);
  for (let column = 0; column < columns; column++) {
    const start = Math.round(column * hop);
    for (let i = 0; i < SIZE; i++) {
      const weight = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE);
      re[i] = (iq[2 * (start + i)] ?? 0) * weight;
      im[i] = (iq[2 * (start + i) + 1] ?? 0) * weight;
    }
    fft(re, im);
    for (let i = 0; i < SIZE; i++) {
      const bin = (SIZE / 2 - 1 - i + SIZE) % SIZE;
      db[i * columns + column] = 10 * Math.log10(re[bin]! ** 2 + im[bin]! ** 2 + 1e-20);
    }
  }
  return { rows: SIZE, columns, db };
}

/** In place, radix 2 (Cooley and Tukey 1965); the length is a power of two. */
export function fft(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
  for (let length = 2; length <= n; length <<= 1) {
    const angle = (-2 * Math.PI) / length;
    for (let i = 0; i < n; i += length) {
      for (let k = 0; k < length / 2; k++) {
        const cos = Math.cos(angle * k);
        const sin = Math.sin(angle * k);
        const a = i + k;
        const b = a + length / 2;
        const x = re[b]! * cos - im[b]! * sin;
        const y = re[b]! * sin + im[b]! * cos;
        re[b] = re[a]! - x;
        im[b] = im[a]! - y;
        re[a]! += x;
        im[a]! += y;
      }
    }
  }
}

/** Draw it; colours from the 2nd to the 99.7th percentile. */
export function draw(canvas: HTMLCanvasElement, { rows, columns, db }: Spectrogram): void {
  canvas.width = columns;
  canvas.height = rows;
  const ctx = canvas.getContext("2d");
  if (!ctx) return;
  const sorted = Float32Array.from(db).sort();
  const low = sorted[Math.floor(sorted.length * 0.02)]!;
  const high = sorted[Math.floor((sorted.length - 1) * 0.997)]!;
  const image = ctx.createImageData(columns, rows);
  for (let i = 0; i < db.length; i++) {
    const [r, g, b] = colour((db[i]! - low) / (high - low || 1));
    image.data.set([r, g, b, 255], 4 * i);
  }
  ctx.putImageData(image, 0, 0);
}

const STOPS: [number, number, number][] = [
  [4, 5, 20],
  [39, 15, 82],
  [101, 21, 110],
  [159, 42, 99],
  [212, 72, 66],
  [245, 125, 21],
  [250, 193, 39],
  [252, 255, 164],
];
/** matplotlib's inferno, by eight of its colours. */
function colour(value: number): [number, number, number] {
  const at = Math.min(Math.max(value, 0), 1) * (STOPS.length - 1);
  const i = Math.min(Math.floor(at), STOPS.length - 2);
  const [a, b] = [STOPS[i]!, STOPS[i + 1]!];
  const mix = (k: 0 | 1 | 2) => Math.round(a[k] + (b[k] - a[k]) * (at - i));
  return [mix(0), mix(1), mix(2)];
}
