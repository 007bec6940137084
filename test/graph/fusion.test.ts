import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { AttributeValue } from "../../src/graph/builder.ts";
import { fuse } from "../../src/graph/fusion.ts";
import type { DeclaredDim, Graph, Node, ValueId } from "../../src/graph/graph.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { goldenModel, goldenPath } from "../golden-model.ts";
import { distance, numbersOf, runGraph, w, waves } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

/** Two float32 routes to numbers of size 1. */
const SAME = 1e-6;

const number = (value: number) => Tensor.float32([], [value]);
const axes = (...list: number[]) => Tensor.int64(list);

/** What a graph makes of a float32 input, in the runtime. */
async function valuesOf(graph: Graph, dims: Dims): Promise<number[][]> {
  const feeds = new Map(graph.inputs.map(({ name }) => [name, Tensor.float32(dims, waves(count(dims)))]));
  const made = await runGraph(graph, feeds);
  return graph.outputs.map(({ name }) => numbersOf(made.get(name)!));
}

const ops = ({ nodes }: Graph) => nodes.map(({ op }) => op);

/** LayerNormalization as torch writes it before opset 17; a change is a node in place of that with the same output. */
function decomposed(
  constants: Readonly<Record<ValueId, Tensor>> = {},
  changes: readonly Node[] = [],
  dims: readonly DeclaredDim[] = ["N", 3, 4],
): Graph {
  const changed = (own: Node) => changes.find(({ outputs }) => outputs[0] === own.outputs[0]) ?? own;
  const nodes = [
    node("ReduceMean", ["x", "axes"], "mean", { keepdims: 1 }),
    node("Sub", ["x", "mean"], "c"),
    node("Pow", ["c", "two"], "square"),
    node("ReduceMean", ["square", "axes"], "variance"),
    node("Add", ["variance", "epsilon"], "raised"),
    node("Sqrt", ["raised"], "deviation"),
    node("Div", ["c", "deviation"], "unit"),
    node("Mul", ["unit", "scale"], "scaled"),
    node("Add", ["scaled", "bias"], "y", {}, { name: "norm/Add_1", metadata: { scope: "norm" } }),
  ];
  const own = { axes: axes(-1), two: number(2), epsilon: number(1e-3), scale: w(4), bias: w(4) };
  const added = changes.filter(({ outputs }) => !nodes.some((known) => known.outputs[0] === outputs[0]));
  const [mean, ...others] = nodes.map(changed) as [Node, ...Node[]];
  return graphOf({ x: dims }, [mean, ...added, ...others], { ...own, ...constants });
}

const dims = [2, 3, 4];

/** @param truth a graph of the same values */
async function expectFused(graph: Graph, expected: readonly string[], truth = graph): Promise<Graph> {
  const fused = fuse(graph);
  expect(ops(fused)).toEqual(expected);
  expect(fused.opset).toBe(18);
  const [before, after] = [await valuesOf(truth, dims), await valuesOf(fused, dims)];
  after.forEach((values, index) => expect(distance(values, before[index]!)).toBeLessThan(SAME));
  return fused;
}

