import { describe, expect, it } from "vitest";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import type { Field } from "./onnx-bytes.ts";
import { addingModel, fieldsAt, message, modelProto, nodeProto, tensorProto, textOf, valueInfo } from "./onnx-bytes.ts";
import { runGraph } from "./running.ts";

const MARK = "kept as it came";
/** Numbers that the schema does not have, now or in any version of ONNX. */
const UNKNOWN = 1999;
const mark: Field = [UNKNOWN, MARK];

const two = new Uint8Array(Float32Array.of(10, 20).buffer);
const metadata = (key: string, value: string) => message([1, key], [2, value]);

/** Everything marked: y = x + c. */
const marked = modelProto(
  [
    [1, nodeProto("Add", ["x", "c"], ["h"], [3, "adding"], [6, "a note"], [9, metadata("scope", "net.0")], mark)],
    [1, nodeProto("LeakyRelu", ["h"], ["y"], [5, message([1, "alpha"], [20, 1], [2, { float: 0.5 }], mark)])],
    [5, tensorProto("c", 1, [2], [9, two], mark)],
    [10, "the graph's note"],
    [11, valueInfo("x", ["N"], [3, "the input's note"], mark)],
    [12, valueInfo("y", ["N"], mark)],
    [13, valueInfo("h", ["N"], mark)],
    [14, message([1, "c"], mark)],
    mark,
  ],
  [2, "producer"],
  [3, "1.2"],
  [4, "com.example"],
  [5, 7],
  [6, "the model's note"],
  [8, message([1, "com.example"], [2, 3])],
  [14, metadata("license", "MIT")],
  [25, message([1, "AFunction"], mark)],
  mark,
);
const encoded = encodeModel(decodeModel(marked));

describe("unknown fields come back", () => {
  const places: readonly [string, readonly number[]][] = [
    ["of the model", [UNKNOWN]],
    ["of the graph", [7, UNKNOWN]],
    ["of a node", [7, 1, UNKNOWN]],
    ["of an initializer", [7, 5, UNKNOWN]],
    ["of an input", [7, 11, UNKNOWN]],
    ["of an output", [7, 12, UNKNOWN]],
    ["of an inner value", [7, 13, UNKNOWN]],
    ["of a quantization annotation, which is unknown itself", [7, 14, UNKNOWN]],
    ["of a function, which is unknown itself", [25, UNKNOWN]],
  ];
  it.each(places)("%s", (_, path) => {
    expect(fieldsAt(encoded, ...path).map(textOf)).toEqual([MARK]);
  });

  it("of an attribute", () => {
    const second = fieldsAt(encoded, 7, 1)[1] as Uint8Array;
    expect(fieldsAt(second, 5, UNKNOWN).map(textOf)).toEqual([MARK]);
  });
});

describe("what is known is kept too", () => {
  const texts: readonly [string, readonly number[], string][] = [
    ["the producer", [2], "producer"],
    ["the producer's version", [3], "1.2"],
    ["the domain", [4], "com.example"],
    ["the model's note", [6], "the model's note"],
    ["metadata", [14, 1], "license"],
    ["the graph's note", [7, 10], "the graph's note"],
    ["a node's note", [7, 1, 6], "a note"],
    ["a node's metadata", [7, 1, 9, 2], "net.0"],
    ["an input's note", [7, 11, 3], "the input's note"],
    ["a function's name", [25, 1], "AFunction"],
  ];
  it.each(texts)("%s", (_, path, text) => expect(fieldsAt(encoded, ...path).map(textOf)).toEqual([text]));

  it("the model's version", () => expect(fieldsAt(encoded, 5)).toEqual([7n]));

  it("operator sets of other domains", () => {
    const sets = fieldsAt(encoded, 8) as Uint8Array[];
    expect(sets.map((set) => [textOf(fieldsAt(set, 1)[0]), fieldsAt(set, 2)[0]])).toEqual([
      ["", 18n],
      ["com.example", 3n],
    ]);
  });
});

it("the Graph has a node's metadata and the shapes of inner values", () => {
  const { nodes, declared, domains } = decodeModel(marked);
  expect(nodes[0]?.metadata).toEqual({ scope: "net.0" });
  expect(declared.get("h")).toEqual({ name: "h", type: "float32", dims: ["N"] });
  expect([...domains]).toEqual([["com.example", 3]]);
});

it("encoding twice gives the same bytes", () => {
  const graph = decodeModel(marked);
  expect(encodeModel(graph)).toEqual(encoded);
  expect(encodeModel(graph)).toEqual(encoded);
});

it("an operator set that the Graph adds is written", () => {
  const graph = decodeModel(marked);
  const sets = fieldsAt(encodeModel({ ...graph, domains: new Map([...graph.domains, ["com.microsoft", 1]]) }), 8);
  expect((sets as Uint8Array[]).map((set) => textOf(fieldsAt(set, 1)[0]))).toEqual([
    "",
    "com.example",
    "com.microsoft",
  ]);
});

it("types that are no tensors are kept", () => {
  // sequence_type (4) of a tensor, as classifiers made by scikit-learn have it.
  const sequence = message([1, "s"], [2, message([4, message([1, message([1, message([1, 1])])])])]);
  const bytes = addingModel(tensorProto("c", 1, [2], [9, two]), [13, sequence]);
  const graph = decodeModel(bytes);
  expect(graph.declared.get("s")).toEqual({ name: "s", type: undefined, dims: undefined });
  expect(fieldsAt(encodeModel(graph), 7, 13)).toEqual([sequence]);
});

it("a Graph with other values than the file's is written with those", async () => {
  const graph = decodeModel(addingModel(tensorProto("c", 1, [2], [9, two])));
  const constants = new Map([["c", Tensor.float32([2], [100, 200])]]);
  const [y] = [...(await runGraph({ ...graph, constants }, new Map([["x", Tensor.float32([2], [1, 2])]]))).values()];
  expect(y?.data).toEqual(Float32Array.of(101, 202));
});

it("an initializer that is an input as well is a constant, and no input", () => {
  const graph = decodeModel(addingModel(tensorProto("c", 1, [2], [9, two]), [11, valueInfo("c", [2])]));
  expect(graph.inputs.map(({ name }) => name)).toEqual(["x"]);
});

it("domain ai.onnx is the standard one", () => {
  const node = nodeProto("Relu", ["x"], ["y"], [7, "ai.onnx"]);
  const graph = message([2, "g"], [1, node], [11, valueInfo("x", [2])], [12, valueInfo("y", [2])]);
  const decoded = decodeModel(message([1, 8], [7, graph], [8, message([1, "ai.onnx"], [2, 17])]));
  expect(decoded.opset).toBe(17);
  expect(decoded.nodes[0]?.domain).toBe("");
  expect([...decoded.domains]).toEqual([]);
});
