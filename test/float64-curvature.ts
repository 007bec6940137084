import type { Graph } from "../src/graph/graph.ts";
import { dot, product, type Array64 } from "./float64-array.ts";
import { constantOf, run, type Decisions } from "./float64-reference.ts";
import type { Sketched, SketchedLayer } from "./sketch.ts";

/** A loss of one sample's outputs: its value, and its Hessian in the outputs, row-major. */
export interface Loss64 {
  readonly name: string;
  readonly value: (outputs: Float64Array, target: Float64Array) => number;
  readonly hessian: (outputs: Float64Array) => Float64Array;
}

export function softmax(scores: ArrayLike<number>): Float64Array {
  const largest = Math.max(...Array.from(scores));
  const powers = Float64Array.from(scores, (score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

const crossEntropy: Loss64 = {
  name: "cross-entropy",
  value: (outputs, [label]) => {
    const largest = Math.max(...outputs);
    return largest - outputs[label!]! + Math.log(outputs.reduce((sum, score) => sum + Math.exp(score - largest), 0));
  },
  hessian: (outputs) => {
    const p = softmax(outputs);
    // p − p² loses every digit of a confident sample: the share of the others is summed.
    const rest = (j: number) => p.reduce((sum, share, k) => (k === j ? sum : sum + share), 0);
    return square(p.length, (j, k) => (j === k ? p[j]! * rest(j) : -p[j]! * p[k]!));
  },
};

function squaredError(name: string, weight: (outputs: number) => number): Loss64 {
  return {
    name,
    value: (outputs, target) => outputs.reduce((sum, f, c) => sum + weight(outputs.length) * (f - target[c]!) ** 2, 0),
    hessian: ({ length }) => square(length, (j, k) => (j === k ? 2 * weight(length) : 0)),
  };
}

const binaryCrossEntropy: Loss64 = {
  name: "binary-cross-entropy",
  value: (outputs, target) =>
    outputs.reduce((sum, f, c) => sum + Math.max(f, 0) + Math.log1p(Math.exp(-Math.abs(f))) - target[c]! * f, 0) /
    outputs.length,
  hessian: (outputs) =>
    square(outputs.length, (j, k) =>
      j === k ? 1 / (1 + Math.exp(-outputs[j]!)) / (1 + Math.exp(outputs[j]!)) / outputs.length : 0,
    ),
};

export const losses64: readonly Loss64[] = [
  crossEntropy,
  squaredError("squared-error-mean", (outputs) => 1 / outputs),
  squaredError("squared-error-sum", () => 1),
  binaryCrossEntropy,
];

function square(size: number, entry: (row: number, column: number) => number): Float64Array {
  return Float64Array.from({ length: size ** 2 }, (_, index) => entry(Math.floor(index / size), index % size));
}

/** One sample of a batch. */
export function sampleOf({ dims, data }: Array64, index: number): Array64 {
  const size = product(dims.slice(1));
  return { dims: [1, ...dims.slice(1)], data: data.subarray(index * size, (index + 1) * size) };
}

/** Outputs for one sample with W replaced, following the decisions at kinks that are given. */
export function outputsAt(graph: Graph, x: Array64, weight: string, w: Float64Array, kept?: Decisions): Float64Array {
  const { dims } = constantOf(graph.constants.get(weight)!);
  return run(
    graph,
    new Map([
      ["x", x],
      [weight, { dims, data: w }],
    ]),
    { kept },
  ).get(graph.outputs[0]!.name)!.data;
}

/** ℓ_i of a network as it is. */
export function lossOf({ graph, x }: Sketched, loss: Loss64, sample: number, target: ArrayLike<number>): number {
  const outputs = run(graph, new Map([["x", sampleOf(x, sample)]])).get(graph.outputs[0]!.name)!.data;
  return loss.value(outputs, Float64Array.from(target));
}

/** κ and Tr(H) of one sample by the definition: Σ_{s,s'} ⟨w_s, w_s'⟩ Tr(H_ss') from entries of H. */
function byDefinition({ d, m, groups }: SketchedLayer, w: (row: number, column: number) => number, entry: Entry) {
  let [kappa, trace] = [0, 0];
  for (let s = 0; s < d; s++) {
    for (let other = 0; other < d; other++) {
      // Rows of different groups meet different features: such pairs do not count.
      if (Math.floor((s * groups) / d) !== Math.floor((other * groups) / d)) continue;
      let [inner, block] = [0, 0];
      for (let j = 0; j < m; j++) {
        inner += w(s, j) * w(other, j);
        block += entry(s, j, other, j);
      }
      kappa += inner * block;
      if (s === other) trace += block;
    }
  }
  return { kappa, trace };
}

/** H_{(s,j),(s',j')}. */
type Entry = (s: number, j: number, otherS: number, otherJ: number) => number;

/**
 * κ_i and Tr(H_i) of one layer, H = Jᵀ G J with J from differences: exact, as with decisions at kinks kept the network is
 * affine in W.
 */
export function curvatureByJacobian({ graph, x }: Sketched, layer: SketchedLayer, loss: Loss64, sample: number) {
  const one = sampleOf(x, sample);
  const made: Decisions = new Map();
  const outputs = run(graph, new Map([["x", one]]), { made }).get(graph.outputs[0]!.name)!.data;
  const w = constantOf(graph.constants.get(layer.weight)!).data;
  const G = loss.hessian(outputs);
  const C = outputs.length;
  // Rows of J for every weight, as the initializer stores them, and G times each.
  const J = Array.from(w, (value, place) => {
    const changed = outputsAt(graph, one, layer.weight, w.with(place, value + 1), made);
    return changed.map((output, c) => output - outputs[c]!);
  });
  const GJ = J.map((column) => Float64Array.from(column, (_, c) => dot(G.subarray(c * C, (c + 1) * C), column)));
  const entry: Entry = (s, j, other, k) => dot(J[layer.place(s, j)]!, GJ[layer.place(other, k)]!);
  return byDefinition(layer, (s, j) => w[layer.place(s, j)]!, entry);
}

/**
 * The same with H from second central differences of the loss: no Gauss-Newton, no derivative of the loss, kinks where
 * they are. Rounding and the fourth derivative leave about 1e-7.
 */
export function curvatureByDifferences(
  { graph, x }: Sketched,
  layer: SketchedLayer,
  loss: Loss64,
  sample: number,
  target: ArrayLike<number>,
  step = 1e-4,
) {
  const one = sampleOf(x, sample);
  const w = constantOf(graph.constants.get(layer.weight)!).data;
  const labels = Float64Array.from(target);
  const at = (...changes: [place: number, change: number][]) => {
    const changed = w.slice();
    for (const [place, change] of changes) changed[place]! += change;
    return loss.value(outputsAt(graph, one, layer.weight, changed), labels);
  };
  const entry: Entry = (s, j, other, k) => {
    const [a, b] = [layer.place(s, j), layer.place(other, k)];
    const both = at([a, step], [b, step]) + at([a, -step], [b, -step]);
    return (both - at([a, step], [b, -step]) - at([a, -step], [b, step])) / (4 * step ** 2);
  };
  return byDefinition(layer, (s, j) => w[layer.place(s, j)]!, entry);
}

/** Whether a network is affine in a layer's W once decisions at kinks are kept; then its Hessian is JᵀGJ. */
export function isAffineIn({ graph, x }: Sketched, { weight }: SketchedLayer): boolean {
  const one = sampleOf(x, 0);
  const made: Decisions = new Map();
  const outputs = run(graph, new Map([["x", one]]), { made }).get(graph.outputs[0]!.name)!.data;
  const w = constantOf(graph.constants.get(weight)!).data;
  const step = w.map((_, place) => Math.sin(1 + place));
  const shifted = (sign: number) =>
    outputsAt(
      graph,
      one,
      weight,
      w.map((value, k) => value + sign * step[k]!),
      made,
    );
  const [up, down] = [shifted(1), shifted(-1)];
  return outputs.every((output, c) => Math.abs(up[c]! + down[c]! - 2 * output) < 1e-9);
}
