import { arrayDataset } from "../../../src/data/array-dataset.ts";
import type { Dataset } from "../../../src/data/dataset.ts";
import type { MeasureOptions } from "../../../src/evaluation/options.ts";
import type { Warning, WarningCode } from "../../../src/evaluation/result.ts";
import type { Graph } from "../../../src/graph/graph.ts";
import { measureAll } from "../../golden-model.ts";
import { modelOf } from "../../sketch-data.ts";
import { normals } from "../../sketch.ts";

/** Samples x of these numbers, each of `width`, with a class each. */
export function labelled(width: number, x: readonly number[], y: readonly number[]): Dataset {
  return arrayDataset({ source: "samples", sha256: "" }, [
    { name: "x", type: "float32", dims: [y.length, width], data: Float32Array.from(x) },
    { name: "y", type: "int64", dims: [y.length], data: BigInt64Array.from(y, BigInt) },
  ]);
}

/** Standard normal numbers. */
export function random(count: number, seed: number): number[] {
  return Array.from({ length: count }, normals(seed));
}

/** Warnings with a code that measuring relative flatness comes with. */
export async function warned(
  graph: Graph,
  data: Dataset,
  code: WarningCode,
  options: MeasureOptions = {},
): Promise<Warning[]> {
  const { result } = await measureAll(modelOf(graph), data, {
    measures: ["relative-flatness"],
    threads: 1,
    ...options,
  });
  return result.warnings.filter((warning) => warning.code === code);
}
