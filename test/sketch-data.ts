import { arrayDataset } from "../src/data/array-dataset.ts";
import type { Dataset } from "../src/data/dataset.ts";
import type { Measurement } from "../src/evaluation/measure-model.ts";
import type { MeasureOptions } from "../src/evaluation/options.ts";
import type { ModelFile } from "../src/graph/files.ts";
import type { Graph } from "../src/graph/graph.ts";
import { product } from "./float64-array.ts";
import { run } from "./float64-reference.ts";
import { measureAll } from "./golden-model.ts";
import { normals, type Sketched } from "./sketch.ts";

/** A graph as a model that was read from a file. */
export function modelOf(graph: Graph): ModelFile {
  return { graph, file: "sketch.onnx", sha256: "", opset: graph.opset };
}

/** Outputs of a sample. */
export function widthOf({ graph, x }: Sketched): number {
  const width =
    widths.get(graph) ??
    product(
      run(graph, new Map([["x", x]]))
        .get(graph.outputs[0]!.name)!
        .dims.slice(1),
    );
  widths.set(graph, width);
  return width;
}

const widths = new WeakMap<Graph, number>();

/** The labels of a sketch's samples for a loss: classes in turn, or random targets, from 0 to 1 where they are shares. */
export function targetsOf(net: Sketched, loss: string, sample: number): number[] {
  const width = widthOf(net);
  if (loss === "cross-entropy") return [sample % width];
  const normal = normals(4711 + sample);
  const targets = Array.from({ length: width }, normal);
  return loss === "binary-cross-entropy" ? targets.map((value) => Math.fround(1 / (1 + Math.exp(-value)))) : targets;
}

/** The sketch's samples as a data set of x and y. */
export function datasetOf(net: Sketched, loss: string): Dataset {
  const { dims, data } = net.x;
  const n = dims[0]!;
  const targets = Array.from({ length: n }, (_, sample) => targetsOf(net, loss, sample)).flat();
  const y =
    loss === "cross-entropy"
      ? { name: "y", type: "int64" as const, dims: [n], data: BigInt64Array.from(targets, BigInt) }
      : { name: "y", type: "float32" as const, dims: [n, targets.length / n], data: Float32Array.from(targets) };
  const x = { name: "x", type: "float32" as const, dims, data: Float32Array.from(data) };
  return arrayDataset({ source: "sketch", sha256: "" }, [x, y]);
}

export function measureSketch(net: Sketched, loss: string, options: MeasureOptions = {}): Promise<Measurement> {
  return measureAll(modelOf(net.graph), datasetOf(net, loss), { loss, ...options });
}
