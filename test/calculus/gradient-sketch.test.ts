import { describe, expect, test } from "vitest";
import { gradientSketch, type Signs } from "../../src/calculus/gradient-sketch.ts";
import { pullBack } from "../../src/calculus/vjp.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { findLayers } from "../../src/graph/layers.ts";
import { expand, reduceSum, square } from "../../src/graph/operators.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { maximumError, type Array64 } from "../float64-array.ts";
import { outputsAt, sampleOf } from "../float64-curvature.ts";
import { constantOf, run, type Decisions } from "../float64-reference.ts";
import { float32Array, valuesOf } from "../run-graph.ts";
import type { Sketched, SketchedLayer } from "../sketch.ts";
import { tinyNetworks } from "../tiny-networks.ts";

/** float32 against float64: sums of at most a few hundred products of both signs, the sums of signs among them. */
const ROUNDING = 2e-5;

/** All rows of M in one bucket and nothing but pluses: the sum of all elements of M. */
const ones: Signs = { sign: () => 1, below: () => 0 };

/** Sums of the sketches of every layer, and of their squared lengths, over some samples under the loss ½Σf² of the outputs. */
async function sums({ graph }: Sketched, x: Array64, signs: (name: string) => Signs) {
  const batch = x.dims[0]!;
  const { builder: b } = instantiate(graph, new Map([["x", { type: "float32", dims: x.dims }]]), new Map());
  const layers = findLayers(b);
  const output = graph.outputs[0]!.name;
  const axes = b.dims(output).flatMap((_, axis) => (axis === 0 ? [] : [axis]));
  const twice = reduceSum(b, square(b, output), axes);
  const targets = layers.flatMap(({ uses }) => uses.map((use) => use.preactivation));
  const pulled = pullBack(b, new Map([[twice, expand(b, b.scalar(0.5), [1, batch])]]), targets, 1);
  const made = layers.map((layer) => [layer.name, gradientSketch(b, layer, pulled, signs(layer.name))] as const);
  const wanted = made.flatMap(([name, { sum, squares }]) => [
    [`${name} sum`, sum] as const,
    [`${name} squares`, squares] as const,
  ]);
  const got = await valuesOf(b, Object.fromEntries(wanted), { x: float32Array(x) });
  return new Map(made.map(([name]) => [name, { sum: [...got[`${name} sum`]!], squares: got[`${name} squares`]![0]! }]));
}

/** Sketches of every layer, a list of numbers a sample: the sums over one sample. */
async function sketches(net: Sketched, signs: (name: string) => Signs, samples = net.x.dims[0]!) {
  const found = new Map<string, number[][]>();
  for (let sample = 0; sample < samples; sample++) {
    for (const [name, { sum }] of await sums(net, sampleOf(net.x, sample), signs)) {
      found.set(name, [...(found.get(name) ?? []), sum]);
    }
  }
  return found;
}

/** M_i = Wᵀ ∂ℓ_i/∂W by the difference of outputs, exact as with decisions at kinks kept the network is affine in W: m·m of each group. */
function exact({ graph, x }: Sketched, layer: SketchedLayer, sample: number): Float64Array[] {
  const one = sampleOf(x, sample);
  const made: Decisions = new Map();
  const outputs = run(graph, new Map([["x", one]]), { made }).get(graph.outputs[0]!.name)!.data;
  const w = constantOf(graph.constants.get(layer.weight)!).data;
  const slope = (place: number) => {
    const changed = outputsAt(graph, one, layer.weight, w.with(place, w[place]! + 1), made);
    return changed.reduce((sum, f, c) => sum + outputs[c]! * (f - outputs[c]!), 0);
  };
  const { d, m, groups } = layer;
  const gradient = Array.from({ length: d * m }, (_, at) => slope(layer.place(Math.floor(at / m), at % m)));
  return Array.from({ length: groups }, (_, group) => {
    const product = new Float64Array(m * m);
    for (let s = (group * d) / groups; s < ((group + 1) * d) / groups; s++) {
      for (let j = 0; j < m; j++) {
        for (let k = 0; k < m; k++) product[j * m + k]! += w[layer.place(s, j)]! * gradient[s * m + k]!;
      }
    }
    return product;
  });
}

describe.each(Object.entries(tinyNetworks))("%s", (_, make) => {
  const net = make();

  test("without signs the sketch is the sum of all elements of Wᵀ∂ℓ/∂W, whatever the kind of layer", async () => {
    const got = await sketches(net, () => ones);
    const known = net.layers.filter(({ name }) => got.has(name));
    expect(known.length).toBeGreaterThan(0);
    for (const layer of known) {
      const values = got.get(layer.name)!;
      const truth = values.map((_, sample) => exact(net, layer, sample).reduce((sum, each) => sum + total(each), 0));
      const k = values[0]!.length / 16;
      // Every row of Q is the same, and the rest of the buckets are empty.
      for (let row = 0; row < k; row++) {
        const first = values.map((list) => list[row]! * Math.sqrt(k));
        expect(maximumError(first, truth)).toBeLessThan(ROUNDING);
      }
      for (const list of values) expect(list.slice(k).every((value) => value === 0)).toBe(true);
    }
  });
});

test.each(Object.entries(tinyNetworks))("%s: sums over samples are those of the samples' sketches", async (_, make) => {
  const net = make();
  const signs = (name: string) => new RandomStream(7, name);
  const each = await sketches(net, signs);
  for (const [name, { sum, squares }] of await sums(net, net.x, signs)) {
    const lists = each.get(name)!;
    const expected = lists[0]!.map((__, place) => lists.reduce((all, list) => all + list[place]!, 0));
    expect(maximumError(sum, expected)).toBeLessThan(ROUNDING);
    const squared = lists.flat().reduce((all, value) => all + value * value, 0);
    expect(maximumError([squares], [squared])).toBeLessThan(ROUNDING);
  }
});

const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);

test("its squared length is that of Wᵀ∂ℓ/∂W in the mean over signs, within four standard errors", async () => {
  const net = tinyNetworks["convolution in groups, and a depthwise one"]!();
  const draws = 300;
  for (const layer of net.layers) {
    const truth = exact(net, layer, 0).reduce(
      (sum, each) => sum + each.reduce((all, value) => all + value * value, 0),
      0,
    );
    const lengths: number[] = [];
    for (let seed = 0; seed < draws; seed++) {
      const stream = (name: string): Signs => (name === layer.name ? new RandomStream(seed, name) : ones);
      const [first] = (await sketches(net, stream, 1)).get(layer.name)!;
      lengths.push(first!.reduce((sum, value) => sum + value * value, 0) / truth);
    }
    const mean = lengths.reduce((sum, value) => sum + value, 0) / draws;
    const spread = Math.sqrt(lengths.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (draws - 1));
    expect(Math.abs(mean - 1)).toBeLessThan((4 * spread) / Math.sqrt(draws));
    // What the comment says of its spread, for the fewest rows.
    expect(spread).toBeLessThan(Math.sqrt(2 / 16 + 2 / 2 + 4 / 32) * 1.2);
  }
});
