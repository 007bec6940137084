import { describe, expect, test } from "vitest";
import { pushForward } from "../../src/calculus/taylor.ts";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder, type AttributeValue } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { valuesOf } from "../run-graph.ts";
import { checkDerivatives, close, derivativesAt, node } from "./derivatives-at.ts";

type Attributes = Readonly<Record<string, AttributeValue>>;

const scalar = (value: number) => Tensor.float32([], [value]);
describe("at a kink", () => {
  test.each<[op: string, given: Attributes, constants: Tensor[], points: number[], slopes: number[]]>([
    ["Relu", {}, [], [0, -0], [0, 0]],
    ["LeakyRelu", { alpha: { float: 0.25 } }, [], [0], [0.25]],
    ["PRelu", {}, [scalar(0.25)], [0], [0.25]],
    ["ThresholdedRelu", { alpha: { float: 0.5 } }, [], [0.5, 0.75], [0, 1]],
    ["Abs", {}, [], [-1, 0, 1], [-1, 0, 1]],
    ["Clip", {}, [scalar(0), scalar(6)], [-1, 0, 3, 6, 7], [0, 0, 1, 0, 0]],
    ["HardSigmoid", { alpha: { float: 0.25 } }, [], [-2, 0, 2], [0, 0.25, 0]],
    ["HardSwish", {}, [], [-3, 3], [0, 1]],
    ["Elu", { alpha: { float: 0.25 } }, [], [0], [0.25]],
    ["Celu", { alpha: { float: 0.25 } }, [], [0], [1]],
  ])("%s", async (op, given, constants, points, slopes) => {
    const inputs = (b: Builder) => constants.map((constant) => b.constant(constant));
    const got = await derivativesAt(points, (b, x) => node(b, op, [x, ...inputs(b)], given));
    expect(got.first).toEqual(slopes);
    expect(got.slope.map((value) => value + 0)).toEqual(slopes);
  });

  test.each([
    [
      "Max",
      [1, 2, -Infinity],
      [1, 3, -Infinity],
      [1, 0, -Infinity],
      [
        [1, 0, 1],
        [0, 1, 0],
        [0, 0, 0],
      ],
    ],
    [
      "Max",
      [0, 0, 0],
      [1, 0, 1],
      [1, 1, 0],
      [
        [0, 0, 0],
        [1, 0, 1],
        [0, 1, 0],
      ],
    ],
    [
      "Min",
      [1, 2, Infinity],
      [1, 1, Infinity],
      [1, 1, Infinity],
      [
        [1, 0, 1],
        [0, 1, 0],
        [0, 0, 0],
      ],
    ],
  ])("%s: the first of equal ones takes all", async (op, x, y, z, expected) => {
    const b = new Builder();
    const feeds = Object.fromEntries(
      Object.entries({ x, y, z }).map(([name, values]) => [
        name,
        { type: "float32" as const, dims: [3], data: Float32Array.from(values) },
      ]),
    );
    const inputs = Object.keys(feeds).map((name) => b.input(name, "float32", [3]));
    const one = b.constant(Tensor.float32([3], [1, 1, 1]));
    const pulled = pullBack(b, new Map([[b.add(op, inputs), one]]), inputs, 0);
    const got = await valuesOf(b, Object.fromEntries(inputs.map((name) => [name, pulled.get(name)!])), feeds);
    expect(Object.values(got).map((values) => [...values])).toEqual(expected);
  });
});

describe("at infinity", () => {
  const limits: readonly [op: string, given: Attributes, below: number, above: number][] = [
    ["Relu", {}, 0, 1],
    ["LeakyRelu", { alpha: { float: 0.25 } }, 0.25, 1],
    ["HardSigmoid", {}, 0, 0],
    ["HardSwish", {}, 0, 1],
    ["Sigmoid", {}, 0, 0],
    ["Tanh", {}, 0, 0],
    ["Softplus", {}, 0, 1],
    ["Softsign", {}, 0, 0],
    ["Mish", {}, 0, 1],
    ["Elu", {}, 0, 1],
    ["Selu", { gamma: { float: 1 } }, 0, 1],
    ["Celu", { alpha: { float: 0.5 } }, 0, 1],
    ["Erf", {}, 0, 0],
    ["Gelu", {}, 0, 1],
    ["Gelu", { approximate: "tanh" }, 0, 1],
    ["Atan", {}, 0, 0],
  ];
  test.each(limits)("%s %j", async (op, given, below, above) => {
    await checkDerivatives([-Infinity, Infinity], (b, x) => node(b, op, [x], given), [below, above], [0, 0]);
  });

  test("Exp, Clip, and what is masked before or after", async () => {
    const points = [-Infinity, 0.5];
    const slope = Math.exp(0.5);
    await checkDerivatives(points, (b, x) => b.add("Exp", [x]), [0, slope], [0, slope]);
    await checkDerivatives(points, (b, x) => b.add("Clip", [x, b.scalar(-10)]), [0, 1], [0, 0]);
    await checkDerivatives(points, (b, x) => b.add("Max", [x, b.scalar(-10)]), [0, 1], [0, 0]);
  });

  // Scores that are masked by −∞ in one way or the other, scaled, and exponentiated: exp(x/2) where they are kept.
  test.each<[string, (b: Builder, x: ValueId) => ValueId]>([
    [
      "Where",
      (b, x) => b.add("Where", [b.constant(Tensor.of("bool", [2], Uint8Array.of(1, 0))), x, b.scalar(-Infinity)]),
    ],
    ["Add", (b, x) => b.add("Add", [x, b.constant(Tensor.float32([2], [0, -Infinity]))])],
    ["Min", (b, x) => b.add("Min", [x, b.constant(Tensor.float32([2], [Infinity, -Infinity]))])],
  ])("an attention mask by %s", async (_, masked) => {
    const scores = (b: Builder, x: ValueId) => b.add("Exp", [b.add("Mul", [masked(b, x), b.scalar(0.5)])]);
    const e = Math.exp(0.5);
    await checkDerivatives([1, 1], scores, [e / 2, 0], [e / 4, 0]);
    // The weight 0 of what is masked, times a value that varies too.
    await checkDerivatives([1, 1], (b, x) => b.add("Mul", [scores(b, x), x]), [1.5 * e, 0], [1.25 * e, 0]);
  });

  test("forward mode takes nothing from the side that is not chosen", async () => {
    const safe = (b: Builder, x: ValueId) => {
      const positive = b.add("Greater", [x, b.scalar(0)]);
      return b.add("Where", [positive, b.add("Log", [x]), b.add("Mul", [x, b.scalar(3)])]);
    };
    const got = await derivativesAt([0, 2], safe);
    expect(got.first).toEqual([3, 0.5]);
    expect(got.second).toEqual([0, -0.25]);
  });
});

