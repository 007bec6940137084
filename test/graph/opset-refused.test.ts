import { describe, expect, it, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import type { Attribute, Graph, Node } from "../../src/graph/graph.ts";
import { convertOpset } from "../../src/graph/opset.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import type { Case } from "./opset-case.ts";
import { floats, graphOf, squares, statistics } from "./opset-case.ts";

describe("refuses", () => {
  const refused: readonly [string, Case, string][] = [
    ["opset 6", { op: "Relu", opset: 6, dims: [2] }, "opset 6: expected ai.onnx opset 7 to 21"],
    ["opset 22", { op: "Relu", opset: 22, dims: [2] }, "opset 22: expected ai.onnx opset 7 to 21"],
    [
      "an operator that came later",
      { op: "AffineGrid", opset: 20, dims: [1, 2, 3], others: [Tensor.int64([1, 1, 2, 2])] },
      "n (AffineGrid): operator AffineGrid of opset 20 is not supported: export the model with opset 18",
    ],
    [
      "wrapped padding",
      { op: "Pad", opset: 19, attributes: { mode: "wrap" }, dims: [2] },
      "n (Pad): mode wrap of opset 19",
    ],
    [
      "a dilated average",
      { op: "AveragePool", opset: 19, attributes: { kernel_shape: [2, 2], dilations: [2, 1] }, dims: squares },
      "n (AveragePool): expected dilations of 1, found 2, 1",
    ],
    [
      "symmetric half pixels",
      {
        op: "Resize",
        opset: 19,
        attributes: { coordinate_transformation_mode: "half_pixel_symmetric" },
        dims: squares,
      },
      "n (Resize): coordinate_transformation_mode half_pixel_symmetric of opset 19 is not supported",
    ],
    [
      "the nearest of one axis that grows and one that shrinks",
      { op: "Resize", opset: 10, dims: squares, others: [floats(1, 1, 0.5, 2)] },
      "n (Resize): one axis grows and another shrinks (scales 1, 1, 0.5, 2)",
    ],
    [
      "an axis that is computed",
      { op: "DFT", opset: 20, dims: [1, 2, 1], others: [undefined, undefined] },
      "constant axis",
    ],
    [
      "a mask that is read",
      { op: "Dropout", opset: 10, dims: [2], outputs: 2 },
      "n (Dropout): expected inference, but its training output y1 is used: export the model in evaluation mode",
    ],
    [
      "statistics of training that are read",
      { op: "BatchNormalization", opset: 9, dims: [2, 3], others: statistics, outputs: 3 },
      "n (BatchNormalization): expected inference, but its training output y1 is used",
    ],
    ["Scan of opset 8", { op: "Scan", opset: 8, dims: [2] }, "n (Scan): Scan of opset 8 is not supported"],
  ];

  test.each(refused)("%s", (name, row, message) => {
    let graph = graphOf(row);
    if (name.startsWith("an axis")) {
      graph = { ...graph, nodes: graph.nodes.map((node) => ({ ...node, inputs: ["x", "", "x"] })) };
    }
    expect(() => convertOpset(graph)).toThrow(ModelError);
    expect(() => convertOpset(graph)).toThrow(message);
  });
});

describe("a subgraph", () => {
  const branch = (axes: boolean): Attribute => {
    const inner: Node = {
      op: "Squeeze",
      domain: "",
      name: "inner",
      inputs: ["x"],
      outputs: ["z"],
      attributes: axes ? { axes: { kind: "ints", value: [0] } } : {},
    };
    const body = { ...graphOf({ op: "Squeeze", opset: 11, dims: [1, 3] }), inputs: [], nodes: [inner] };
    return { kind: "kept", value: { $typeName: "onnx.AttributeProto", g: bodyOf(body) } };
  };
  const graph = graphOf({ op: "If", opset: 11, dims: [1, 3] });
  const choose = (axes: boolean) => {
    const node: Node = { ...(graph.nodes[0] as Node), attributes: { then_branch: branch(axes) } };
    return { ...graph, nodes: [node] };
  };

  it("in an old form is refused", () => {
    expect(() => convertOpset(choose(true))).toThrow(
      "n (If): in its subgraph inner (Squeeze) has the form of opset 11, and subgraphs are not converted",
    );
  });

  it("that means the same in opset 18 is kept", () => {
    const original = choose(false);
    expect(convertOpset(original).nodes[0]).toBe(original.nodes[0]);
  });
});

/** The nodes of a graph as the message that a subgraph is. */
function bodyOf(graph: Graph): unknown {
  const node = graph.nodes.map(({ op, domain, name, inputs, outputs, attributes }) => ({
    opType: op,
    domain,
    name,
    input: inputs,
    output: outputs,
    attribute: Object.entries(attributes).map(([key, { value }]) => ({
      name: key,
      type: 7,
      ints: (value as number[]).map(BigInt),
    })),
  }));
  return { node, input: [], initializer: [], output: [] };
}
