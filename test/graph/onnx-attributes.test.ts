import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it, test } from "vitest";
import type { Attribute, Graph } from "../../src/graph/graph.ts";
import { float, int, ints, string } from "../../src/graph/graph.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import { NodeProtoSchema } from "../../src/graph/onnx_pb.ts";
import { encodeAttribute } from "../../src/graph/onnx-attributes.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { attributes } from "../../src/graph/builder.ts";
import type { Field } from "./onnx-bytes.ts";
import { fieldsAt, message, modelProto, nodeProto, packed, tensorProto, textOf, valueInfo } from "./onnx-bytes.ts";
import { runGraph, tensor } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

/** A model with one node of an operator that nobody knows, with these attributes. */
function withAttributes(...list: Uint8Array[]): Graph {
  const body = nodeProto("Any", [], ["y"], [7, "com.example"], ...list.map((bytes): Field => [5, bytes]));
  return decodeModel(
    modelProto([
      [1, body],
      [12, message([1, "y"])],
    ]),
  );
}

const attributesOf = (graph: Graph) => graph.nodes[0]?.attributes ?? {};

/** The graph with its nodes written anew instead of from their messages. */
function rewritten(graph: Graph): Graph {
  return decodeModel(encodeModel({ ...graph, nodes: graph.nodes.map((one) => ({ ...one, source: undefined })) }));
}

const kinds: readonly [string, Uint8Array, Attribute][] = [
  ["a float", message([1, "a"], [20, 1], [2, { float: 0.5 }]), { kind: "float", value: 0.5 }],
  ["an integer", message([1, "a"], [20, 2], [3, -3]), { kind: "int", value: -3 }],
  ["zero, which nobody writes", message([1, "a"], [20, 2]), { kind: "int", value: 0 }],
  ["a string", message([1, "a"], [20, 3], [4, "größer"]), { kind: "string", value: "größer" }],
  ["floats", message([1, "a"], [20, 6], [7, packed("float", 1, -2)]), { kind: "floats", value: [1, -2] }],
  ["integers", message([1, "a"], [20, 7], [8, packed("int64", 5, -6)]), { kind: "ints", value: [5, -6] }],
  ["no integers", message([1, "a"], [20, 7]), { kind: "ints", value: [] }],
  ["strings", message([1, "a"], [20, 8], [9, "one"], [9, "two"]), { kind: "strings", value: ["one", "two"] }],
];

describe("an attribute survives both ways of writing", () => {
  test.each(kinds)("%s", (_, bytes, expected) => {
    const graph = withAttributes(bytes);
    for (const one of [graph, decodeModel(encodeModel(graph)), rewritten(graph)]) {
      expect(attributesOf(one)).toEqual({ a: expected });
    }
  });

  it("a tensor", () => {
    const graph = withAttributes(message([1, "a"], [20, 4], [5, tensorProto("t", 1, [2], [4, packed("float", 1, 2)])]));
    for (const one of [graph, decodeModel(encodeModel(graph)), rewritten(graph)]) {
      const { kind, value } = attributesOf(one)["a"] as Attribute;
      expect(kind).toBe("tensor");
      expect((value as Tensor).data).toEqual(Float32Array.of(1, 2));
    }
  });

  // Tensors, a sparse tensor, a type: fields that the schema does not have.
  test.each([
    ["tensors", message([1, "a"], [20, 9], [10, tensorProto("t", 1, [0])])],
    ["a sparse tensor", message([1, "a"], [20, 11], [22, message([3, packed("int64", 2)])])],
    ["a type", message([1, "a"], [20, 13], [14, message([1, message([1, 1])])])],
    ["a tensor that is absent", message([1, "a"], [20, 4])],
  ])("%s, which we do not read", (_, bytes) => {
    const graph = withAttributes(bytes);
    expect(attributesOf(graph)["a"]?.kind).toBe("kept");
    for (const one of [graph, rewritten(graph)]) {
      const [written] = fieldsAt(encodeModel(one), 7, 1, 5) as Uint8Array[];
      expect(new Set(written)).toEqual(new Set(bytes));
      expect(written).toHaveLength(bytes.length);
    }
  });
});

it("integers beyond those of a double are clamped to int64", () => {
  const written = toBinary(
    NodeProtoSchema,
    create(NodeProtoSchema, {
      attribute: [encodeAttribute("a", { kind: "ints", value: [2 ** 63, -(2 ** 63), 2 ** 64] })],
    }),
  );
  const [bytes] = fieldsAt(written, 5, 8) as Uint8Array[];
  const last = [255, 255, 255, 255, 255, 255, 255, 255, 127];
  const first = [128, 128, 128, 128, 128, 128, 128, 128, 128, 1];
  expect([...(bytes as Uint8Array)]).toEqual([...last, ...first, ...last]);
});

describe("an attribute read with a default", () => {
  const given = node("Any", [], "y", { i: 3, f: { float: 0.25 }, s: "text", l: [1, 2] });
  it("is the node's where it is there, of that kind", () => {
    expect([int(given, "i", 9), float(given, "f", 9), string(given, "s", "none")]).toEqual([3, 0.25, "text"]);
    expect(ints(given, "l")).toEqual([1, 2]);
  });
  it("is the default where it is absent or of another kind", () => {
    expect([int(given, "f", 9), float(given, "i", 0.5), string(given, "x", "none")]).toEqual([9, 0.5, "none"]);
    expect(ints(given, "i")).toBeUndefined();
  });
});

