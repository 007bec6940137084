import { describe, expect, test } from "vitest";
import { generatedInputs } from "../../src/evaluation/generated-inputs.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { graphOf, node } from "../graph/small-graph.ts";

const read = async (graph: Graph, n = 400, shapes = {}) => {
  const data = generatedInputs(graph, n, 3, shapes);
  return data.read(Int32Array.from({ length: n }, (_, index) => index));
};
const relu = (dims: (number | string | undefined)[]) => graphOf({ x: dims }, [node("Relu", ["x"], "y")]);

test("numbers are standard normal, the same for the same seed", async () => {
  const { data, dims } = (await read(relu(["N", 5]))).get("x")!;
  expect(dims).toEqual([400, 5]);
  const values = Array.from(data as Float32Array);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  // Four standard errors of 2 000 numbers.
  expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(2000));
  expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / 2000));
  expect((await read(relu(["N", 5]))).get("x")!.data).toEqual(data);
});

test("sizes that are open are given", async () => {
  expect((await read(relu(["N", 3, "H", undefined]), 2, { x: [3, 4, 5] })).get("x")!.dims).toEqual([2, 3, 4, 5]);
});

const table = (rows: number) => Tensor.float32([rows, 2], new Float32Array(rows * 2));

describe("tokens", () => {
  const integers = (nodes: Parameters<typeof graphOf>[1], constants: Parameters<typeof graphOf>[2]) => ({
    ...graphOf({ x: ["N", 4] }, nodes, constants),
    inputs: [{ name: "x", type: "int64" as const, dims: ["N", 4] }],
  });
  const tokensOf = async (graph: Graph) => Array.from((await read(graph)).get("x")!.data as BigInt64Array, Number);

  test("index every table that reads them", async () => {
    const graph = integers(
      [
        node("Gather", ["small", "x"], "a"),
        node("Cast", ["x"], "c", { to: 6 }),
        node("Gather", ["large", "c"], "b"),
        node("Add", ["a", "b"], "y"),
      ],
      { small: table(7), large: table(9) },
    );
    expect([...new Set(await tokensOf(graph))].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("are 0 or 1 where none does", async () => {
    const graph = integers([node("Cast", ["x"], "y", { to: 1 })], {});
    expect([...new Set(await tokensOf(graph))].toSorted()).toEqual([0, 1]);
  });
});

test("several inputs, each by itself", async () => {
  const graph = graphOf({ a: ["N", 2], b: ["N", 2] }, [node("Add", ["a", "b"], "y")]);
  const batch = await read(graph, 3);
  expect([...batch.keys()]).toEqual(["a", "b"]);
  expect(batch.get("a")!.data).not.toEqual(batch.get("b")!.data);
});

test.each([
  [
    "an open size",
    relu(["N", 3, "H"]),
    {},
    /^input x: expected the shape of one sample, 3xH, which the model leaves open: --input-shape x=… gives it/,
  ],
  ["another size", relu(["N", 3, "H"]), { x: [4, 8] }, /expected the shape of one sample, 3xH, came 4x8/],
  ["another rank", relu(["N", 3, "H"]), { x: [3, 8, 8] }, /came 3x8x8/],
  ["no such input", relu(["N", 3]), { z: [3] }, /^input z: no such input\. The model has: x\.$/],
  [
    "text",
    { ...relu(["N", 3]), inputs: [{ name: "x", type: "string" as const, dims: ["N", 3] }] },
    {},
    /^input x: samples of type string cannot be generated/,
  ],
])("refuses %s", (_, graph, shapes, message) => {
  expect(() => generatedInputs(graph, 2, 0, shapes)).toThrow(message);
});
