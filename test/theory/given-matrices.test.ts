import { describe, expect, test } from "vitest";
import { HaarOrthogonal } from "../../src/statistics/haar-orthogonal.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { featureRobustness } from "../../src/theory/feature-robustness.ts";
import { givenMatrix } from "../../src/theory/feature-matrix.ts";
import { taylorTheory } from "../../src/theory/robustness-theory.ts";
import { type Decisions, run } from "../float64-reference.ts";
import { datasetOf, modelOf, widthOf } from "../sketch-data.ts";
import type { Sketched, SketchedLayer } from "../sketch.ts";
import { TIED, tinyNetworks } from "../tiny-networks.ts";
import { withLayer } from "./opened.ts";

// E_F of a given A on every kind of layer: risk(W + δWA) − risk(W) of a second program in float64. With the decisions at the kinks of the
// network held fast its differences in δ are the first and the second order that theory has.

/** Differences of float32 losses of a few samples, each to some roundings of itself and of the scores. */
const FLOAT32 = 2e-6;
/** Derivatives in float32, and differences in float64 whose next order is δ² of them. */
const DERIVATIVE = 2e-5;
const LARGE = 0.3;
const SMALL = 1e-3;

/** Mean softmax cross-entropy of a sketch with other weights in a layer, labels in turn. */
function riskOf(net: Sketched, layer: SketchedLayer, matrix: ArrayLike<number>, options: Parameters<typeof run>[2]) {
  const { weight, d, m, place } = layer;
  const dims = net.graph.constants.get(weight)!.dims;
  const data = new Float64Array(d * m);
  for (let row = 0; row < d; row++)
    for (let column = 0; column < m; column++) data[place(row, column)] = matrix[row * m + column]!;
  const given = new Map([
    ["x", net.x],
    [weight, { dims, data }],
  ]);
  const scores = run(net.graph, given, options).get(net.graph.outputs[0]!.name)!.data;
  const width = widthOf(net);
  const n = net.x.dims[0]!;
  let sum = 0;
  for (let sample = 0; sample < n; sample++) {
    const own = Array.from(scores.subarray(sample * width, (sample + 1) * width));
    const largest = Math.max(...own);
    sum +=
      largest + Math.log(own.reduce((total, score) => total + Math.exp(score - largest), 0)) - own[sample % width]!;
  }
  return sum / n;
}

describe.each(Object.entries(tinyNetworks))("%s", (name, make) => {
  const net = make();
  test.each(net.layers.map((layer) => [layer.name, layer] as const))("layer %s", async (_, layer) => {
    const { weight, d, m } = layer;
    const unit = Float64Array.from({ length: m * m }, (_each, index) => (index % (m + 1) === 0 ? 1 : 0));
    const values = new HaarOrthogonal(new RandomStream(d, "given"), m).afterRows(unit).map((value) => 0.9 * value);
    const family = { kind: "given" as const, name: "matrix", members: [await givenMatrix("A", values, m)] };
    const task = { family, deltas: [SMALL, LARGE], draws: 1, seed: 0, antithetic: false };
    const { rows, own } = await withLayer(
      modelOf(net.graph),
      datasetOf(net, "cross-entropy"),
      weight,
      async (opened) => ({
        rows: await featureRobustness(opened, task, await taylorTheory(opened, task)),
        own: opened.matrix,
      }),
    );
    // W + δWA, by rows.
    const moved = (delta: number) =>
      own.map((value, index) => {
        const row = index - (index % m);
        let sum = 0;
        for (let inner = 0; inner < m; inner++) sum += own[row + inner]! * values[inner * m + (index % m)]!;
        return value + delta * sum;
      });
    const made: Decisions = new Map();
    const base = riskOf(net, layer, own, { made });
    const [small, large] = rows as [(typeof rows)[0], (typeof rows)[0]];
    const truth = riskOf(net, layer, moved(LARGE), {}) - base;
    expect(Math.abs(large!.measured - truth)).toBeLessThan(FLOAT32 * (1 + Math.abs(truth)));
    // Ties are kinks that the network stands on: each program decides by itself.
    if (name === TIED) return;
    const [up, down] = [SMALL, -SMALL].map((delta) => riskOf(net, layer, moved(delta), { kept: made }) - base);
    const [first, second] = [(up! - down!) / (2 * SMALL), (up! + down!) / SMALL ** 2];
    // theory(δ) = δ a + δ² b / 2 at two δ gives a and b.
    const b = (2 * (large!.theory! / LARGE - small!.theory! / SMALL)) / (LARGE - SMALL);
    const a = small!.theory! / SMALL - (SMALL * b) / 2;
    const size = Math.abs(first) + Math.abs(second);
    expect(Math.abs(a - first)).toBeLessThan(DERIVATIVE * size);
    expect(Math.abs(b - second)).toBeLessThan(DERIVATIVE * size);
  });
});
