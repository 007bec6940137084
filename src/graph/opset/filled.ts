import type { Dims, ElementType, TypedArray } from "../tensor.ts";
import { count, Tensor } from "../tensor.ts";

/** A tensor of one number, in any of the float types. */
export function filled(type: ElementType, dims: Dims, value: number): Tensor {
  return Tensor.of(type, dims, elements(type, count(dims), value));
}

function elements(type: ElementType, size: number, value: number): TypedArray {
  if (type === "float64") return new Float64Array(size).fill(value);
  if (type === "float16") return new Uint16Array(size).fill(float16(value));
  if (type === "bfloat16") return new Uint16Array(size).fill(bfloat16(value));
  return new Float32Array(size).fill(value);
}

function bfloat16(value: number): number {
  const [bits = 0] = new Uint32Array(Float32Array.of(value).buffer);
  return (bits + 0x8000) >>> 16;
}

function float16(value: number): number {
  const sign = value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  // The leading bit of the fraction carries into the exponent, and is absent from a subnormal number.
  return sign | (((exponent + 14) << 10) + Math.round((magnitude / 2 ** exponent) * 1024));
}
