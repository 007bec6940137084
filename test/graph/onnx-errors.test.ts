import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { FlatnessError, ModelError } from "../../src/errors.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { findLayers } from "../../src/graph/layers.ts";
import { decodeModel } from "../../src/graph/onnx.ts";
import { convertOpset } from "../../src/graph/opset.ts";
import type { Field } from "./onnx-bytes.ts";
import { addingModel, message, modelProto, nodeProto, tensorProto, valueInfo } from "./onnx-bytes.ts";

/** Damaged bytes are refused before anything costs time: a thousandth of this, when nobody else uses the machine. */
const QUICK_MS = 3000;

const real = new Uint8Array(readFileSync(new URL("../golden/regression-mlp-3/model.onnx", import.meta.url)));
const text = (words: string) => new TextEncoder().encode(words);
const x: Field = [11, valueInfo("x", [2])];
const y: Field = [12, valueInfo("y", [2])];
const relu = nodeProto("Relu", ["x"], ["y"], [3, "act"]);

/** A graph with a node that has a graph, and so on. */
function graphs(depth: number): Uint8Array {
  let graph: Uint8Array = new Uint8Array();
  for (let level = 0; level < depth; level++) graph = message([1, message([5, message([6, graph])])]);
  return graph;
}

describe("refuses", () => {
  const refused: readonly [string, Uint8Array, string][] = [
    ["an empty file", new Uint8Array(), "m.onnx: not an ONNX model: the file is empty"],
    ["a text file", text("hello, world\n"), "m.onnx: not an ONNX model: no protobuf field at byte 2"],
    ["a web page", text("<!DOCTYPE html><html></html>"), "m.onnx: not an ONNX model: no protobuf field at byte 0"],
    ["a PyTorch checkpoint", text("PK\u0003\u0004\u0000\u0000"), "m.onnx: not an ONNX model"],
    [
      "another protobuf message",
      message([1, 5], [2, "text"]),
      "m.onnx: not an ONNX model: expected a graph with nodes",
    ],
    ["a graph without nodes", modelProto([]), "m.onnx: not an ONNX model: expected a graph with nodes, found none"],
    ["damage within", message([7, text("not a graph")]), "m.onnx: not an ONNX model: the field at byte 2: illegal tag"],
    [
      "a node whose operator is longer than the node",
      // ir_version takes bytes 0 and 1, the graph's tag and length 2 and 3, the node's 4 and 5, its input 6 to 8.
      message([1, 8], [7, message([1, Uint8Array.of(0x0a, 1, 0x78, 0x22, 9, 0x41)])]),
      "m.onnx: not an ONNX model: the field at byte 9: premature EOF",
    ],
    [
      "graphs in graphs without end",
      modelProto([[1, nodeProto("If", [], [], [5, message([6, graphs(2000)])])]]),
      "cannot decode message onnx.GraphProto from binary: maximum recursion depth of 100 reached",
    ],
    [
      "no operator set",
      message([1, 8], [7, message([1, relu], x, y)]),
      "m.onnx: expected an operator-set version of ai.onnx, found none",
    ],
    [
      "an operator set of another domain only",
      message([7, message([1, relu], x, y)], [8, message([1, "com.example"], [2, 1])]),
      "m.onnx: expected an operator-set version of ai.onnx, found none",
    ],
    [
      "a node that reads what nothing makes",
      modelProto([[1, nodeProto("Add", ["x", "z"], ["y"], [3, "sum"])], x, y]),
      "m.onnx: node sum (Add) reads z, which nothing before it makes",
    ],
    [
      "nodes out of order",
      modelProto([[1, nodeProto("Relu", ["h"], ["y"])], [1, nodeProto("Neg", ["x"], ["h"])], x, y]),
      "m.onnx: node y (Relu) reads h, which nothing before it makes",
    ],
    [
      "a node of another domain, by its full name",
      modelProto([[1, nodeProto("Own", ["z"], ["y"], [7, "com.example"])], y]),
      "m.onnx: node y (com.example.Own) reads z",
    ],
    [
      "an output that nothing makes",
      modelProto([[1, relu], x, [12, valueInfo("z", [2])]]),
      "m.onnx: output z is made by no node",
    ],
  ];
  test.each(refused)("%s", (_, bytes, sentence) => {
    expect(() => decodeModel(bytes, { file: "m.onnx" })).toThrow(ModelError);
    expect(() => decodeModel(bytes, { file: "m.onnx" })).toThrow(sentence);
  });
});

