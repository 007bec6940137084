import { Builder } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { float32Array, valuesOf } from "../run-graph.ts";
import { array64, type Array64 } from "../float64-array.ts";

/** Rows of scores as one term of a sample each, [B, 1, C]. */
export function oneTermEach(rows: readonly (readonly number[])[]): Array64 {
  return array64([rows.length, 1, rows[0]!.length], Float32Array.from(rows.flat()));
}

/** Rows of scores as terms, so many of a sample, [B, T, C]. */
export function termsOf(rows: readonly (readonly number[])[], terms: number): Array64 {
  return array64([rows.length / terms, terms, rows[0]!.length], Float32Array.from(rows.flat()));
}

export function floats(dims: readonly number[], data: ArrayLike<number>): RuntimeArray {
  return float32Array(array64(dims, data));
}

export function integers(dims: readonly number[], data: readonly number[]): RuntimeArray {
  return { type: "int64", dims, data: BigInt64Array.from(data, BigInt) };
}

/** The scores and labels of a graph under test. */
export interface Inputs {
  readonly b: Builder;
  readonly scores: ValueId;
  readonly labels: ValueId;
}

/**
 * Values of a loss's graph at some scores.
 *
 * @param labels class indices [B, T], −1 for what does not count, or targets [B, 1, C]; all 0 unless given
 * @param others further inputs, under their names
 */
export function atScores(
  scores: Array64,
  make: (inputs: Inputs) => Readonly<Record<string, ValueId>>,
  { labels, others = {} }: { labels?: RuntimeArray; others?: Readonly<Record<string, RuntimeArray>> } = {},
): Promise<Record<string, Float64Array>> {
  const b = new Builder();
  const [batch, terms] = scores.dims as [number, number, number];
  const y = labels ?? integers([batch, terms], new Array<number>(batch * terms).fill(0));
  const inputs = { b, scores: b.input("f", "float32", scores.dims), labels: b.input("y", y.type, y.dims) };
  for (const [name, { type, dims }] of Object.entries(others)) b.input(name, type, dims);
  return valuesOf(b, make(inputs), { f: float32Array(scores), y, ...others });
}

/** The scores of term `index`, counted over all samples. */
export function termOf({ dims, data }: Array64, index: number): Float64Array {
  const classes = dims[2]!;
  return data.slice(index * classes, (index + 1) * classes);
}