describe("a Constant node is a constant", () => {
  const forms: readonly [string, Uint8Array, readonly number[], readonly number[], string][] = [
    [
      "value",
      message([1, "value"], [20, 4], [5, tensorProto("", 6, [2], [5, packed("int32", 7, 8)])]),
      [2],
      [7, 8],
      "int32",
    ],
    ["value_float", message([1, "value_float"], [20, 1], [2, { float: 1.5 }]), [], [1.5], "float32"],
    ["value_floats", message([1, "value_floats"], [20, 6], [7, packed("float", 1, 2, 3)]), [3], [1, 2, 3], "float32"],
    ["value_int", message([1, "value_int"], [20, 2], [3, -4]), [], [-4], "int64"],
    ["value_ints", message([1, "value_ints"], [20, 7], [8, packed("int64", 5, -6)]), [2], [5, -6], "int64"],
  ];
  test.each(forms)("%s", async (_, attribute, dims, numbers, type) => {
    const graph = decodeModel(
      modelProto([
        [1, nodeProto("Constant", [], ["y"], [5, attribute])],
        [12, message([1, "y"])],
      ]),
    );
    expect(graph.nodes).toEqual([]);
    const constant = graph.constants.get("y") as Tensor;
    expect([constant.type, constant.dims, [...constant.numbers()]]).toEqual([type, dims, numbers]);
    const kept = {
      ...graph,
      nodes: [node("Identity", ["y"], "z")],
      outputs: [{ name: "z", type: undefined, dims: undefined }],
    };
    const z = (await runGraph(kept, new Map())).get("z");
    expect([z?.type, z?.dims, Array.from(z?.data ?? [], Number)]).toEqual([type, dims, numbers]);
  });

  it("of a string is left as it came", () => {
    const attribute = message([1, "value_string"], [20, 3], [4, "text"]);
    const graph = decodeModel(
      modelProto([
        [1, nodeProto("Constant", [], ["y"], [5, attribute])],
        [12, message([1, "y"])],
      ]),
    );
    expect(graph.nodes[0]?.op).toBe("Constant");
    expect(textOf(fieldsAt(encodeModel(graph), 7, 1, 5, 4)[0])).toBe("text");
  });

  it("of another domain is none", () => {
    const attribute = message([1, "value_int"], [20, 2], [3, 1]);
    const own = nodeProto("Constant", [], ["y"], [7, "com.example"], [5, attribute]);
    expect(
      decodeModel(
        modelProto([
          [1, own],
          [12, message([1, "y"])],
        ]),
      ).constants.size,
    ).toBe(0);
  });
});

describe("a subgraph", () => {
  /** A branch that makes `made` from two values, one of its own. */
  const branch = (made: string, outer: string) =>
    message(
      [1, nodeProto("Add", [outer, `${made}_own`], [made])],
      [2, "branch"],
      [5, tensorProto(`${made}_own`, 1, [1], [4, packed("float", 100)])],
      [12, valueInfo(made, [2])],
    );
  const graphAttribute = (name: string, graph: Uint8Array) => message([1, name], [20, 5], [6, graph]);
  const model = (name: string) =>
    modelProto([
      [1, nodeProto("Neg", ["x"], ["n"])],
      [
        1,
        nodeProto(
          "If",
          ["c"],
          ["y"],
          [5, graphAttribute("then_branch", branch("t", "x"))],
          [5, graphAttribute("else_branch", branch("e", name))],
        ),
      ],
      [5, tensorProto("c", 9, [], [5, packed("int32", 0)])],
      [11, valueInfo("x", [2])],
      [12, valueInfo("y", [2])],
    ]);

  it("tells which values of the enclosing graph it reads, and runs after both ways of writing", async () => {
    const graph = decodeModel(model("n"));
    expect(graph.nodes[1]?.captures).toEqual(["x", "n"]);
    const feeds = new Map([["x", tensor("float32", [2], [1, 2])]]);
    for (const one of [graph, rewritten(graph)]) {
      expect((await runGraph(one, feeds)).get("y")?.data).toEqual(Float32Array.of(99, 98));
    }
  });

  it("that reads a value nothing makes is refused", () => {
    expect(() => decodeModel(model("gone"), { file: "m.onnx" })).toThrow(
      "m.onnx: node y (If) reads gone, which nothing before it makes",
    );
  });

  it("in a subgraph reads the outermost graph's values too", () => {
    const inner = nodeProto("If", ["t_own"], ["t2"], [5, graphAttribute("then_branch", branch("e", "n"))]);
    const outer = message(
      [1, inner],
      [5, tensorProto("t_own", 9, [], [5, packed("int32", 0)])],
      [12, message([1, "x"])],
    );
    const bytes = modelProto([
      [1, nodeProto("Neg", ["x"], ["n"])],
      [1, nodeProto("If", ["x"], ["y"], [5, graphAttribute("then_branch", outer)])],
      [11, valueInfo("x", [])],
      [12, valueInfo("y", [2])],
    ]);
    // n is read within, and x is what the outer branch gives back.
    expect(decodeModel(bytes).nodes[1]?.captures).toEqual(["n", "x"]);
  });
});

it("short attributes of every kind run", async () => {
  const given = attributes({ alpha: { float: 0.1 } });
  expect(given["alpha"]).toEqual({ kind: "float", value: Math.fround(0.1) });
  const graph = graphOf({ x: [2] }, [node("LeakyRelu", ["x"], "y", { alpha: { float: 0.1 } })]);
  const results = await runGraph(graph, new Map([["x", tensor("float32", [2], [-10, 10])]]));
  expect(results.get("y")?.data).toEqual(Float32Array.of(-1, 10));
});