describe("operands that depend on the same value", () => {
  const points = [-1.5, -0.5, 0.5, 1.25];
  const by = (fn: (x: number) => number) => points.map(fn);
  const squared = (b: Builder, x: ValueId) => b.add("Mul", [x, x]);

  test.each<[string, (b: Builder, x: ValueId) => ValueId, (x: number) => number, (x: number) => number]>([
    [
      "Max(x, x²)",
      (b, x) => b.add("Max", [x, squared(b, x)]),
      (x) => (x > x * x ? 1 : 2 * x),
      (x) => (x > x * x ? 0 : 2),
    ],
    [
      "Where(x > 0, x², sin x)",
      (b, x) => b.add("Where", [b.add("Greater", [x, b.scalar(0)]), squared(b, x), b.add("Sin", [x])]),
      (x) => (x > 0 ? 2 * x : Math.cos(x)),
      (x) => (x > 0 ? 2 : -Math.sin(x)),
    ],
    ["PRelu(x, x)", (b, x) => b.add("PRelu", [x, x]), (x) => (x > 0 ? 1 : 2 * x), (x) => (x > 0 ? 0 : 2)],
    [
      "PRelu(x, x²)",
      (b, x) => b.add("PRelu", [x, squared(b, x)]),
      (x) => (x > 0 ? 1 : 3 * x * x),
      (x) => (x > 0 ? 0 : 6 * x),
    ],
    [
      "Pow(1 + x², x)",
      (b, x) => b.add("Pow", [b.add("Add", [squared(b, x), b.scalar(1)]), x]),
      (x) => (1 + x * x) ** x * (Math.log(1 + x * x) + (2 * x * x) / (1 + x * x)),
      (x) => {
        const s = 1 + x * x;
        const inner = Math.log(s) + (2 * x * x) / s;
        return s ** x * (inner ** 2 + (2 * x) / s + (4 * x) / s ** 2);
      },
    ],
  ])("%s", (_, make, first, second) => checkDerivatives(points, make, by(first), by(second)));

  test("Max of a value and itself counts it once", () =>
    checkDerivatives(
      points,
      (b, x) => b.add("Max", [x, x]),
      by(() => 1),
      by(() => 0),
    ));
});

describe("exponents", () => {
  test("a factor 0 does not meet an infinite power of 0", async () => {
    const exponents = Tensor.float32([4], [0, 1, 2, 3]);
    const pow = (b: Builder, x: ValueId) => b.add("Pow", [x, b.constant(exponents)]);
    await checkDerivatives([0, 0, 0, 0], pow, [0, 1, 0, 0], [0, 0, 2, 0]);
  });

  test("one that is computed and does not vary", async () => {
    const b = new Builder();
    const [x, p] = [b.input("x", "float32", [2]), b.input("p", "int64", [1])];
    const y = b.add("Pow", [x, p]);
    const v = b.input("v", "float32", [1, 2]);
    const jet = pushForward(b, new Map([[x, { first: v }]]), [y], 2).get(y)!;
    const one = Float32Array.of(1, 1);
    const got = await valuesOf(
      b,
      { first: jet.first, second: jet.second! },
      {
        x: { type: "float32", dims: [2], data: Float32Array.of(-2, 3) },
        p: { type: "int64", dims: [1], data: BigInt64Array.of(3n) },
        v: { type: "float32", dims: [1, 2], data: one },
      },
    );
    close([...got["first"]!], [12, 27], "3x²");
    close([...got["second"]!], [-12, 18], "6x");
  });
});
