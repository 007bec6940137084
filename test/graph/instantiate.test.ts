import { describe, expect, it, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { count, Tensor } from "../../src/graph/tensor.ts";
import { dynamicModels, staticModels } from "./batch-models.ts";
import { distance, numbersOf, runGraph, waves } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

/** Sums in another order: a few units in the last place of numbers of order 10. */
const ROUNDING = 1e-5;

const types = (batch: number, sample: readonly number[]) =>
  new Map([["x", { type: "float32" as const, dims: [batch, ...sample] }]]);

/** The output of each sample, from a graph that takes `batch` at once. The last batch repeats its last sample. */
async function runBatches(
  graph: Graph,
  samples: Float32Array[],
  batch: number,
  sample: readonly number[],
): Promise<number[][]> {
  const rows: number[][] = [];
  for (let first = 0; first < samples.length; first += batch) {
    const data = new Float32Array(batch * count(sample));
    for (let index = 0; index < batch; index++) {
      data.set(samples[Math.min(first + index, samples.length - 1)] as Float32Array, index * count(sample));
    }
    const results = await runGraph(graph, new Map([["x", Tensor.float32([batch, ...sample], data)]]));
    const values = numbersOf([...results.values()][0] as { data: Float32Array });
    const width = values.length / batch;
    for (let index = 0; index < batch; index++) rows.push(values.slice(index * width, (index + 1) * width));
  }
  return rows.slice(0, samples.length);
}

function samplesOf(sample: readonly number[]): Float32Array[] {
  return Array.from({ length: 5 }, (_, index) => waves(count(sample), 1 + index / 3));
}

describe.each(staticModels)("$name", ({ sample, rewritten, build }) => {
  test.each([
    [1, 5],
    [4, 5],
    [4, 2],
    [4, 1],
    [2, 4],
  ])("exported for batches of %i, instantiated for %i", async (exported, batch) => {
    const model = build(exported);
    const instance = instantiate(model, types(batch, sample));
    const ops = instance.rewritten.map((name) => /\((\w+)\)/.exec(name)?.[1]);
    expect(ops).toEqual(rewritten);
    const samples = samplesOf(sample);
    const expected = await runBatches(model, samples, exported, sample);
    const actual = await runBatches(instance.builder.graph(new Map([["y", "y"]])), samples, batch, sample);
    expected.forEach((row, index) => expect(distance(actual[index] ?? [], row)).toBeLessThanOrEqual(ROUNDING));
  });

  it("is not touched at its own batch size", () => {
    const model = build(4);
    const { builder, rewritten: none } = instantiate(model, types(4, sample));
    expect(none).toEqual([]);
    expect(builder.nodes).toEqual(model.nodes);
  });
});

describe.each(dynamicModels)("$name", ({ sample, build }) => {
  it("gives at a batch of 5 what it gives sample by sample", async () => {
    const { builder } = instantiate(build(1), types(5, sample));
    const samples = samplesOf(sample);
    const expected = await runBatches(build(1), samples, 1, sample);
    const actual = await runBatches(builder.graph(new Map([["y", "y"]])), samples, 5, sample);
    expected.forEach((row, index) => expect(distance(actual[index] ?? [], row)).toBeLessThanOrEqual(ROUNDING));
  });
});

it("shape arithmetic is folded away", () => {
  const { builder, rewritten } = instantiate(
    (dynamicModels[0] as (typeof dynamicModels)[0]).build(1),
    types(5, [2, 3]),
  );
  expect(builder.nodes.map(({ op }) => op)).toEqual(["Reshape", "MatMul"]);
  expect(builder.constantOf("target")?.data).toEqual(BigInt64Array.of(5n, -1n));
  expect(rewritten).toEqual([]);
});

it("types of values behind an operator without a rule are taken as known", () => {
  const graph = graphOf({ x: ["N", 3] }, [
    node("Own", ["x"], "h", {}, { domain: "com.example" }),
    node("Softmax", ["h"], "y"),
  ]);
  const type = { type: "float32" as const, dims: [2, 7] };
  expect(instantiate(graph, types(2, [3])).builder.typeIfKnown("y")).toBeUndefined();
  expect(instantiate(graph, types(2, [3]), new Map([["h", type]])).builder.type("y")).toEqual(type);
});

it("the batch is that of the inputs that have one", async () => {
  const model: Graph = {
    ...graphOf({ x: [1, 4] }, [node("Reshape", ["x", "s"], "r"), node("Mul", ["r", "scale"], "y")], {
      s: Tensor.int64([1, 2, 2]),
    }),
    inputs: [
      { name: "x", type: "float32", dims: [1, 4] },
      { name: "scale", type: "float32", dims: [] },
    ],
  };
  const inputs = new Map([...types(3, [4]), ["scale", { type: "float32" as const, dims: [] }] as const]);
  expect(instantiate(model, inputs).builder.dims("y")).toEqual([3, 2, 2]);
});

describe("refuses", () => {
  it("an input that is not given", () => {
    const graph = graphOf({ x: ["N", 3] }, [node("Relu", ["x"], "y")]);
    expect(() => instantiate(graph, new Map())).toThrow(new ModelError("input x: expected an array, got none"));
  });

  it("a shape that no batch fits", () => {
    const graph = graphOf({ x: ["N", 3] }, [node("Reshape", ["x", "s"], "y")], { s: Tensor.int64([2, 4]) });
    expect(() => instantiate(graph, types(5, [3]))).toThrow(
      "node y (Reshape): 15 elements of shape [5, 3] cannot be reshaped to [",
    );
  });
});
