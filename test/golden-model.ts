import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { arrayDataset } from "../src/data/array-dataset.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { parseNpz } from "../src/data/npz.ts";
import { measureModel, type Measurement } from "../src/evaluation/measure-model.ts";
import type { MeasureOptions } from "../src/evaluation/options.ts";
import type { ResultRow } from "../src/evaluation/result.ts";
import { readModel, type ModelFile } from "../src/graph/files.ts";
import { nodeRuntime } from "../src/runtime/node.ts";

/** One layer of a truth.json: float64 values of what the ONNX file denotes. */
export interface LayerTruth {
  readonly node_name: string;
  readonly op_type: string;
  readonly initializer: string;
  readonly d: number;
  readonly m: number;
  readonly frobenius_sq: number;
  readonly kappa_hessian: number;
  readonly kappa_ggn: number;
  readonly trace_hessian: number;
  readonly trace_ggn: number;
  readonly lambda_max_hessian: number;
  readonly lambda_max_ggn: number;
  /** Σ_s ‖w_s‖² λ_max(H_ss). */
  readonly maxeig_sum_hessian: number;
  readonly maxeig_sum_ggn: number;
  readonly kappa_ggn_i: readonly number[];
  readonly kappa_hessian_i: readonly number[];
}

export interface Truth {
  readonly n: number;
  readonly mean_loss: number;
  readonly accuracy?: number;
  readonly layers: readonly LayerTruth[];
}

export function goldenPath(...parts: string[]): string {
  return resolve(import.meta.dirname, "golden", ...parts);
}

export function goldenTruth(folder: string): Truth {
  return JSON.parse(readFileSync(goldenPath(folder, "truth.json"), "utf8")) as Truth;
}

export function goldenModel(folder: string, file = "model.onnx"): ModelFile {
  return readModel(goldenPath(folder, file));
}

/** x and y of the folder's batch.npz. */
export function goldenBatch(folder: string, file = "batch.npz", preprocess?: string): Dataset {
  const path = goldenPath(folder, file);
  const npz = parseNpz(readFileSync(path), path);
  return arrayDataset({ source: path, sha256: "" }, [npz.array("x"), npz.array("y")], { preprocess });
}

/** Measures a model on all samples of a data set, on one thread, so that values are the same on every machine. */
export function measureAll(
  subject: ModelFile,
  data: Dataset,
  options: MeasureOptions = {},
  indices: Int32Array = Int32Array.from({ length: data.n }, (_, index) => index),
): Promise<Measurement> {
  return measureModel(subject, { data, indices, description: "" }, { threads: 1, ...options }, nodeRuntime);
}

/** The name that a measurement has for a layer of a truth. */
export function layerOf({ result }: Measurement, { node_name }: LayerTruth): string {
  const layer = result.layers.find(({ node }) => node === node_name);
  if (!layer) throw new Error(`no layer of node ${node_name}`);
  return layer.name;
}

export function rowOf({ result }: Measurement, layer: string, measure: string): ResultRow {
  const row = result.results.find((candidate) => candidate.layer === layer && candidate.measure === measure);
  if (!row) throw new Error(`no row ${measure} of ${layer}`);
  return row;
}

export function samplesOf({ perSample }: Measurement, layer: string, measure: string): Float32Array {
  const found = perSample.find((candidate) => candidate.layer === layer && candidate.measure === measure);
  if (!found) throw new Error(`no values of ${measure} of ${layer}`);
  return found.values;
}

/** |a − b| / |b|. */
export function relativeError(value: number, truth: number): number {
  return Math.abs(value - truth) / Math.abs(truth);
}
