import type { Dataset } from "../data/dataset.ts";
import { ModelError } from "../errors.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import { count } from "../graph/tensor.ts";
import type { Runtime, RuntimeArray, SessionOptions } from "../runtime/session.ts";
import type { Binding } from "./binding.ts";

/** How far an output of a twin is from the model's. */
export interface OutputDifference {
  readonly output: string;
  /** Class scores that were shifted together are compared after a softmax. */
  readonly compared: "values" | "softmax";
  readonly largestDifference: number;
  /** The largest magnitude of what is compared. */
  readonly largestValue: number;
}

/** What twins of the same function differ by: float32 rounds each of their products in another place. */
const ROUNDING = 1e-4;
const BATCH = 64;

/**
 * Runs a model and its twin on the same samples.
 *
 * @param scores outputs that are equal after a softmax, with the axis of their classes
 * @throws ModelError when an output differs by more than rounding
 */
export async function proveTwin(
  model: { readonly graph: Graph; readonly file: string },
  twin: Graph,
  scores: ReadonlyMap<ValueId, number>,
  { data, indices, binding }: { data: Dataset; indices: Int32Array; binding: Binding },
  runtime: Runtime,
  options: SessionOptions,
): Promise<OutputDifference[]> {
  const declared = model.graph.inputs.map((input) => input.dims?.[0]).find((size) => typeof size === "number");
  const batch = declared ?? Math.min(BATCH, indices.length);
  const found = new Map<ValueId, { difference: number; value: number }>();
  const original = await runtime.open(model.graph, options);
  try {
    const other = await runtime.open(twin, options);
    try {
      for (let start = 0; start < indices.length; start += batch) {
        const samples = await data.read(indices.subarray(start, start + batch), binding.arrays);
        const feeds = binding.feeds(samples, batch);
        const [before, after] = [await original.run(feeds), await other.run(feeds)];
        for (const [name, array] of before) {
          const compared = compare(array, after.get(name) as RuntimeArray, scores.get(name));
          const known = found.get(name) ?? { difference: 0, value: 0 };
          found.set(name, {
            difference: Math.max(known.difference, compared.difference),
            value: Math.max(known.value, compared.value),
          });
        }
      }
    } finally {
      await other.release();
    }
  } finally {
    await original.release();
  }
  return [...found].map(([output, { difference, value }]) => {
    const compared = scores.has(output) ? "softmax" : "values";
    if (difference <= ROUNDING * value) return { output, compared, largestDifference: difference, largestValue: value };
    throw new ModelError(
      `${model.file}: output ${output} of the twin differs by ${difference.toPrecision(3)} on ${data.source}, where rounding ` +
        `explains ${(ROUNDING * value).toPrecision(1)}: factors nearer to 1 lose fewer digits.`,
    );
  });
}

function compare(left: RuntimeArray, right: RuntimeArray, axis: number | undefined) {
  const [one, other] = [left, right].map((array) => (axis === undefined ? numbers(array) : softmax(array, axis)));
  let [difference, value] = [0, 0];
  (one as Float64Array).forEach((number, index) => {
    const twin = (other as Float64Array)[index] as number;
    const distance = number === twin ? 0 : Math.abs(number - twin);
    difference = Math.max(difference, Number.isNaN(distance) ? Infinity : distance);
    if (Number.isFinite(number)) value = Math.max(value, Math.abs(number));
  });
  return { difference, value };
}

function numbers({ data }: RuntimeArray): Float64Array {
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}

/** exp(x − max) over its sum, along one axis. */
function softmax(array: RuntimeArray, axis: number): Float64Array {
  const values = numbers(array);
  const size = array.dims[axis] as number;
  const inner = count(array.dims.slice(axis + 1));
  for (let start = 0; start < values.length; start += size * inner) {
    for (let at = start; at < start + inner; at++) {
      const places = Array.from({ length: size }, (_, index) => at + index * inner);
      const largest = Math.max(...places.map((place) => values[place] as number));
      let total = 0;
      for (const place of places) total += values[place] = Math.exp((values[place] as number) - largest);
      for (const place of places) values[place] = (values[place] as number) / total;
    }
  }
  return values;
}