describe("LayerNormalization", () => {
  test("as torch writes it", async () => {
    const { nodes, constants } = await expectFused(decomposed(), ["LayerNormalization"]);
    expect(nodes[0]).toMatchObject({
      name: "norm/Add_1",
      metadata: { scope: "norm" },
      inputs: ["x", "scale", "bias"],
      outputs: ["y"],
      attributes: { axis: { value: -1 }, epsilon: { value: Math.fround(1e-3) } },
    });
    expect([...constants.keys()]).toEqual(["scale", "bias"]);
  });

  test.each<[string, Node[]]>([
    ["a product for the power", [node("Mul", ["c", "c"], "square")]],
    ["the difference made twice", [node("Sub", ["x", "mean"], "again"), node("Div", ["again", "deviation"], "unit")]],
    [
      "mean and difference made twice",
      [
        node("ReduceMean", ["x", "axes"], "mean again"),
        node("Sub", ["x", "mean again"], "again"),
        node("Mul", ["c", "again"], "square"),
      ],
    ],
    [
      "scale and bias before what they change",
      [node("Mul", ["scale", "unit"], "scaled"), node("Add", ["bias", "scaled"], "y")],
    ],
  ])("%s", async (_, changes) => {
    await expectFused(decomposed({}, changes), ["LayerNormalization"]);
  });

  test("ε before the variance", async () => {
    // ONNX Runtime 1.30 fuses it too, and takes 1e-5 for an ε that comes first: the truth is the sum the other way round.
    const graph = decomposed({}, [node("Add", ["epsilon", "variance"], "raised")]);
    await expectFused(graph, ["LayerNormalization"], decomposed());
  });

  test.each<[string, Node[], Record<string, Tensor>]>([
    ["a reciprocal and a product", [node("Reciprocal", ["deviation"], "inverse")], {}],
    ["1 over the deviation and a product", [node("Div", ["one", "deviation"], "inverse")], { one: number(1) }],
  ])("%s", async (_, [inverse], constants) => {
    for (const product of [
      ["c", "inverse"],
      ["inverse", "c"],
    ]) {
      const graph = decomposed(constants, [node("Mul", product, "unit")]);
      const nodes = graph.nodes.flatMap((own) => (own.op === "Sqrt" ? [own, inverse!] : [own]));
      await expectFused({ ...graph, nodes }, ["LayerNormalization"]);
    }
  });

  test("constants behind Identity", async () => {
    const graph = decomposed({ stored: w(4), small: number(1e-3) });
    const constants = new Map([...graph.constants].filter(([name]) => name !== "scale" && name !== "epsilon"));
    const nodes = [node("Identity", ["stored"], "scale"), node("Identity", ["small"], "epsilon"), ...graph.nodes];
    await expectFused({ ...graph, nodes, constants }, ["Identity", "Identity", "LayerNormalization"]);
  });

  test.each<[string, Tensor, Tensor, number]>([
    ["[-2, -1]", axes(-2, -1), w(3, 4), -2],
    ["[-1, -2]", axes(-1, -2), w(3, 4), -2],
    ["[1, 2] of three", axes(1, 2), w(3, 4), -2],
    ["[2] of three", axes(2), w(4), -1],
    ["[0, -2, 2] of three", axes(0, -2, 2), w(2, 3, 4), -3],
  ])("axes %s", async (_, list, parameters, axis) => {
    const { nodes } = await expectFused(decomposed({ axes: list, scale: parameters, bias: parameters }), [
      "LayerNormalization",
    ]);
    expect(nodes[0]!.attributes["axis"]).toEqual({ kind: "int", value: axis });
  });

  test("axes from the front of a value whose rank nobody says are left alone", () => {
    const graph = decomposed({ axes: axes(2) });
    const unknown = { ...graph, inputs: graph.inputs.map((input) => ({ ...input, dims: undefined })) };
    expect(fuse(unknown)).toBe(unknown);
  });

  const withOnes = ["Shape", "ConstantOfShape", "LayerNormalization"];

  test("without scale", async () => {
    const graph = decomposed({}, [node("Add", ["unit", "bias"], "y")]);
    const nodes = graph.nodes.filter(({ op }) => op !== "Mul");
    const fused = await expectFused({ ...graph, nodes }, withOnes);
    expect(fused.nodes.at(-1)!.inputs).toEqual(["x", "y/ones", "bias"]);
  });

  test("without bias, without both", async () => {
    const graph = decomposed();
    const until = (last: string, outputs: ValueId) => {
      const nodes = graph.nodes.slice(0, graph.nodes.findIndex(({ op }) => op === last) + 1);
      return { ...graph, nodes, outputs: [{ name: outputs, type: undefined, dims: undefined }] };
    };
    await expectFused(until("Mul", "scaled"), ["LayerNormalization"]);
    await expectFused(until("Div", "unit"), withOnes);
    const several = until("Div", "unit");
    await expectFused({ ...several, constants: new Map([...several.constants, ["axes", axes(-2, -1)]]) }, withOnes);
  });

  test("a scale that is spread along an axis, or of other axes, stays beside it", async () => {
    for (const scale of [w(3, 1), w(1), number(0.5), w(2, 3, 4)]) {
      await expectFused(decomposed({ scale }), [...withOnes, "Mul", "Add"]);
    }
  });

  test("a scale that is computed stays beside it", async () => {
    const graph = decomposed();
    const constants = new Map([...graph.constants].filter(([name]) => name !== "scale"));
    const nodes = [node("Identity", ["x"], "scale"), ...graph.nodes];
    await expectFused({ ...graph, nodes, constants }, ["Identity", ...withOnes, "Mul", "Add"]);
  });

  test("what is normalized and read elsewhere ends it there", async () => {
    const graph = decomposed();
    const outputs = [...graph.outputs, { name: "scaled", type: undefined, dims: undefined }];
    await expectFused({ ...graph, outputs }, ["LayerNormalization", "Add"]);
    const read = { ...graph, nodes: [...graph.nodes, node("Neg", ["unit"], "z")] };
    await expectFused({ ...read, outputs: [...graph.outputs, { name: "z", type: undefined, dims: undefined }] }, [
      ...withOnes,
      "Mul",
      "Add",
      "Neg",
    ]);
  });

  const others = { axis: axes(-2), three: number(3), list: w(4) };
  const another = [
    node("Exp", ["x"], "z"),
    node("ReduceMean", ["z", "axes"], "mean of z"),
    node("Sub", ["z", "mean of z"], "c of z"),
  ];
  test.each<[string, ...Node[]]>([
    ["the mean over another axis", node("ReduceMean", ["x", "axis"], "mean")],
    ["the variance over another axis", node("ReduceMean", ["square", "axis"], "variance")],
    ["the variance of another power", node("Pow", ["c", "three"], "square")],
    ["the variance about another value", node("Mul", ["c", "x"], "square")],
    ["the variance about zero", node("Mul", ["x", "x"], "square")],
    ["the mean of another value", node("ReduceMean", ["list", "axes"], "mean")],
    ["a sum for the variance", node("ReduceSum", ["square", "axes"], "variance")],
    ["an ε of each element", node("Add", ["variance", "list"], "raised")],
    ["no root", node("Identity", ["raised"], "deviation")],
    ["a product for the quotient", node("Mul", ["c", "deviation"], "unit")],
    ["the quotient upside down", node("Div", ["deviation", "c"], "unit")],
    ["x itself over the deviation", node("Div", ["x", "deviation"], "unit")],
    ["a mean that drops its axes", node("ReduceMean", ["x", "axes"], "mean", { keepdims: 0 })],
    ["another centred value over the deviation", ...another, node("Div", ["c of z", "deviation"], "unit")],
    ["a covariance", ...another, node("Mul", ["c", "c of z"], "square")],
    ["3 over the deviation", node("Div", ["three", "deviation"], "inverse"), node("Mul", ["c", "inverse"], "unit")],
    ["a node of another domain", { ...node("Sqrt", ["raised"], "deviation"), domain: "com.example" }],
  ])("a near miss, %s, is left alone", (_, ...changes) => {
    const graph = decomposed(others, changes);
    expect(fuse(graph)).toBe(graph);
  });

  test.each([[[-2]], [[-1, -3]], [[0, 1]], [[0]]])("axes that are not the last, %j, are left alone", (list) => {
    const graph = decomposed({ axes: axes(...list) });
    expect(fuse(graph)).toBe(graph);
  });

  test.each(["mean", "c", "square", "variance", "raised", "deviation"])(
    "%s read elsewhere leaves it alone",
    (value) => {
      const graph = decomposed();
      const read = { ...graph, nodes: [...graph.nodes, node("Neg", [value], "z")] };
      expect(fuse(read)).toBe(read);
      const output = { ...graph, outputs: [...graph.outputs, { name: value, type: undefined, dims: undefined }] };
      expect(fuse(output)).toBe(output);
      const body = node("If", ["x"], "z", {}, { captures: [value] });
      const captured = { ...graph, nodes: [...graph.nodes, body] };
      expect(fuse(captured)).toBe(captured);
    },
  );

  test("declared types of values that are gone go with them", () => {
    const declared = new Map(["c", "y"].map((name) => [name, { name, type: "float32" as const, dims: [2, 3, 4] }]));
    expect([...fuse({ ...decomposed(), declared }).declared.keys()]).toEqual(["y"]);
  });
});

