import { existsSync } from "node:fs";
import { arrayDataset } from "../src/data/array-dataset.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { openDataset } from "../src/data/open.ts";
import type { Subject } from "../src/evaluation/measure-model.ts";
import { Builder } from "../src/graph/builder.ts";
import { readModel } from "../src/graph/files.ts";
import type { Graph } from "../src/graph/graph.ts";
import { count, Tensor } from "../src/graph/tensor.ts";
import { RandomStream } from "../src/statistics/random.ts";

export const FASHION = "/usr/share/datasets/fashion-mnist";
export const LENET_PREPROCESS = "scale=255,pad=2,channels=3";

export function lenet5(): Subject {
  return readModel("test/golden/lenet5-fashion/net00-batch64/model.onnx");
}

/** Images as LeNet5 takes them, prepared beforehand: real ones where the data set is installed, else noise. */
export async function lenetData(n: number): Promise<Dataset> {
  const stream = new RandomStream(1, "images");
  const size = 3 * 32 * 32;
  const images = new Float32Array(n * size);
  const labels = new Uint8Array(n);
  if (existsSync(FASHION)) {
    const data = await openDataset(FASHION, { preprocess: LENET_PREPROCESS });
    const batch = await data.read(Int32Array.from({ length: n }, (_, index) => index));
    images.set(batch.get("x")?.data as Float32Array);
    labels.set(batch.get("y")?.data as Uint8Array);
  } else for (let index = 0; index < images.length; index++) images[index] = stream.sign();
  return inMemory("images", images, [n, 3, 32, 32], labels);
}

export function inMemory(source: string, x: Float32Array, dims: readonly number[], y: Uint8Array): Dataset {
  return arrayDataset({ source, sha256: "" }, [
    { name: "x", type: "float32", dims, data: x },
    { name: "y", type: "uint8", dims: [y.length], data: y },
  ]);
}

/** A ReLU network of dense layers with random weights. */
export function denseNetwork(...widths: number[]): Subject {
  const stream = new RandomStream(2, widths.join("-"));
  const b = new Builder();
  let value = b.input("x", "float32", [1, widths[0] as number]);
  for (let layer = 1; layer < widths.length; layer++) {
    const [m, d] = [widths[layer - 1] as number, widths[layer] as number];
    const weights = Float32Array.from({ length: m * d }, () => stream.sign() / Math.sqrt(m));
    const w = b.constant(Tensor.float32([d, m], weights), `fc${layer}.weight`);
    value = b.add("Gemm", [value, w], { transB: 1 });
    if (layer < widths.length - 1) value = b.add("Relu", [value]);
  }
  const graph: Graph = b.graph(new Map([["logits", value]]));
  const inputs = graph.inputs.map((input) => ({ ...input, dims: ["N", widths[0]] }));
  return { graph: { ...graph, inputs }, file: `MLP ${widths.join("-")}`, sha256: "", opset: 18 };
}

/** Samples of ±1 with labels in turn. */
export function noise(n: number, sample: number | readonly number[], classes: number): Dataset {
  const stream = new RandomStream(3, "noise");
  const dims = [n, ...[sample].flat()];
  const x = Float32Array.from({ length: count(dims) }, () => stream.sign());
  return inMemory(
    "noise",
    x,
    dims,
    Uint8Array.from({ length: n }, (_, index) => index % classes),
  );
}
