import { describe, expect, test } from "vitest";
import { hessianVectorProduct } from "../../src/calculus/hessian-vector-product.ts";
import { fuse } from "../../src/graph/fusion.ts";
import type { Graph, ValueId, ValueType } from "../../src/graph/graph.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { findLayers } from "../../src/graph/layers.ts";
import { lossNamed } from "../../src/losses/catalog.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { dot, maximumError } from "../float64-array.ts";
import { losses64, sampleOf, type Loss64 } from "../float64-curvature.ts";
import { constantOf, run } from "../float64-reference.ts";
import { goldenBatch, goldenModel } from "../golden-model.ts";
import { floats, integers } from "../losses/at-scores.ts";
import { targetsOf } from "../sketch-data.ts";
import type { Sketched } from "../sketch.ts";
import { smoothNetworks } from "../smooth-networks.ts";

/** float32 sweeps against float64, in units of the largest entry. */
const ROUNDING = 5e-6;
/** Second differences at a step and twice it, extrapolated: what the sixth derivative and rounding leave is 1e-9. */
const STEP = 2e-3;
/** ⟨u, Hv⟩ and ⟨Hu, v⟩ are sums of thousands of float32 numbers of both signs, relative to ‖u‖‖Hv‖. */
const SYMMETRIC = 1e-6;

/** H v of all layers of a model together, at a batch; v and Hv in the initializers' order. */
class Products {
  readonly #session;
  readonly #feeds: Readonly<Record<string, RuntimeArray>>;
  readonly #initializers: readonly (readonly [name: ValueId, dims: readonly number[]])[];

  constructor(
    graph: Graph,
    { loss, x, y, weights }: { loss: string; x: RuntimeArray; y: RuntimeArray; weights: readonly number[] },
    gaussNewton: boolean,
  ) {
    const [input] = graph.inputs;
    const types = new Map<ValueId, ValueType>([[input!.name, x]]);
    const { builder: b } = instantiate(graph, types);
    const output = graph.outputs[0]!.name;
    const kind = lossNamed(loss);
    const terms = kind.terms(b.dims(output), y.dims.slice(1));
    const labels = kind.prepare(y, terms, { ignoreIndex: -100, sample: (index) => index });
    const scored = {
      loss: kind,
      scores: terms.arrange(b, output),
      labels: b.input("labels", labels.type, labels.dims),
    };
    const names = [...new Set(findLayers(b).map(({ initializer }) => initializer))];
    this.#initializers = names.map((name) => [name, b.dims(name)]);
    const vectors = new Map(names.map((name) => [name, b.input(`v ${name}`, "float32", b.dims(name))]));
    const n = b.input("weights", "float32", [weights.length]);
    const products = hessianVectorProduct(b, scored, vectors, n, gaussNewton);
    const named = new Map([...products].map(([name, value]) => [`Hv ${name}`, value]));
    this.#session = nodeRuntime.open(b.graph(named), { provider: "cpu", threads: 1 });
    this.#feeds = { [input!.name]: x, labels, weights: floats([weights.length], weights) };
  }

  get size(): number {
    return this.#initializers.reduce((sum, [, dims]) => sum + dims.reduce((a, c) => a * c, 1), 0);
  }

