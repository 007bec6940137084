import { describe, expect, it, test } from "vitest";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import { convertOpset } from "../../src/graph/opset.ts";
import { count } from "../../src/graph/tensor.ts";
import { opsetCases } from "./cases/opset.ts";
import { difference, graphOf, label, run } from "./opset-case.ts";
import { waves } from "./running.ts";

describe("convertOpset gives the values of the original", () => {
  test.each(opsetCases.map((row) => [label(row), row] as const))("%s", async (_, row) => {
    const original = graphOf(row);
    const converted = convertOpset(original);
    expect(converted.opset).toBe(18);
    const nodes = row.undeclared ? converted.nodes.slice(1) : converted.nodes;
    if (row.to) expect(nodes.map(({ op }) => op)).toEqual(row.to);
    else expect(nodes[0]).toBe(original.nodes.at(-1));

    const feed = waves(count(row.dims));
    const expected = await run(original, feed, row.dims);
    const actual = await run(converted, feed, row.dims);
    expected.forEach((value, index) => {
      expect(actual[index]?.type).toBe(value.type);
      expect(actual[index]?.dims).toEqual(value.dims);
      expect(difference(actual[index], value)).toBeLessThanOrEqual(row.tolerance ?? 0);
    });
  });
});

it("softmax over all axes from the first on sums to one over them", async () => {
  const graph = convertOpset(graphOf({ op: "Softmax", opset: 9, dims: [1, 2, 2] }));
  const [result] = await run(graph, Float32Array.of(0, Math.log(2), Math.log(3), Math.log(4)), [1, 2, 2]);
  [0.1, 0.2, 0.3, 0.4].forEach((value, index) => expect(Number(result?.data[index])).toBeCloseTo(value, 6));
});

it("a graph at opset 18 is returned as it is", () => {
  const graph = graphOf({ op: "Relu", opset: 18, dims: [2] });
  expect(convertOpset(graph)).toBe(graph);
});

it("bytes read, converted and written at opset 18 run", async () => {
  const graph = graphOf({ op: "ReduceMean", opset: 13, attributes: { axes: [1] }, dims: [2, 3] });
  const feed = Float32Array.of(1, 2, 3, 4, 5, 9);
  const [result] = await run(convertOpset(decodeModel(encodeModel(graph))), feed, [2, 3]);
  expect(result?.data).toEqual(Float32Array.of(2, 6));
});