describe("Softmax", () => {
  const short: Readonly<Record<string, AttributeValue>> = { keepdims: 1 };
  const softmax = (change?: Node, list = axes(1)) => {
    const nodes = [
      node("ReduceMax", ["x", "axes"], "largest", short),
      node("Sub", ["x", "largest"], "shifted"),
      node("Exp", ["shifted"], "powers"),
      node("ReduceSum", ["powers", "axes"], "total", short),
      node("Div", ["powers", "total"], "y"),
    ].map((own) => (change && change.outputs[0] === own.outputs[0] ? change : own));
    return graphOf({ x: ["N", 3, 4] }, nodes, { axes: list, other: axes(2) });
  };

  test("by its parts, along any axis", async () => {
    const { nodes } = await expectFused(softmax(), ["Softmax"]);
    expect(nodes[0]).toMatchObject({ inputs: ["x"], outputs: ["y"], attributes: { axis: { value: 1 } } });
    await expectFused(softmax(undefined, axes(-1)), ["Softmax"]);
  });

  test.each<[string, Graph]>([
    ["the sum over another axis", softmax(node("ReduceSum", ["powers", "other"], "total", short))],
    ["the largest over another axis", softmax(node("ReduceMax", ["x", "other"], "largest", short))],
    ["over two axes", softmax(undefined, axes(1, 2))],
    ["the sum of other values", softmax(node("ReduceSum", ["shifted", "axes"], "total", short))],
    ["the powers over another sum", softmax(node("Div", ["shifted", "total"], "y"))],
  ])("a near miss, %s, is left alone", (_, graph) => {
    expect(fuse(graph)).toBe(graph);
  });
});

