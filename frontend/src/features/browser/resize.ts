/**
 * Owns scaling a picture as Pillow does (bilinear with a filter as wide as the scale), so that a model sees here what it
 * was trained on. A canvas leaves out pixels when it makes a picture much smaller. After Pillow's `Resample.c`.
 */

const PRECISION = 1 << 22;

interface Weights {
  first: Int32Array;
  /** `size` weights for each pixel, the unused ones nought. */
  weights: Int32Array;
  size: number;
}

/** RGB pixels, three bytes each, row by row. */
export interface Pixels {
  data: Uint8ClampedArray;
  width: number;
  height: number;
}

export function resize({ data, width, height }: Pixels, toWidth: number, toHeight: number): Pixels {
  const across = width === toWidth ? data : along(data, height, width, toWidth, width * 3, 3, toWidth * 3, 3);
  const down = height === toHeight ? across : along(across, toWidth, height, toHeight, 3, toWidth * 3, 3, toWidth * 3);
  return { data: down, width: toWidth, height: toHeight };
}

/** Scale each of `lines` lines; the steps are from line to line and from pixel to pixel, in bytes. */
function along(
  data: Uint8ClampedArray, lines: number, from: number, to: number, lineStep: number, pixelStep: number, toLineStep: number, toPixelStep: number,
): Uint8ClampedArray {
  const { first, weights, size } = weightsOf(from, to);
  const made = new Uint8ClampedArray(lines * to * 3);
  for (let line = 0; line < lines; line++) {
    for (let pixel = 0; pixel < to; pixel++) {
      const start = line * lineStep + first[pixel]! * pixelStep;
      const target = line * toLineStep + pixel * toPixelStep;
      for (let channel = 0; channel < 3; channel++) {
        let sum = PRECISION / 2;
        for (let k = 0; k < size; k++) {
          const weight = weights[pixel * size + k]!;
          if (weight !== 0) sum += data[start + k * pixelStep + channel]! * weight;
        }
        made[target + channel] = Math.floor(sum / PRECISION);
      }
    }
  }
  return made;
}

function weightsOf(from: number, to: number): Weights {
  const scale = from / to;
  const support = Math.max(1, scale);
  const size = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const weights = new Int32Array(to * size);
  for (let pixel = 0; pixel < to; pixel++) {
    const centre = (pixel + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const raw: number[] = [];
    for (let place = start; place < end; place++) raw.push(Math.max(0, 1 - Math.abs((place - centre + 0.5) / support)));
    const whole = raw.reduce((sum, weight) => sum + weight, 0);
    first[pixel] = start;
    raw.forEach((weight, k) => { weights[pixel * size + k] = Math.trunc(0.5 + (weight / whole) * PRECISION); });
  }
  return { first, weights, size };
}
