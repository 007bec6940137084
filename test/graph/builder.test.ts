import { describe, expect, it } from "vitest";
import { ModelError } from "../../src/errors.ts";
import { Builder } from "../../src/graph/builder.ts";
import type { Attribute } from "../../src/graph/graph.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import type { Field } from "./onnx-bytes.ts";
import { message, modelProto, nodeProto, packed, tensorProto, valueInfo } from "./onnx-bytes.ts";
import { numbersOf, runGraph, tensor } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

const floats = (...values: number[]) => Tensor.float32([values.length], values);
const feed = (...values: number[]) => new Map([["x", floats(...values)]]);

/** A builder with one input of two floats. */
function start(): { b: Builder; x: string } {
  const b = new Builder();
  return { b, x: b.input("x", "float32", [2]) };
}

describe("what is emitted twice exists once", () => {
  it("operators with equal inputs and attributes", () => {
    const { b, x } = start();
    const first = b.add("LeakyRelu", [x], { alpha: { float: 0.1 } });
    expect(b.add("LeakyRelu", [x], { alpha: { float: 0.1 } })).toBe(first);
    expect(b.nodes).toHaveLength(1);
  });

  it("operators with several outputs", () => {
    const { b, x } = start();
    const first = b.addMany("TopK", [x, b.integers([1])], {}, 2);
    expect(b.addMany("TopK", [x, b.integers([1])], {}, 2)).toBe(first);
    expect(b.nodes[0]?.outputs).toEqual(first);
  });

  it("small constants of equal type, shape and elements", () => {
    const b = new Builder();
    const one = b.scalar(1);
    expect(b.scalar(1)).toBe(one);
    expect(b.integers([1, 2])).toBe(b.integers([1, 2]));
    expect(b.constants.size).toBe(2);
    const others = [
      b.scalar(2),
      b.scalar(-0),
      b.scalar(0),
      b.constant(floats(1)),
      b.constant(tensor("int32", [], [1])),
      b.constant(tensor("float64", [], [1])),
    ];
    expect(new Set([one, ...others]).size).toBe(7);
  });

  it("but not with other attributes", () => {
    const { b, x } = start();
    const slopes = [0.1, 0.2, Infinity, -Infinity, Number.NaN].map((slope) => {
      return b.add("LeakyRelu", [x], { alpha: { float: slope } });
    });
    expect(new Set([...slopes, b.add("LeakyRelu", [x])]).size).toBe(6);
  });

  it("but not with another tensor as attribute", async () => {
    const b = new Builder();
    const filled = (value: number) => {
      const attribute: Attribute = { kind: "tensor", value: floats(value) };
      return b.add("ConstantOfShape", [b.integers([9])], { value: attribute });
    };
    const [ones, twos] = [filled(1), filled(2)];
    expect(filled(1)).toBe(ones);
    const results = await runGraph(b.graph(new Map([["y", twos]])), new Map());
    expect(results.get("y")?.data).toEqual(new Float32Array(9).fill(2));
  });

  it("but not a large constant, nor one with a name", () => {
    const b = new Builder();
    const large = Tensor.float32([1025], new Float32Array(1025));
    expect(b.constant(large)).not.toBe(b.constant(large));
    expect(b.constant(floats(1), "w")).toBe("w");
    expect(b.constant(floats(1))).not.toBe("w");
  });
});

