import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { int, type Node } from "../src/graph/graph.ts";
import { dot, product as sizeOf, type Array64 } from "./float64-array.ts";
import { losses64, outputsAt, sampleOf, type Loss64 } from "./float64-curvature.ts";
import { constantOf, run, type Decisions } from "./float64-reference.ts";
import { targetsOf } from "./sketch-data.ts";
import type { Sketched, SketchedLayer } from "./sketch.ts";

/** A feature that varies less than this share of its root mean square is dropped. */
const STILL = 1e-5;

/** Measures of the layer with features over σ and weights times σ. */
export interface Normalized {
  readonly kappa: number;
  readonly trace: number;
  readonly largest: number;
  readonly squaredNorm: number;
  readonly gradientNorm: number;
}

/**
 * In float64, by the definition: the whole Hessian H of the mean loss (by the Jacobian where the network is affine in W once decisions
 * at kinks are kept, else by second differences), then S⁻¹HS⁻¹ and WS with S of standard deviations in two passes.
 */
export function bruteForce(net: Sketched, layer: SketchedLayer, lossName: string): Normalized {
  const loss = losses64.find(({ name }) => name === lossName)!;
  const { d, m, groups } = layer;
  const w = constantOf(net.graph.constants.get(layer.weight)!).data;
  const n = net.x.dims[0]!;
  const sigma = deviations(net, layer);
  const scale = (row: number, column: number) => {
    const channels = sigma.length / groups;
    return sigma[Math.floor(row / (d / groups)) * channels + Math.floor(column / (m / channels))]!;
  };
  const inverse = (row: number, column: number) => (scale(row, column) === 0 ? 0 : 1 / scale(row, column));
  const smooth = net.graph.nodes.some(({ op }) => op === "Tanh");
  const size = d * m;
  const hessian = Matrix.zeros(size, size);
  const gradient = new Float64Array(size);
  for (let sample = 0; sample < n; sample++) {
    const target = Float64Array.from(targetsOf(net, lossName, sample));
    const own = smooth ? byDifferences(net, layer, loss, sample, target) : byJacobian(net, layer, loss, sample);
    hessian.add(Matrix.mul(own, 1 / n));
    slopes(net, layer, loss, sample, target).forEach((slope, place) => (gradient[place]! += slope / n));
  }
  let [kappa, trace, squaredNorm, squaredGradient] = [0, 0, 0, 0];
  const weight = (row: number, column: number) => w[layer.place(row, column)]! * scale(row, column);
  const scaled = new Matrix(size, size);
  for (let a = 0; a < size; a++) {
    const [s, j] = [Math.floor(a / m), a % m];
    squaredNorm += weight(s, j) ** 2;
    squaredGradient += (gradient[a]! * inverse(s, j)) ** 2;
    for (let b = 0; b < size; b++) {
      const [other, k] = [Math.floor(b / m), b % m];
      scaled.set(a, b, hessian.get(a, b) * inverse(s, j) * inverse(other, k));
    }
    trace += scaled.get(a, a);
  }
  for (let s = 0; s < d; s++) {
    for (let other = 0; other < d; other++) {
      if (Math.floor((s * groups) / d) !== Math.floor((other * groups) / d)) continue;
      let [inner, block] = [0, 0];
      for (let j = 0; j < m; j++) {
        inner += weight(s, j) * weight(other, j);
        block += scaled.get(s * m + j, other * m + j);
      }
      kappa += inner * block;
    }
  }
  const values = new EigenvalueDecomposition(scaled, { assumeSymmetric: true }).realEigenvalues;
  return { kappa, trace, largest: Math.max(...values), squaredNorm, gradientNorm: Math.sqrt(squaredGradient) };
}

/** Population standard deviations of what the layer's nodes read, all of them together: of features, or the channels of a convolution. */
function deviations({ graph, x }: Sketched, layer: SketchedLayer): Float64Array {
  const values = run(graph, new Map([["x", x]]));
  const turned = graph.nodes.find(({ op, inputs }) => op === "Transpose" && inputs[0] === layer.weight)?.outputs[0];
  const isWeight = (name: string | undefined) => name === layer.weight || (turned !== undefined && name === turned);
  const nodes = graph.nodes.filter(({ op, inputs }) => op !== "Transpose" && inputs.slice(0, 2).some(isWeight));
  const columns = nodes.flatMap((node) => featuresOf(node, values, isWeight(node.inputs[0]), layer.m));
  const size = Math.max(...columns.map(([feature]) => feature)) + 1;
  const own = Array.from({ length: nodes[0]!.op === "Gather" ? layer.m : size }, (): number[] => []);
  for (const [feature, value] of columns) own[feature]!.push(value);
  return Float64Array.from(own, (list) => {
    const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
    const variance = list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / list.length;
    return Math.sqrt(variance) > STILL * Math.sqrt(variance + mean ** 2) ? Math.sqrt(variance) : 0;
  });
}

