import { describe, expect, test } from "vitest";
import { pullBack } from "../../src/calculus/vjp.ts";
import { UnsupportedOperatorError } from "../../src/errors.ts";
import { attributes, Builder } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { valuesOf } from "../run-graph.ts";

function vector(...values: number[]) {
  return { type: "float32" as const, dims: [values.length], data: Float32Array.from(values) };
}

function node(b: Builder, op: string, inputs: ValueId[], output: ValueId, given = {}): ValueId {
  b.node({ op, domain: "", name: `/${output}`, inputs, outputs: [output], attributes: attributes(given) });
  return output;
}

describe("reverse mode", () => {
  test("cotangents of a value that is read twice add up", async () => {
    const b = new Builder();
    const x = b.input("x", "float32", [3]);
    const square = node(b, "Mul", [x, x], "square");
    const y = node(b, "Add", [square, node(b, "Neg", [x], "negative")], "y");
    const pulled = pullBack(b, new Map([[y, b.input("u", "float32", [3])]]), [x, square], 0);
    const got = await valuesOf(
      b,
      { x: pulled.get(x)!, square: pulled.get(square)! },
      { x: vector(1, 2, -3), u: vector(1, 10, 100) },
    );
    // d(x² − x) = 2x − 1.
    expect([...got["x"]!]).toEqual([1, 30, -700]);
    expect([...got["square"]!]).toEqual([1, 10, 100]);
  });

  test("several seeds at once, and a target that none depends on", async () => {
    const b = new Builder();
    const [x, other] = [b.input("x", "float32", [2]), b.input("other", "float32", [2])];
    const y = node(b, "Mul", [x, b.scalar(3)], "y");
    const z = node(b, "Relu", [x], "z");
    const seeds = new Map([
      [y, b.input("u", "float32", [2])],
      [z, b.input("v", "float32", [2])],
    ]);
    const pulled = pullBack(b, seeds, [x, other], 0);
    expect([...pulled.keys()]).toEqual([x]);
    const got = await valuesOf(b, { x: pulled.get(x)! }, { x: vector(1, -1), u: vector(1, 1), v: vector(5, 5) });
    expect([...got["x"]!]).toEqual([8, 3]);
  });

  test("an operator without a rule on the way is named, with those that there are", () => {
    const b = new Builder();
    const x = b.input("x", "float32", [1, 2, 1]);
    const y = node(b, "GlobalLpPool", [x], "y");
    const pull = () => pullBack(b, new Map([[y, b.input("u", "float32", [1, 2, 1])]]), [x], 0);
    expect(pull).toThrow(UnsupportedOperatorError);
    expect(pull).toThrow(
      /^node \/y \(GlobalLpPool\): no derivative rule for GlobalLpPool; there are rules for .*Add, .*Conv, .*Relu/,
    );
  });

  test("an operator without a rule off the way does not matter", () => {
    const b = new Builder();
    const x = b.input("x", "float32", [1, 2, 1]);
    const length = node(b, "GlobalLpPool", [x], "length");
    const y = node(b, "Add", [node(b, "Relu", [length], "z"), node(b, "GlobalLpPool", [length], "w")], "y");
    const seeds = new Map([[y, b.input("u", "float32", [1, 2, 1])]]);
    expect([...pullBack(b, seeds, ["z"], 0).keys()]).toEqual(["z"]);
  });
});

describe("masks of one column's size are multiplied before they meet the columns", () => {
  const columns = { type: "float32" as const, dims: [2, 1, 4], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };

  test("two kinks in a row: one product of the columns' size", async () => {
    const b = new Builder();
    const x = b.input("x", "float32", [1, 4]);
    const a = node(b, "Relu", [x], "a");
    const y = node(b, "Clip", [node(b, "Reshape", [a, b.integers([1, 2, 2])], "folded"), "", b.scalar(2)], "y");
    const u = b.add("Reshape", [b.input("u", "float32", [2, 1, 4]), b.integers([2, 1, 2, 2])]);
    const pulled = pullBack(b, new Map([[y, u]]), [x], 1).get(x)!;
    const { graph } = { graph: b.graph(new Map([["dx", pulled]])) };
    const large = graph.nodes.filter(({ op, outputs }) => op === "Mul" && b.typeIfKnown(outputs[0]!)?.dims[0] === 2);
    expect(large).toHaveLength(1);
    const got = await valuesOf(
      b,
      { dx: pulled },
      { x: { type: "float32", dims: [1, 4], data: Float32Array.of(-1, 1, 3, 0.5) }, u: columns },
    );
    expect([...got["dx"]!]).toEqual([0, 2, 0, 4, 0, 6, 0, 8]);
  });

  test("a factor that is broadcast is no mask: K = B does not confuse them", async () => {
    const b = new Builder();
    const x = b.input("x", "float32", [2, 2]);
    const a = node(b, "Relu", [x], "a");
    const y = node(b, "Mul", [a, b.constant(Tensor.float32([2, 1], [10, 100]))], "y");
    const pulled = pullBack(b, new Map([[y, b.input("u", "float32", [2, 2, 2])]]), [x], 1).get(x)!;
    const ones = { type: "float32" as const, dims: [2, 2, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
    const got = await valuesOf(
      b,
      { dx: pulled },
      { x: { type: "float32", dims: [2, 2], data: Float32Array.of(1, -1, 1, 1) }, u: ones },
    );
    expect([...got["dx"]!]).toEqual([10, 0, 300, 400, 50, 0, 700, 800]);
  });
});