describe("golden mini-gpt", () => {
  test("has a LayerNormalization before and after each attention, and a last one, with the same values", async () => {
    const { graph } = goldenModel("mini-gpt");
    const fused = fuse(graph);
    expect(ops(fused).filter((op) => op === "LayerNormalization")).toHaveLength(5);
    expect(ops(fused).filter((op) => op === "ReduceMean")).toHaveLength(0);
    const tokens = Tensor.of(
      "int64",
      [3, 16],
      BigInt64Array.from({ length: 48 }, (_, index) => BigInt((index * 7) % 32)),
    );
    const feeds = new Map([["input", tokens]]);
    const [before, after] = [await runGraph(graph, feeds), await runGraph(fused, feeds)];
    expect(distance(numbersOf(after.get("logits")!), numbersOf(before.get("logits")!))).toBeLessThan(SAME);
  });

  test("fused once, nothing is left to fuse; written and read, it is the same graph", () => {
    const fused = fuse(goldenModel("mini-gpt").graph);
    expect(fuse(fused)).toBe(fused);
    const again = decodeModel(encodeModel(fused));
    expect(again.nodes.map(({ op, name, inputs, outputs }) => ({ op, name, inputs, outputs }))).toEqual(
      fused.nodes.map(({ op, name, inputs, outputs }) => ({ op, name, inputs, outputs })),
    );
  });

  test("a graph without such parts is the same object", () => {
    const graph = decodeModel(readFileSync(goldenPath("mini-resnet", "model.onnx")));
    expect(fuse(graph)).toBe(graph);
  });
});
