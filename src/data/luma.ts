import { count, type Dims } from "../graph/tensor.ts";
import type { SampleWriter } from "./sample-map.ts";

/** ITU-R BT.601's 0.299, 0.587, 0.114 in 65 536ths, as Pillow has them; their sum is 1, so that grey stays what it was. */
const weights = [19595, 38470, 7471] as const;
const one = 65536;

/** The brightness of red, green and blue planes, [3, H, W] → [1, H, W]; that of bytes is rounded to a byte. */
export function luma(dims: Dims, bytes: boolean): SampleWriter {
  const size = count(dims) / 3;
  const [red, green, blue] = weights;
  return (source, start, target, at) => {
    for (let i = 0, from = start; i < size; i++, from++) {
      const sum =
        red * Number(source[from]) + green * Number(source[from + size]) + blue * Number(source[from + 2 * size]);
      target[at + i] = bytes ? (sum + one / 2) >> 16 : sum / one;
    }
  };
}