  async of(vector: Float64Array): Promise<Float64Array> {
    const feeds = new Map(Object.entries(this.#feeds));
    let at = 0;
    const places = this.#initializers.map(([name, dims]) => {
      const count = dims.reduce((a, c) => a * c, 1);
      feeds.set(`v ${name}`, floats(dims, vector.subarray(at, at + count)));
      at += count;
      return [name, at - count] as const;
    });
    const outputs = await (await this.#session).run(feeds);
    const product = new Float64Array(vector.length);
    for (const [name, start] of places) product.set((outputs.get(`Hv ${name}`)?.data ?? []) as Float32Array, start);
    return product;
  }

  async matrix(): Promise<Float64Array[]> {
    const rows: Float64Array[] = [];
    for (let index = 0; index < this.size; index++)
      rows.push(await this.of(new Float64Array(this.size).fill(1, index, index + 1)));
    return rows;
  }

  async release(): Promise<void> {
    await (await this.#session).release();
  }
}

/** Σ_i weight_i ℓ_i as a function of all layers' weights, moved along unit vectors. */
function reference(net: Sketched, loss: Loss64, weights: readonly number[]) {
  const places = [...new Set(net.layers.map(({ weight }) => weight))].flatMap((weight) =>
    Array.from(constantOf(net.graph.constants.get(weight)!).data, (_, place) => ({ weight, place })),
  );
  const outputsAt = (sample: number, ...moves: (readonly [index: number, by: number])[]) => {
    const given = new Map([["x", sampleOf(net.x, sample)]]);
    for (const [index, by] of moves) {
      const { weight, place } = places[index]!;
      const { dims, data } = given.get(weight) ?? constantOf(net.graph.constants.get(weight)!);
      given.set(weight, { dims, data: data.with(place, data[place]! + by) });
    }
    return run(net.graph, given).get(net.graph.outputs[0]!.name)!.data;
  };
  const targets = weights.map((_, sample) => Float64Array.from(targetsOf(net, loss.name, sample)));
  const risk = (...moves: (readonly [index: number, by: number])[]) =>
    weights.reduce(
      (sum, weight, sample) =>
        weight === 0 ? sum : sum + weight * loss.value(outputsAt(sample, ...moves), targets[sample]!),
      0,
    );
  const mixed = (i: number, j: number, h: number) =>
    (risk([i, h], [j, h]) + risk([i, -h], [j, -h]) - risk([i, h], [j, -h]) - risk([i, -h], [j, h])) / (4 * h * h);
  const slope = (sample: number, i: number, h: number) => {
    const [up, down] = [outputsAt(sample, [i, h]), outputsAt(sample, [i, -h])];
    return up.map((value, c) => (value - down[c]!) / (2 * h));
  };
  return {
    size: places.length,
    /** Row i of H. */
    hessianRow: (i: number) => places.map((_, j) => (4 * mixed(i, j, STEP) - mixed(i, j, 2 * STEP)) / 3),
    /** Jᵀ G J. */
    gaussNewton() {
      const total = places.map(() => new Float64Array(places.length));
      weights.forEach((weight, sample) => {
        const G = loss.hessian(outputsAt(sample));
        const J = places.map((_, i) => {
          const [near, far] = [slope(sample, i, STEP), slope(sample, i, 2 * STEP)];
          return near.map((value, c) => (4 * value - far[c]!) / 3);
        });
        const size = J[0]!.length;
        const GJ = J.map((column) => column.map((_, c) => dot(G.subarray(c * size, (c + 1) * size), column)));
        J.forEach((left, i) => GJ.forEach((right, j) => (total[i]![j]! += weight * dot(left, right))));
      });
      return total;
    },
  };
}

function inputsOf(net: Sketched, loss: string, weights: readonly number[]) {
  const n = net.x.dims[0]!;
  const targets = Array.from({ length: n }, (_, sample) => targetsOf(net, loss, sample)).flat();
  const y = loss === "cross-entropy" ? integers([n], targets) : floats([n, targets.length / n], targets);
  return { loss, x: floats(net.x.dims, net.x.data), y, weights };
}

/** The second sample is padding. */
const weights = [1, 0, 1];

const cases = Object.keys(smoothNetworks).filter((name) => !name.startsWith("embedding"));

describe.each(cases)("%s", (name) => {
  const net = smoothNetworks[name]!();

  test.each(losses64)("$name: rows of H are second differences, within layers and between", async (loss) => {
    const products = new Products(net.graph, inputsOf(net, loss.name, weights), false);
    const truth = reference(net, loss, weights);
    expect(products.size).toBe(truth.size);
    const [got, expected]: [number[], number[]] = [[], []];
    for (let row = 0; row < truth.size; row += 5) {
      got.push(...(await products.of(new Float64Array(truth.size).fill(1, row, row + 1))));
      expected.push(...truth.hessianRow(row));
    }
    expect(maximumError(got, expected)).toBeLessThan(ROUNDING);
    await products.release();
  });

  test.each(losses64)("$name: Jᵀ G J", async (loss) => {
    const products = new Products(net.graph, inputsOf(net, loss.name, weights), true);
    const truth = reference(net, loss, weights).gaussNewton();
    const got = await products.matrix();
    expect(
      maximumError(
        got.flatMap((row) => [...row]),
        truth.flatMap((row) => [...row]),
      ),
    ).toBeLessThan(ROUNDING);
    await products.release();
  });
});

describe.each([
  ["digits-cnn-gelu-bn", 16],
  ["mini-gpt", 4],
] as const)("%s", (folder, n) => {
  test.each([
    ["Hessian", false],
    ["Gauss-Newton matrix", true],
  ])("⟨u, Hv⟩ = ⟨Hu, v⟩, and H(u + 2v) = Hu + 2Hv, of the %s", async (_, gaussNewton) => {
    const data = goldenBatch(folder);
    const batch = await data.read(
      Int32Array.from({ length: n }, (__, index) => index),
      ["x", "y"],
    );
    const y = batch.get("y") as RuntimeArray;
    // Some terms of a sample do not count.
    const labels =
      folder === "mini-gpt"
        ? BigInt64Array.from(y.data as BigInt64Array, (label, index) => (index % 3 === 0 ? -100n : label))
        : y.data;
    const given = {
      loss: "cross-entropy",
      x: batch.get("x") as RuntimeArray,
      y: { ...y, data: labels },
      weights: new Array<number>(n).fill(1),
    };
    const products = new Products(fuse(goldenModel(folder).graph), given, gaussNewton);
    const stream = new RandomStream(1, "directions");
    const [u, v] = [0, 1].map(() => Float64Array.from({ length: products.size }, () => stream.sign() * 0.1)) as [
      Float64Array,
      Float64Array,
    ];
    const [Hu, Hv] = [await products.of(u), await products.of(v)];
    const size = Math.sqrt(dot(u, u) * dot(Hv, Hv));
    expect(Math.abs(dot(u, Hv) - dot(Hu, v)) / size).toBeLessThan(SYMMETRIC);
    const both = await products.of(u.map((value, index) => value + 2 * v[index]!));
    expect(
      maximumError(
        both,
        Hu.map((value, index) => value + 2 * Hv[index]!),
      ),
    ).toBeLessThan(ROUNDING);
    if (gaussNewton) expect(dot(u, Hu)).toBeGreaterThan(0);
    await products.release();
  });
});
