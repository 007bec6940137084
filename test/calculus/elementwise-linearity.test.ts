import { describe, expect, test } from "vitest";
import { linearityOf, type Linearity } from "../../src/calculus/rules/rule.ts";
import { rules } from "../../src/calculus/rules/table.ts";
import { pushForward } from "../../src/calculus/taylor.ts";
import { pullBack } from "../../src/calculus/vjp.ts";
import { UnsupportedOperatorError } from "../../src/errors.ts";
import { Builder } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { checkDerivatives, node } from "./derivatives-at.ts";

const scalar = (value: number) => Tensor.float32([], [value]);

describe("constant almost everywhere", () => {
  const unary = ["Sign", "Floor", "Ceil", "Round", "IsNaN", "IsInf", "ArgMax", "ArgMin", "Hardmax", "Shape", "Size"];
  const binary = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"];

  test.each([...unary, ...binary])("%s has no derivative", (op) => {
    const b = new Builder();
    const x = b.input("x", "float32", [2, 3]);
    const y = node(b, op, binary.includes(op) ? [x, x] : [x]);
    expect(pushForward(b, new Map([[x, { first: b.input("v", "float32", [1, 2, 3]) }]]), [y], 2).size).toBe(0);
    expect(pullBack(b, new Map([[y, b.input("u", "float32", [2, 3])]]), [x], 0).size).toBe(0);
    expect(linearityOf(rules[op]!, { b, node: b.producerOf(y) ?? b.nodes[0]!, varies: () => true })).toBe("constant");
  });

  test.each<[string, (b: Builder, x: ValueId) => ValueId]>([
    ["Floor", (b, x) => b.add("Floor", [x])],
    ["Cast to int64 and back", (b, x) => b.add("Cast", [b.add("Cast", [x], { to: 7 })], { to: 1 })],
    ["CastLike an integer", (b, x) => b.add("Cast", [b.add("CastLike", [x, b.integers([1])])], { to: 1 })],
    [
      "And of comparisons, cast",
      (b, x) => {
        const [low, high] = [b.add("Greater", [x, b.scalar(1)]), b.add("Less", [x, b.scalar(3)])];
        const inside = b.add("And", [low, b.add("Not", [b.add("Not", [high])])]);
        return b.add("Mul", [b.add("Cast", [inside], { to: 1 }), b.add("Floor", [x])]);
      },
    ],
  ])("%s, as a factor of x", (_, make) =>
    checkDerivatives([1.25, 2.5], (b, x) => b.add("Mul", [x, make(b, x)]), [1, 2], [0, 0]),
  );

  test.each([10, 11, 16])("a cast to floats of kind %d and back is passed through", async (to) => {
    const there = (b: Builder, x: ValueId) => b.add("Cast", [b.add("Cast", [b.add("Mul", [x, x])], { to })], { to: 1 });
    await checkDerivatives([1.5, -2], there, [3, -4], [2, 2]);
  });
});

describe("linearity", () => {
  test.each<[op: string, varies: boolean[], expected: Linearity, constants?: (Tensor | undefined)[]]>([
    ["Where", [false, true, true], "linear"],
    ["Where", [true, true, false], "piecewise-linear"],
    ["PRelu", [true, false], "piecewise-linear"],
    ["PRelu", [false, true], "linear"],
    ["PRelu", [true, true], "smooth"],
    ["Max", [true, true], "piecewise-linear"],
    ["Mod", [true, true], "piecewise-linear"],
    ["Mean", [true, true], "linear"],
    ["Pow", [true, false], "linear", [undefined, scalar(1)]],
    ["Pow", [true, false], "constant", [undefined, scalar(0)]],
    ["Pow", [true, false], "smooth", [undefined, scalar(2)]],
    ["Pow", [true, false], "smooth", [undefined, Tensor.float32([2], [1, 0])]],
    ["Pow", [false, true], "smooth"],
    ["HardSwish", [true], "smooth"],
    ["HardSigmoid", [true], "piecewise-linear"],
  ])("%s %j: %s", (op, varying, expected, constants = []) => {
    const b = new Builder();
    const inputs = varying.map((_, index) => {
      const constant = constants[index];
      if (constant) return b.constant(constant);
      return b.input(`x${index}`, op === "Where" && index === 0 ? "bool" : "float32", [2]);
    });
    node(b, op, inputs, op === "Mod" ? { fmod: 1 } : {});
    const at = { b, node: b.nodes[0]!, varies: (index: number) => varying[index] ?? false };
    expect(linearityOf(rules[op]!, at)).toBe(expected);
  });

  test("a bound of Clip that varies is refused", () => {
    const b = new Builder();
    const [x, low] = [b.input("x", "float32", [2]), b.input("low", "float32", [])];
    const y = node(b, "Clip", [x, low]);
    const pull = () => pullBack(b, new Map([[y, b.input("u", "float32", [2])]]), [x, low], 0);
    expect(pull).toThrow(UnsupportedOperatorError);
    expect(pull).toThrow(
      "node Clip (Clip): its input low depends on the layer, and the rule of Clip takes it for constant",
    );
  });
});