describe("the graph of some outputs", () => {
  it("holds what they need and nothing else", async () => {
    const { b, x } = start();
    const unread = b.input("unread", "float32", [2]);
    const wanted = b.add("Add", [x, b.constant(floats(1, 2), "w")]);
    b.add("Mul", [wanted, b.constant(floats(3, 4), "v")]);
    b.add("Neg", [unread]);
    const graph = b.graph(new Map([["y", wanted]]));
    expect(graph.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect([...graph.constants.keys()]).toEqual(["w"]);
    expect(graph.nodes.map(({ op }) => op)).toEqual(["Add", "Identity"]);
    expect(graph.outputs).toEqual([{ name: "y", type: "float32", dims: [2] }]);
    expect((await runGraph(graph, feed(10, 20))).get("y")?.data).toEqual(Float32Array.of(11, 22));
  });

  it("keeps a node of which one output is read", () => {
    const { b, x } = start();
    const [, indices = ""] = b.addMany("TopK", [x, b.integers([1])], {}, 2);
    expect(b.graph(new Map([["y", indices]])).nodes.map(({ op }) => op)).toEqual(["TopK", "Identity"]);
  });

  it("gives inputs, constants, and one value under two names", async () => {
    const { b, x } = start();
    const twice = b.add("Add", [x, x]);
    const outputs = { a: twice, b: twice, c: x, d: b.constant(floats(5)) };
    const results = await runGraph(b.graph(new Map(Object.entries(outputs))), feed(1, 2));
    const lists = Object.fromEntries([...results].map(([name, array]) => [name, numbersOf(array)]));
    expect(lists).toEqual({ a: [2, 4], b: [2, 4], c: [1, 2], d: [5] });
  });

  it("gives values under their own names", async () => {
    const model = graphOf({ x: [2] }, [node("Neg", ["x"], "y")], { w: floats(3) });
    const { builder } = instantiate(model, new Map([["x", { type: "float32", dims: [2] }]]));
    const graph = builder.graph(new Map(["x", "w", "y"].map((name) => [name, name])));
    const results = await runGraph(graph, feed(1, 2));
    expect([...results].map(([name, array]) => [name, numbersOf(array)])).toEqual([
      ["x", [1, 2]],
      ["w", [3]],
      ["y", [-1, -2]],
    ]);
  });

  it("keeps what only a subgraph reads", async () => {
    // y = If(false) …, n, where n = −x is made outside.
    const branch = (made: string) =>
      message([1, nodeProto("Abs", ["n"], [made])], [2, "g"], [12, valueInfo(made, [2])]);
    const attribute = (name: string, made: string): Field => [5, message([1, name], [20, 5], [6, branch(made)])];
    const model = decodeModel(
      modelProto([
        [1, nodeProto("Neg", ["x"], ["n"])],
        [1, nodeProto("If", ["c"], ["y"], attribute("then_branch", "t"), attribute("else_branch", "e"))],
        [5, tensorProto("c", 9, [], [5, packed("int32", 0)])],
        [11, valueInfo("x", [2])],
        [12, valueInfo("y", [2])],
      ]),
    );
    const type = { type: "float32" as const, dims: [2] };
    const { builder } = instantiate(model, new Map([["x", type]]), new Map([["y", type]]));
    const graph = builder.graph(new Map([["result", "y"]]));
    expect(graph.nodes.map(({ op }) => op)).toEqual(["Neg", "If", "Identity"]);
    expect((await runGraph(graph, feed(-3, 4))).get("result")?.data).toEqual(Float32Array.of(3, 4));
  });

  it("has the header of the model that it came from", () => {
    const source = { ...graphOf({ x: [2] }, []), name: "net", domains: new Map([["com.microsoft", 1]]) };
    const b = new Builder(source);
    const graph = b.graph(new Map([["y", b.input("x", "float32", [2])]]));
    expect([graph.name, [...graph.domains]]).toEqual(["net", [["com.microsoft", 1]]]);
  });
});

describe("a model that has our own names", () => {
  const ours = graphOf({ x: [1, 2] }, [node("Neg", ["x"], "flatness/0"), node("Exp", ["flatness/0"], "flatness/1")], {
    "flatness/2": floats(1),
  });

  it("does not lose its values to what we emit", async () => {
    const { builder: b } = instantiate({ ...ours, outputs: [] }, new Map([["x", { type: "float32", dims: [1, 2] }]]));
    const doubled = b.add("Mul", ["flatness/1", b.scalar(2)]);
    const results = await runGraph(
      b.graph(new Map([["y", doubled]])),
      new Map([["x", Tensor.float32([1, 2], [0, 0])]]),
    );
    expect(results.get("y")?.data).toEqual(Float32Array.of(2, 2));
    expect(b.isEmitted(doubled)).toBe(true);
    expect(["x", "flatness/0", "flatness/2"].map((name) => b.isEmitted(name))).toEqual([false, false, false]);
  });

  it("is what we wrote ourselves, read again, as often as you like", async () => {
    let graph = graphOf({ x: [2] }, [node("Identity", ["x"], "y")]);
    for (let times = 0; times < 3; times++) {
      const { builder: b } = instantiate(graph, new Map([["x", { type: "float32", dims: [2] }]]));
      const more = b.add("Add", [graph.outputs[0]?.name ?? "", b.scalar(1)]);
      graph = decodeModel(encodeModel(b.graph(new Map([[`y${times}`, more]]))));
    }
    expect((await runGraph(graph, feed(0, 5))).get("y2")?.data).toEqual(Float32Array.of(3, 8));
  });
});

describe("widen", () => {
  const pool = (outputs: readonly string[]) => {
    const b = new Builder();
    b.input("x", "float32", [1, 1, 1, 4]);
    b.node(node("MaxPool", ["x"], outputs, { kernel_shape: [1, 2], strides: [1, 2] }));
    return b;
  };
  const image = new Map([["x", Tensor.float32([1, 1, 1, 4], [1, 5, 7, 2])]]);

  it.each([
    ["one output", ["p"]],
    ["a second output without a name", ["p", ""]],
  ])("adds the indices to a pool with %s, once, in its place", async (_, outputs) => {
    const b = pool(outputs);
    b.add("Relu", ["p"]);
    const made = b.producerOf("p");
    if (!made) throw new Error("no producer");
    const indices = b.widen(made);
    expect(b.widen(made)).toBe(indices);
    expect(b.nodes.map(({ op }) => op)).toEqual(["MaxPool", "Relu"]);
    expect(b.type(indices)).toEqual({ type: "int64", dims: [1, 1, 1, 2] });
    expect(b.producerOf(indices)).toBe(b.producerOf("p"));
    const results = await runGraph(b.graph(new Map(Object.entries({ i: indices, v: "p" }))), image);
    expect(results.get("i")?.data).toEqual(BigInt64Array.of(1n, 2n));
    expect(results.get("v")?.data).toEqual(Float32Array.of(5, 7));
  });

  it("uses the indices that the model reads itself", () => {
    const b = pool(["p", "i"]);
    expect(b.widen(b.nodes[0] as (typeof b.nodes)[0])).toBe("i");
  });

  it("leaves an operator alone that has one output only", () => {
    const { b, x } = start();
    const [made] = [b.producerOf(b.add("Relu", [x]))];
    if (!made) throw new Error("no producer");
    expect(() => b.widen(made)).toThrow("has no second output");
    expect(b.nodes).toEqual([made]);
  });
});

describe("types", () => {
  it("are unknown behind an operator without a rule, until they are declared", () => {
    const { b, x } = start();
    b.node(node("Own", [x], "h", {}, { domain: "com.example" }));
    b.node(node("Neg", ["h"], "y"));
    expect(b.typeIfKnown("y")).toBeUndefined();
    expect(() => b.dims("y")).toThrow(new ModelError("the shape of y is unknown"));
    expect(() => b.rank("")).toThrow(new ModelError("the shape of an absent input is unknown"));
    b.declare("h", { type: "float32", dims: [2] });
    expect(b.dims(b.add("Neg", ["h"]))).toEqual([2]);
  });

  it("an operator without a rule is not emitted", () => {
    const { b, x } = start();
    expect(() => b.add("NonZero", [x])).toThrow("(NonZero): no shape rule");
  });
});
