import { describe, expect, test } from "vitest";
import { syntheticDistribution } from "../../../src/data/synthetic.ts";
import { featureModel } from "../../../src/data/synthetic/models.ts";
import { networkFor } from "../../../src/data/synthetic/problem.ts";
import { INVERSION_ERROR, randomTanhNetwork, type TanhNetwork } from "../../../src/data/synthetic/tanh-network.ts";
import { DataError, UsageError } from "../../../src/errors.ts";
import type { Graph } from "../../../src/graph/graph.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";

/** Rows that are rounded to float32 have right angles up to its rounding. */
const FLOAT32 = 1e-6;

async function run(graph: Graph, x: Float32Array, width: number): Promise<Float32Array> {
  const session = await nodeRuntime.open(graph, { provider: "cpu", threads: 1 });
  try {
    const outputs = await session.run(new Map([["x", { type: "float32", dims: [x.length / width, width], data: x }]]));
    return outputs.get("features")!.data as Float32Array;
  } finally {
    await session.release();
  }
}

/** max ‖φ(x) − z‖/‖z‖ in ONNX Runtime. */
async function inversionError(network: TanhNetwork, z: Float64Array): Promise<number> {
  const [inputs, m] = [network.widths[0]!, network.widths.at(-1)!];
  const reached = await run(featureModel(network), network.inverse(z), inputs);
  let worst = 0;
  for (let start = 0; start < z.length; start += m) {
    let [off, size] = [0, 0];
    for (let j = start; j < start + m; j++) {
      off += (reached[j]! - z[j]!) ** 2;
      size += z[j]! ** 2;
    }
    worst = Math.max(worst, Math.sqrt(off / size));
  }
  return worst;
}

describe("inverse", () => {
  test.each([
    ["the paper's", [784, 512, 128, 16], 200],
    ["a deeper one", [96, 80, 64, 48, 32, 16, 12], 2000],
    ["square layers", [10, 10, 10, 10], 2000],
    ["no hidden layer", [12], 2000],
  ])("%s: φ(x) is z in the runtime's float32", async (_, widths, n) => {
    const distribution = syntheticDistribution({ separation: 0.5, seed: 1 });
    const network = networkFor(distribution, widths);
    expect(await inversionError(network, distribution.sample(n, 3).features)).toBeLessThan(INVERSION_ERROR);
  });

  test("features that are tiny beside the others are reached as well", async () => {
    const distribution = syntheticDistribution();
    const network = networkFor(distribution, [64, 32, 16]);
    const tiny = distribution.sample(100, 3).features.map((value) => value * 1e-6);
    expect(await inversionError(network, tiny)).toBeLessThan(INVERSION_ERROR);
  });

  test("one layer: x = Wᵀz/gain², by hand", () => {
    const z = Float64Array.of(1, 2, -1, 0.5);
    const network = randomTanhNetwork([3], z, 2, 0);
    const { weights, gain } = network.layers[0]!;
    const x = network.inverse(z);
    for (let j = 0; j < 3; j++) expect(x[j]).toBeCloseTo((weights[j]! * 1 + weights[3 + j]! * 2) / gain ** 2, 6);
  });

  test("no sample in twenty thousand is out of reach", () => {
    const distribution = syntheticDistribution({ clusters: "stretched", separation: 2 });
    const network = networkFor(distribution, [24, 20, 16, 12, 10]);
    expect(network.inverse(distribution.sample(20_000, 5).features)).toHaveLength(24 * 20_000);
  });

  test("the network bends: twice the input is not twice the features", async () => {
    const distribution = syntheticDistribution();
    const network = networkFor(distribution, [16, 12, 10]);
    const x = network.inverse(distribution.sample(100, 1).features);
    const [once, twice] = [
      await run(featureModel(network), x, 16),
      await run(
        featureModel(network),
        x.map((v) => 2 * v),
        16,
      ),
    ];
    const off = once.reduce((sum, value, i) => sum + (twice[i]! - 2 * value) ** 2, 0);
    const size = once.reduce((sum, value) => sum + (2 * value) ** 2, 0);
    expect(Math.sqrt(off / size)).toBeGreaterThan(0.01);
  });

  test("layers have orthogonal rows of one length, and other seeds other ones", () => {
    const distribution = syntheticDistribution();
    const network = networkFor(distribution, [40, 20]);
    for (const { weights, inputs, outputs, gain } of network.layers) {
      for (let a = 0; a < outputs; a++) {
        for (let b = 0; b <= a; b++) {
          let product = 0;
          for (let j = 0; j < inputs; j++) product += weights[a * inputs + j]! * weights[b * inputs + j]!;
          expect(Math.abs(product / gain ** 2 - (a === b ? 1 : 0))).toBeLessThan(FLOAT32);
        }
      }
    }
    expect(networkFor(distribution, [40, 20]).layers).toEqual(network.layers);
    const other = networkFor(syntheticDistribution({ seed: 1 }), [40, 20]);
    expect(other.layers[0]!.weights).not.toEqual(network.layers[0]!.weights);
  });
});

describe("refused", () => {
  const distribution = syntheticDistribution();
  const { features } = distribution.sample(100, 1);

  test.each([
    [[], /phi: expected the number of inputs/],
    [[16, 32], /phi: layer phi\.1 would make 32 units of 16: without an exact inverse/],
    [
      [32, 8],
      /phi: layer phi\.2 would make the 10 features of 8: without an exact inverse; let dimensions not increase/,
    ],
    [[32, 0], /phi: expected whole numbers from 1 to 4096, came 0/],
    [[5000], /phi: expected whole numbers from 1 to 4096, came 5000/],
  ])("widths %j", (widths, message) => {
    expect(() => networkFor(distribution, widths)).toThrow(UsageError);
    expect(() => networkFor(distribution, widths)).toThrow(message);
  });

  test("features outside of tanh's range: the layer, the sample and the unit are named", () => {
    const network = networkFor(distribution, [64, 32, 16]);
    const far = features.slice();
    for (let j = 0; j < 10; j++) far[70 + j]! *= 30;
    expect(() => network.inverse(far)).toThrow(DataError);
    expect(() => network.inverse(far)).toThrow(
      /^phi: layer phi\.2: cannot reach the features of sample 7: phi\.3 expects unit \d+ at -?\d+\.\d+, tanh ends at ±1/,
    );
  });

  test.each([0, 1, 2])("a damaged layer %d: the first that is off is named", (index) => {
    const network = networkFor(distribution, [64, 32, 16]);
    network.layers[index]!.weights[5]! *= 1.5;
    expect(() => network.inverse(features)).toThrow(DataError);
    expect(() => network.inverse(features)).toThrow(`phi: layer phi.${index + 1}: off by`);
  });
});