it("an absent optional input is nothing to make", () => {
  const graph = decodeModel(modelProto([[1, nodeProto("Clip", ["x", "", "x"], ["y"])], x, y]));
  expect(graph.nodes[0]?.inputs).toEqual(["x", "", "x"]);
});

it("without a file name it is called model", () => {
  expect(() => decodeModel(new Uint8Array())).toThrow("model: not an ONNX model: the file is empty");
});

describe("a file that was cut short says what it needs and has", () => {
  it("within the graph", () => {
    // ir_version 2 bytes, producer 9 and 8, then the graph with its length, up to the operator sets.
    const graph = real.length - 100;
    expect(() => decodeModel(real.subarray(0, graph), { file: "m.onnx" })).toThrow(
      new RegExp(`^m.onnx: truncated or not an ONNX model: the field at byte \\d+ needs \\d+ bytes, have ${graph}$`),
    );
  });

  it("to the byte", () => {
    // [1, 8] takes two bytes; the graph's tag and length two more.
    const bytes = addingModel(tensorProto("c", 1, [2], [9, new Uint8Array(8)]));
    const length = bytes[3] as number;
    const sentence = `the field at byte 2 needs ${length + 4} bytes, have ${length}`;
    expect(() => decodeModel(bytes.subarray(0, length))).toThrow(sentence);
  });

  it("between a field's number and its value", () => {
    expect(() => decodeModel(Uint8Array.of(8))).toThrow(
      "truncated or not an ONNX model: the field at byte 0 needs 2 bytes, have 1",
    );
    expect(() => decodeModel(Uint8Array.of(8, 8, 58, 0x80))).toThrow("the field at byte 2 needs 5 bytes, have 4");
  });

  it("anywhere", () => {
    for (let length = 1; length < real.length; length += 1 + (length >> 3)) {
      expect(() => decodeModel(real.subarray(0, length))).toThrow(ModelError);
    }
  });
});

describe("damaged bytes give an error of ours, quickly", () => {
  /** Either it works or it is an error that the user can mend. */
  const survive = (bytes: Uint8Array) => {
    const started = performance.now();
    try {
      const graph = convertOpset(decodeModel(bytes));
      const types = graph.inputs.map(({ name, type, dims }) => {
        const sizes = (dims ?? []).map((dim) => (typeof dim === "number" ? dim : 2));
        return [name, { type: type ?? "float32", dims: sizes }] as const;
      });
      findLayers(instantiate(graph, new Map(types)).builder);
    } catch (error) {
      if (!(error instanceof FlatnessError)) throw error;
    }
    expect(performance.now() - started).toBeLessThan(QUICK_MS);
  };

  const models = ["regression-mlp-3", "digits-cnn-gelu-bn"].map((name) => {
    return new Uint8Array(readFileSync(new URL(`../golden/${name}/model.onnx`, import.meta.url)));
  });
  /** Where the messages are; in between lie thousands of bytes of weights, which anything may be. */
  const structure = models.map((bytes) =>
    [...bytes.keys()].filter((at) => bytes.subarray(Math.max(0, at - 12), at + 12).some(isLetter)),
  );

  it("when bytes change", () => {
    const places = fc.nat({ max: models.length - 1 }).chain((index) => {
      const list = structure[index] as number[];
      const change = fc.tuple(fc.constantFrom(...list), fc.nat({ max: 255 }));
      return fc.tuple(fc.constant(index), fc.array(change, { minLength: 1, maxLength: 4 }));
    });
    const property = fc.property(places, ([index, changes]) => {
      const bytes = (models[index] as Uint8Array).slice();
      for (const [at, value] of changes) bytes[at] = value;
      survive(bytes);
    });
    fc.assert(property, { numRuns: 400, seed: 1 });
  });

  it("when bytes are lost or repeated", () => {
    const cut = fc.tuple(fc.nat({ max: real.length }), fc.integer({ min: -40, max: 40 }));
    const property = fc.property(cut, ([at, shift]) => {
      survive(Uint8Array.from([...real.subarray(0, at), ...real.subarray(Math.max(0, at + shift))]));
    });
    fc.assert(property, { numRuns: 300, seed: 2 });
  });

  it("when there was no model at all", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), survive), { numRuns: 300, seed: 3 });
  });
});

function isLetter(byte: number): boolean {
  return byte >= 97 && byte <= 122;
}
