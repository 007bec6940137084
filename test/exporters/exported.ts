import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { readModel, type ModelFile } from "../../src/graph/files.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { findLayers, type Layer, type UseKind } from "../../src/graph/layers.ts";
import { encodeModel } from "../../src/graph/onnx.ts";
import { Tensor, type ExternalLocation } from "../../src/graph/tensor.ts";
import { maximumError, stridesOf, walk } from "../float64-array.ts";
import { curvatureByDifferences, curvatureByJacobian, losses64 } from "../float64-curvature.ts";
import { constantOf } from "../float64-reference.ts";
import { measureAll, rowOf } from "../golden-model.ts";
import { datasetOf, targetsOf } from "../sketch-data.ts";
import type { Sketched } from "../sketch.ts";

/** float32 on the device against float64, as for every small network. */
const ROUNDING = 5e-6;
/** Second differences of a loss near 1 in float64: see measures/brute-force. */
const DIFFERENCES = 5e-5;

let folder: string | undefined;
let files = 0;
afterAll(() => folder !== undefined && rmSync(folder, { recursive: true }));

/**
 * The graph as a user has it: written to a file, and read.
 *
 * @param stored constants of at least so many bytes go to a file beside it, as torch's exporter has it
 */
export function asFile(graph: Graph, stored = Infinity): ModelFile {
  folder ??= mkdtempSync(join(tmpdir(), "flatness-exported-"));
  const path = join(folder, `model-${files++}.onnx`);
  const parts: Uint8Array[] = [];
  const places = new Map<Tensor, ExternalLocation>();
  let offset = 0;
  for (const tensor of graph.constants.values()) {
    if (tensor.bytes.length < stored) continue;
    places.set(tensor, { file: `model-${files - 1}.onnx.data`, offset, length: tensor.bytes.length });
    parts.push(tensor.bytes);
    offset += tensor.bytes.length;
  }
  if (parts.length > 0) writeFileSync(`${path}.data`, Buffer.concat(parts));
  writeFileSync(
    path,
    encodeModel(graph, (tensor) => places.get(tensor)),
  );
  return readModel(path);
}

export interface ExpectedLayer {
  /** The layer's name in what is measured. */
  readonly name: string;
  /** The layer of the plain network that it is. */
  readonly is: string;
  readonly positions?: number;
  readonly kind?: UseKind;
  /** The exporter changed the rows of W, so that only κ stays. */
  readonly rescaled?: true;
}

/** The layers of a model at a batch of three samples. */
export function layersOf({ graph }: ModelFile, sample: readonly number[]): Layer[] {
  const types = graph.inputs.map(({ name, type }) => {
    return [name, { type: type ?? ("float32" as const), dims: [3, ...sample] }] as const;
  });
  return findLayers(instantiate(graph, new Map(types)).builder);
}

/**
 * Names, sizes, orientation, positions, κ and Tr(H) of every layer of an exported model, against those of a plain network that is the
 * same function: its Hessians by brute force in float64.
 *
 * @param smooth whether the network is not piecewise linear, so that only differences of the loss tell its Hessian
 */
export async function expectCurvature(
  model: ModelFile,
  plain: Sketched,
  expected: readonly ExpectedLayer[],
  { smooth = false }: { smooth?: boolean } = {},
): Promise<void> {
  const found = layersOf(model, plain.x.dims.slice(1));
  expect(found.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
  const [loss] = losses64 as [(typeof losses64)[number]];
  const measured = await measureAll(model, datasetOf(plain, loss.name), { batch: 2 });
  const samples = Array.from({ length: plain.x.dims[0]! }, (_, index) => index);
  for (const [index, { name, is, positions = 1, kind = "dense", rescaled }] of expected.entries()) {
    const layer = plain.layers.find((own) => own.name === is)!;
    const { d, m, groups } = layer;
    expect([found[index]?.d, found[index]?.m, found[index]?.groups], name).toEqual([d, m, groups]);
    expect([found[index]?.positions, found[index]?.uses[0]?.kind], name).toEqual([positions, kind]);
    const w = constantOf(plain.graph.constants.get(layer.weight)!).data;
    const rows = Float32Array.from({ length: d * m }, (_, at) => w[layer.place(Math.floor(at / m), at % m)]!);
    if (!rescaled) expect(found[index]?.matrix(), name).toEqual(rows);
    const exact = samples.map((at) =>
      smooth
        ? curvatureByDifferences(plain, layer, loss, at, targetsOf(plain, loss.name, at))
        : curvatureByJacobian(plain, layer, loss, at),
    );
    const mean = (part: "kappa" | "trace") => exact.reduce((sum, one) => sum + one[part], 0) / samples.length;
    const error = (measure: string, part: "kappa" | "trace") =>
      maximumError([rowOf(measured, name, measure).value], [mean(part)]);
    const tolerance = smooth ? DIFFERENCES : ROUNDING;
    expect(error("relative-flatness", "kappa"), `κ of ${name}`).toBeLessThan(tolerance);
    if (!rescaled) expect(error("hessian-trace", "trace"), `Tr(H) of ${name}`).toBeLessThan(tolerance);
  }
}

/** A constant of a plain network with its axes in another order, as exporters store it. */
export function turned({ graph }: Sketched, name: string, ...order: number[]): Tensor {
  const { dims, data } = constantOf(graph.constants.get(name)!);
  const strides = stridesOf(dims);
  const places = walk(
    order.map((axis) => dims[axis]!),
    order.map((axis) => strides[axis]!),
  );
  return Tensor.float32(
    order.map((axis) => dims[axis]!),
    Float32Array.from(places, (place) => data[place]!),
  );
}

/** A convolution's or Gemm's weight and bias with the batch normalization behind it taken in, in float64. */
export function fused({ graph }: Sketched, weight: string, bias: string | undefined, norm: string) {
  const data = (name: string) => constantOf(graph.constants.get(name)!).data;
  const { dims } = graph.constants.get(weight)!;
  const [gain, shift, mean, variance] = ["gain", "shift", "mean", "variance"].map((part) => data(`${norm}.${part}`));
  const factor = gain!.map((value, row) => value / Math.sqrt(variance![row]! + 1e-5));
  const width = data(weight).length / factor.length;
  const before = bias === undefined ? mean!.map(() => 0) : data(bias);
  return {
    weight: Tensor.float32(
      dims,
      data(weight).map((value, at) => value * factor[Math.floor(at / width)]!),
    ),
    bias: Tensor.float32(
      [factor.length],
      before.map((value, row) => (value - mean![row]!) * factor[row]! + shift![row]!),
    ),
  };
}
