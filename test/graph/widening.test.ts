import { describe, expect, it, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import type { Graph, Node } from "../../src/graph/graph.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import { elementTypes } from "../../src/graph/onnx-tensors.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { widen } from "../../src/graph/widening.ts";
import { message, modelProto, nodeProto, tensorProto, valueInfo, type Field } from "./onnx-bytes.ts";
import { runGraph, tensor } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

const HALF = elementTypes.indexOf("float16");
const FLOAT = elementTypes.indexOf("float32");
/** 1, −2, 0.5. */
const half = (...dims: number[]) => Tensor.of("float16", dims, Uint16Array.of(0x3c00, 0xc000, 0x3800));
/** 1, −2, 0.5. */
const brain = (...dims: number[]) => Tensor.of("bfloat16", dims, Uint16Array.of(0x3f80, 0xc000, 0x3f00));
const float = Tensor.float32([3], [1, -2, 0.5]);

/** As it is after a file was written and read. */
const read = (graph: Graph) => decodeModel(encodeModel(graph));

describe("a model of half precision is run in float32", () => {
  const x = tensor("float32", [3], [1 + 2 ** -20, 3, 70_000]);
  // 70 000 is beyond float16, and 1 + 2^-20 is rounded to 1 by either.
  const expected = Float32Array.of(1 + 2 ** -20, -6, 35_000);
  const scaling = (type: "float16" | "bfloat16", c: Tensor) =>
    graphOf({ x: [3] }, [node("Mul", ["x", "c"], "y")], { c }, ["y"], type);
  const models: readonly [string, Graph][] = [
    ["float16", scaling("float16", half(3))],
    ["bfloat16", scaling("bfloat16", brain(3))],
    [
      "float16 between casts",
      graphOf(
        { x: [3] },
        [node("Cast", ["x"], "h", { to: HALF }), node("Mul", ["h", "c"], "m"), node("Cast", ["m"], "y", { to: FLOAT })],
        { c: half(3) },
      ),
    ],
    [
      "float16 made by operators",
      graphOf(
        { x: [3] },
        [
          node("Shape", ["c"], "s"),
          node("ConstantOfShape", ["s"], "z", {
            value: { kind: "tensor", value: Tensor.of("float16", [1], Uint16Array.of(0)) },
          }),
          node("Add", ["c", "z"], "a"),
          node("Cast", ["x"], "h", { to: HALF }),
          node("Mul", ["h", "a"], "m"),
          node("Cast", ["m"], "y", { to: FLOAT }),
        ],
        { c: half(3) },
      ),
    ],
    [
      "weights cast from bfloat16",
      graphOf({ x: [3] }, [node("Cast", ["c"], "f", { to: FLOAT }), node("Mul", ["x", "f"], "y")], { c: brain(3) }),
    ],
  ];
  test.each(models)("%s", async (_, graph) => {
    const { graph: widened } = widen(read(graph));
    expect((await runGraph(widened, new Map([["x", x]]))).get("y")).toEqual({
      type: "float32",
      dims: [3],
      data: expected,
    });
    expect(read(widened).inputs.map(({ type }) => type)).toEqual(["float32"]);
  });

  it("and its declared types are those", () => {
    const graph = scaling("float16", half(3));
    const declared = new Map([["y", { name: "y", type: "float16" as const, dims: [3] }]]);
    const { graph: widened } = widen({ ...graph, declared });
    expect(widened.declared.get("y")).toEqual({ name: "y", type: "float32", dims: [3] });
  });
});

describe("a model computes in half precision", () => {
  const mul = (a: string, b: string) => node("Mul", [a, b], "y");
  const from = (nodes: readonly Node[], c: Tensor, type: "float32" | "float16" = "float32") =>
    graphOf({ x: [3] }, nodes, { c }, ["y"], type);
  const cast = (value: string, output: string, to: number) => node("Cast", [value], output, { to });
  test.each<[string, Graph, string | undefined]>([
    ["if its inputs are such", from([cast("x", "f", FLOAT), mul("f", "c")], float, "float16"), "float16"],
    [
      "if something is cast to it",
      from([cast("x", "h", elementTypes.indexOf("bfloat16")), mul("h", "h")], float),
      "bfloat16",
    ],
    ["if a weight is multiplied so", from([mul("c", "c")], brain(3)), "bfloat16"],
    ["if it is moved first", from([node("Transpose", ["c"], "t"), mul("t", "t")], half(3)), "float16"],
    ["but not if weights are cast", from([cast("c", "f", FLOAT), mul("x", "f")], half(3)), undefined],
    [
      "nor if they are moved and cast",
      from([node("Transpose", ["c"], "t"), cast("t", "f", FLOAT), mul("x", "f")], half(3)),
      undefined,
    ],
    ["nor if there is none", from([mul("x", "c")], float), undefined],
  ])("%s", (_, graph, computes) => expect(widen(graph).computes).toBe(computes));
});

it("a model without half precision is left as it is", () => {
  const graph = graphOf({ x: [3] }, [node("Mul", ["x", "c"], "y")], { c: float });
  expect(widen(graph).graph).toBe(graph);
});

it("nodes that name no type are the same objects", () => {
  const graph = graphOf({ x: [3] }, [node("Mul", ["x", "c"], "y")], { c: half(3) });
  expect(widen(graph).graph.nodes[0]).toBe(graph.nodes[0]);
});

it("large weights reach the runtime as they are stored", async () => {
  // 1, −2, 0.5, 1, … in a weight that is large enough to be cast there.
  const size = 3 << 15;
  const stored = Uint16Array.from({ length: size }, (_, index) => [0x3c00, 0xc000, 0x3800][index % 3] as number);
  const graph = graphOf({ x: [size] }, [node("Mul", ["x", "c"], "y")], { c: Tensor.of("float16", [size], stored) });
  const x = tensor(
    "float32",
    [size],
    Array.from({ length: size }, (_, index) => index),
  );
  const y = (await runGraph(widen(graph).graph, new Map([["x", x]]))).get("y");
  expect(y?.data).toEqual(Float32Array.from({ length: size }, (_, index) => index * [1, -2, 0.5][index % 3]!));
});

describe("half precision in a subgraph is refused", () => {
  const attribute = (name: string, type: number, field: number, value: Uint8Array | number): Field => [
    5,
    message([1, name], [20, type], [field, value]),
  ];
  /** y of an If whose branches hold this. */
  const withBranch = (...fields: Field[]) => {
    const branch = (output: string) =>
      message([1, nodeProto("Identity", ["x"], [output])], [2, output], ...fields, [12, valueInfo(output, [3])]);
    const branches = ["then_branch", "else_branch"].map((name) => attribute(name, 5, 6, branch(name)));
    const bytes = modelProto([
      [1, nodeProto("If", ["test"], ["y"], ...branches)],
      [5, tensorProto("test", 9, [], [9, Uint8Array.of(1)])],
      [5, tensorProto("c", HALF, [1], [9, Uint8Array.of(0, 0)])],
      [11, valueInfo("x", [3])],
      [12, valueInfo("y", [3])],
    ]);
    return () => widen(decodeModel(bytes));
  };
  test.each<[string, Field]>([
    ["an initializer", [5, tensorProto("d", HALF, [1], [9, Uint8Array.of(0, 0)])]],
    ["a cast", [1, nodeProto("Cast", ["x"], ["h"], attribute("to", 2, 3, HALF))]],
    [
      "a constant",
      [
        1,
        nodeProto(
          "Constant",
          [],
          ["k"],
          attribute("value", 4, 5, tensorProto("", HALF, [1], [9, Uint8Array.of(0, 0)])),
        ),
      ],
    ],
  ])("%s", (_, field) => {
    expect(withBranch(field)).toThrow(ModelError);
    expect(withBranch(field)).toThrow("float16 in its subgraph cannot be widened: export the model in float32");
  });

  it("and one in float32 is not", () => expect(withBranch()().graph.constants.get("c")?.type).toBe("float32"));
});