/** [feature, value] of everything that a node multiplies with W. */
function featuresOf(node: Node, values: ReadonlyMap<string, Array64>, left: boolean, m: number): [number, number][] {
  const { dims, data } = values.get(node.inputs[left ? 1 : 0]!)!;
  if (node.op === "Gather") {
    return [...data].flatMap((token) =>
      Array.from({ length: m }, (_, j): [number, number] => [j, Number(j === token)]),
    );
  }
  const moved = int(node, left ? "transB" : "transA", 0) === 1;
  const product = left ? dims.length - (moved ? 1 : 2) : dims.length - (moved ? 2 : 1);
  const axis = node.op.startsWith("Conv") ? 1 : product;
  const [size, inner] = [dims[axis]!, sizeOf(dims.slice(axis + 1))];
  return Array.from(data, (value, place): [number, number] => [Math.floor(place / inner) % size, value]);
}

/** JᵀGJ in the order of W's rows. */
function byJacobian({ graph, x }: Sketched, layer: SketchedLayer, loss: Loss64, sample: number): Matrix {
  const one = sampleOf(x, sample);
  const made: Decisions = new Map();
  const outputs = run(graph, new Map([["x", one]]), { made }).get(graph.outputs[0]!.name)!.data;
  const w = constantOf(graph.constants.get(layer.weight)!).data;
  const G = loss.hessian(outputs);
  const C = outputs.length;
  const size = layer.d * layer.m;
  const J = Array.from({ length: size }, (_, index) => {
    const place = layer.place(Math.floor(index / layer.m), index % layer.m);
    const changed = outputsAt(graph, one, layer.weight, w.with(place, w[place]! + 1), made);
    return changed.map((output, c) => output - outputs[c]!);
  });
  const GJ = J.map((column) => Float64Array.from(column, (_, c) => dot(G.subarray(c * C, (c + 1) * C), column)));
  const hessian = new Matrix(size, size);
  for (let a = 0; a < size; a++) for (let b = 0; b < size; b++) hessian.set(a, b, dot(J[a]!, GJ[b]!));
  return hessian;
}

/** Step of second differences: rounding over its square and the fourth derivative leave about 1e-7. */
const STEP = 1e-4;

/** Second differences of the loss, between weights on the same feature alone: λ_max needs them all, and is not asked for here. */
function byDifferences(
  net: Sketched,
  layer: SketchedLayer,
  loss: Loss64,
  sample: number,
  target: Float64Array,
): Matrix {
  const size = layer.d * layer.m;
  const at = lossAt(net, layer, loss, sample, target);
  const hessian = new Matrix(size, size);
  for (let a = 0; a < size; a++) {
    for (let b = 0; b <= a; b++) {
      if (a % layer.m !== b % layer.m) continue;
      const both = at([a, STEP], [b, STEP]) + at([a, -STEP], [b, -STEP]);
      const entry = (both - at([a, STEP], [b, -STEP]) - at([a, -STEP], [b, STEP])) / (4 * STEP ** 2);
      hessian.set(a, b, entry);
      hessian.set(b, a, entry);
    }
  }
  return hessian;
}

/** ∂ℓ_i/∂W by central differences. */
function slopes(net: Sketched, layer: SketchedLayer, loss: Loss64, sample: number, target: Float64Array): number[] {
  const step = 1e-6;
  const at = lossAt(net, layer, loss, sample, target);
  return Array.from({ length: layer.d * layer.m }, (_, index) => (at([index, step]) - at([index, -step])) / (2 * step));
}

function lossAt(
  { graph, x }: Sketched,
  layer: SketchedLayer,
  loss: Loss64,
  sample: number,
  target: Float64Array,
): (...changes: [index: number, change: number][]) => number {
  const one = sampleOf(x, sample);
  const w = constantOf(graph.constants.get(layer.weight)!).data;
  return (...changes) => {
    const changed = w.slice();
    for (const [index, change] of changes)
      changed[layer.place(Math.floor(index / layer.m), index % layer.m)]! += change;
    return loss.value(outputsAt(graph, one, layer.weight, changed), target);
  };
}
