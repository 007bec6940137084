import { Matrix } from "ml-matrix";
import { attributes } from "../../graph/builder.ts";
import type { Graph, Node, ValueId, ValueInfo } from "../../graph/graph.ts";
import { Tensor } from "../../graph/tensor.ts";
import type { SyntheticDistribution } from "../synthetic.ts";
import type { LinearHead } from "./linear-head.ts";
import type { TanhNetwork } from "./tanh-network.ts";

/** φ as a model: x → features. */
export function featureModel(network: TanhNetwork): Graph {
  const { nodes, constants } = featureNodes(network);
  const m = network.widths.at(-1) as number;
  return graph("features", network.widths[0] as number, "features", m, nodes, constants);
}

/** One score a sample, above φ or on the features themselves. Layer `head`; loss: squared error to ±1. */
export function scoreModel(network: TanhNetwork | undefined, { weights, bias }: LinearHead): Graph {
  return headModel("ridge", network, weights.length, [[...weights]], [bias], "score");
}

/**
 * Two classes' logits ∓(⟨w, z⟩ + b)/2, whose softmax is the logistic function of the score. Layer `head`; loss:
 * cross-entropy.
 */
export function logitModel(network: TanhNetwork | undefined, { weights, bias }: LinearHead): Graph {
  const half = Array.from(weights, (weight) => weight / 2);
  const rows = [half.map((weight) => -weight), half];
  return headModel("logistic", network, weights.length, rows, [-bias / 2, bias / 2], "logits");
}

/**
 * features → log p(z, class) of both classes: the label function, whose softmax is P(class | z) without flips. One Gemm
 * whitens z about each cluster; ‖·‖² and log Σ exp do the rest.
 */
export function teacherModel({ mixture, m }: SyntheticDistribution): Graph {
  const { m: informative } = mixture;
  const clusters = [0, 1].flatMap((parity) => mixture.components.filter((_, cluster) => cluster % 2 === parity));
  const whitening = clusters.flatMap(({ whitening }) => whitening.to2DArray());
  const rows = whitening.map((row) => [...row, ...Array<number>(m - informative).fill(0)]);
  const centres = clusters.flatMap(({ mean, whitening }) => whitening.mmul(Matrix.columnVector(mean)).to1DArray());
  const integers = (values: number[]) => Tensor.int64(values);
  const constants = new Map([
    ["clusters.weight", Tensor.float32([rows.length, m], rows.flat())],
    [
      "clusters.bias",
      Tensor.float32(
        [rows.length],
        centres.map((value) => -value),
      ),
    ],
    ["clusters.shape", integers([-1, clusters.length, informative])],
    [
      "clusters.scale",
      Tensor.float32(
        [clusters.length],
        clusters.map(({ logScale }) => logScale),
      ),
    ],
    ["minus half", Tensor.float32([], [-0.5])],
    ["last axis", integers([2])],
    ["classes.shape", integers([-1, 2, clusters.length / 2])],
  ]);
  const nodes = [
    node("Gemm", "clusters", ["features", "clusters.weight", "clusters.bias"], "flat", { transB: 1 }),
    node("Reshape", "by cluster", ["flat", "clusters.shape"], "white", {}),
    node("ReduceSumSquare", "distances", ["white", "last axis"], "squares", { keepdims: 0 }),
    node("Mul", "exponents", ["squares", "minus half"], "exponents", {}),
    node("Add", "log parts", ["exponents", "clusters.scale"], "parts", {}),
    node("Reshape", "by class", ["parts", "classes.shape"], "classes", {}),
    node("ReduceLogSumExp", "log sums", ["classes", "last axis"], "logits", { keepdims: 0 }),
  ];
  return { ...graph("teacher", m, "logits", 2, nodes, constants), inputs: [batchOf("features", m)] };
}

function headModel(
  name: string,
  network: TanhNetwork | undefined,
  m: number,
  rows: readonly (readonly number[])[],
  biases: readonly number[],
  output: ValueId,
): Graph {
  const below = network ? featureNodes(network) : { nodes: [], constants: new Map<ValueId, Tensor>() };
  const inputs = [network ? "features" : "x", "head.weight", "head.bias"];
  const constants = new Map([
    ...below.constants,
    ["head.weight", Tensor.float32([rows.length, m], rows.flat())] as const,
    ["head.bias", Tensor.float32([rows.length], biases)] as const,
  ]);
  const nodes = [...below.nodes, node("Gemm", "head", inputs, output, { transB: 1 })];
  return graph(name, network?.widths[0] ?? m, output, rows.length, nodes, constants);
}

function featureNodes({ layers }: TanhNetwork): { nodes: Node[]; constants: Map<ValueId, Tensor> } {
  const constants = new Map<ValueId, Tensor>();
  const nodes: Node[] = [];
  let below = "x";
  for (const [index, { name, inputs, outputs, weights }] of layers.entries()) {
    constants.set(`${name}.weight`, Tensor.float32([outputs, inputs], weights));
    const last = index === layers.length - 1;
    const product = last ? "features" : `${name}.product`;
    nodes.push(node("Gemm", name, [below, `${name}.weight`], product, { transB: 1 }));
    if (last) break;
    below = `${name}.activation`;
    nodes.push(node("Tanh", `${name}.tanh`, [product], below, {}));
  }
  return { nodes, constants };
}

function node(op: string, name: string, inputs: ValueId[], output: ValueId, given: Record<string, number>): Node {
  return { op, domain: "", name, inputs, outputs: [output], attributes: attributes(given) };
}

function graph(
  name: string,
  inputs: number,
  output: ValueId,
  outputs: number,
  nodes: Node[],
  constants: Map<ValueId, Tensor>,
): Graph {
  return {
    name,
    opset: 18,
    domains: new Map(),
    inputs: [batchOf("x", inputs)],
    outputs: [batchOf(output, outputs)],
    nodes,
    constants,
    declared: new Map(),
  };
}

function batchOf(name: ValueId, size: number): ValueInfo {
  return { name, type: "float32", dims: ["batch", size] };
}
