import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { npzBytes } from "../src/data/npz.ts";
import { Builder } from "../src/graph/builder.ts";
import type { ValueId } from "../src/graph/graph.ts";
import { encodeModel } from "../src/graph/onnx.ts";
import { type ExternalLocation, Tensor } from "../src/graph/tensor.ts";
import { RandomStream } from "../src/statistics/random.ts";

const CLASSES = 10;

export interface StoredModel {
  readonly model: string;
  readonly data: string;
  /** Bytes of the model and its weights. */
  readonly bytes: number;
}

/**
 * Writes a network of `layers` square Gemm layers and a last one as torch's exporter does: weights in model.onnx.data, biases and
 * graph in model.onnx; and data for it. The weights are written a row at a time.
 */
export function writeStoredModel(folder: string, width: number, layers: number, samples = 64): StoredModel {
  const file = "model.onnx.data";
  const descriptor = openSync(join(folder, file), "w");
  const places = new Map<Tensor, ExternalLocation>();
  const stream = new RandomStream(4, "stored");
  const b = new Builder();
  let offset = 0;
  const weight = (name: string, rows: number): ValueId => {
    const length = rows * width * 4;
    const row = new Float32Array(width);
    for (let index = 0; index < rows; index++) {
      for (let column = 0; column < width; column++) row[column] = (stream.sign() * Math.SQRT2) / Math.sqrt(width);
      writeSync(descriptor, new Uint8Array(row.buffer));
    }
    const tensor = new Tensor("float32", [rows, width], () => new Uint8Array());
    places.set(tensor, { file, offset, length });
    offset += length;
    return b.constant(tensor, name);
  };
  let value = b.input("x", "float32", [1, width]);
  for (let layer = 0; layer <= layers; layer++) {
    const rows = layer < layers ? width : CLASSES;
    const bias = b.constant(Tensor.float32([rows], new Float32Array(rows)), `fc${layer}.bias`);
    value = b.add("Gemm", [value, weight(`fc${layer}.weight`, rows), bias], { transB: 1 });
    if (layer < layers) value = b.add("Relu", [value]);
  }
  closeSync(descriptor);
  const graph = b.graph(new Map([["logits", value]]));
  const open = (info: (typeof graph.inputs)[number]) => ({ ...info, dims: ["N", ...(info.dims ?? []).slice(1)] });
  const dynamic = { ...graph, inputs: graph.inputs.map(open), outputs: graph.outputs.map(open) };
  const bytes = encodeModel(dynamic, (tensor) => places.get(tensor));
  const [model, data] = [join(folder, "model.onnx"), join(folder, "data.npz")];
  writeFileSync(model, bytes);
  const x = Float32Array.from({ length: samples * width }, () => stream.sign());
  const y = Uint8Array.from({ length: samples }, (_, index) => index % CLASSES);
  writeFileSync(
    data,
    npzBytes({
      x: { type: "float32", dims: [samples, width], data: x },
      y: { type: "uint8", dims: [samples], data: y },
    }),
  );
  return { model, data, bytes: bytes.length + offset };
}
