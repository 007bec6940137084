import { describe, expect, test } from "vitest";
import type { AttributeValue } from "../../src/graph/builder.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { derivativesAt, node, type Derivatives } from "./derivatives-at.ts";
import { normalDistribution } from "./normal-distribution.ts";

/**
 * A derivative in float32 against its formula in float64, relative to itself: some ten roundings of 6e-8, and exponentials of
 * arguments up to 69 that are rounded once or twice. The worst that was met is 2.3e-6, of tanh-Gelu at −6.3.
 */
const PRECISION = 3e-6;
/** Exponentials in float32 lose digits below 1e-38, products of two below 1e-19 each; what is smaller than this adds nothing. */
const SMALLEST = 1e-30;
/**
 * f'' that reverse mode makes of the graph of f', absolutely: it cancels where our formula does not. The worst that was met is 1.4e-6, of
 * exact Gelu at 0, whose slope is an approximation that is differentiated as such.
 */
const AGAIN = 3e-6;

const magnitudes = [0, 1e-3, 0.3, 0.7, 1.3, 2.1, 3.7, 5, 6.3, 9, 11.1, 15, 20, 33.3, 80].map(Math.fround);
const everywhere = [...magnitudes.map((x) => -x), ...magnitudes];
const positive = [1e-10, 1e-3, 0.3, 1, 2.1, 9, 80].map(Math.fround);
const withinOne = [-0.9999, -0.9, -1e-3, -0, 0, 1e-3, 0.9, 0.9999].map(Math.fround);

interface Truth {
  readonly op: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly constants?: readonly Tensor[];
  readonly points?: readonly number[];
  readonly first: (x: number) => number;
  readonly second: (x: number) => number;
}

const { exp, sqrt, abs, tanh, cosh, log, PI } = Math;
const sigmoid = (x: number) => (x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)));
const gate = (x: number) => sigmoid(x) * sigmoid(-x);
const sech2 = (x: number) => (abs(x) > 300 ? 0 : cosh(x) ** -2);
const softplus = (x: number) => (x > 0 ? x : 0) + Math.log1p(exp(-abs(x)));
const density = (x: number) => exp((-x * x) / 2) / sqrt(2 * PI);

/** u of Gelu's approximation ½x(1 + tanh u), u' and u''. */
const [root, cubic] = [sqrt(2 / PI), 0.044715];
const inner = (x: number) => root * (x + cubic * x ** 3);
const inner1 = (x: number) => root * (1 + 3 * cubic * x * x);
const inner2 = (x: number) => root * 6 * cubic * x;

const below = Math.fround(0.7);
const selu = { alpha: 1.67326319217681884765625, gamma: 1.05070102214813232421875 };
const power = (p: number, points: readonly number[]): Truth => ({
  op: "Pow",
  constants: [Tensor.float32([], [p])],
  points,
  first: (x) => p * x ** (p - 1),
  second: (x) => p * (p - 1) * x ** (p - 2),
});

const truths: Readonly<Record<string, Truth>> = {
  Sigmoid: { op: "Sigmoid", first: gate, second: (x) => -tanh(x / 2) * gate(x) },
  Tanh: { op: "Tanh", first: sech2, second: (x) => -2 * tanh(x) * sech2(x) },
  Softplus: { op: "Softplus", first: sigmoid, second: gate },
  Softsign: { op: "Softsign", first: (x) => (1 + abs(x)) ** -2, second: (x) => -2 * Math.sign(x) * (1 + abs(x)) ** -3 },
  // x tanh(s), s = softplus x: tanh s + x σ sech² s, and so on.
  Mish: {
    op: "Mish",
    first: (x) => tanh(softplus(x)) + x * sigmoid(x) * sech2(softplus(x)),
    second: (x) => {
      const [s, sigma] = [softplus(x), sigmoid(x)];
      return sech2(s) * (2 * sigma + x * gate(x) - 2 * x * tanh(s) * sigma ** 2);
    },
  },
  HardSwish: {
    op: "HardSwish",
    first: (x) => (x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5),
    second: (x) => (abs(x) < 3 ? 1 / 3 : 0),
  },
  Elu: {
    op: "Elu",
    attributes: { alpha: { float: 0.7 } },
    first: (x) => (x > 0 ? 1 : below * exp(x)),
    second: (x) => (x > 0 ? 0 : below * exp(x)),
  },
  Celu: {
    op: "Celu",
    attributes: { alpha: { float: 0.7 } },
    first: (x) => (x > 0 ? 1 : exp(x / below)),
    second: (x) => (x > 0 ? 0 : exp(x / below) / below),
  },
  Selu: {
    op: "Selu",
    first: (x) => selu.gamma * (x > 0 ? 1 : selu.alpha * exp(x)),
    second: (x) => (x > 0 ? 0 : selu.gamma * selu.alpha * exp(x)),
  },
  Erf: {
    op: "Erf",
    first: (x) => (2 / sqrt(PI)) * exp(-x * x),
    second: (x) => ((-4 * x) / sqrt(PI)) * exp(-x * x),
  },
  Gelu: {
    op: "Gelu",
    first: (x) => normalDistribution(x) + x * density(x),
    second: (x) => density(x) * (2 - x * x),
  },
  "Gelu by tanh": {
    op: "Gelu",
    attributes: { approximate: "tanh" },
    first: (x) => sigmoid(2 * inner(x)) + (x / 2) * sech2(inner(x)) * inner1(x),
    second: (x) => sech2(inner(x)) * (inner1(x) + x * (inner2(x) / 2 - tanh(inner(x)) * inner1(x) ** 2)),
  },
  Exp: { op: "Exp", first: exp, second: exp },
  Log: { op: "Log", points: positive, first: (x) => 1 / x, second: (x) => -1 / x ** 2 },
  Sqrt: { op: "Sqrt", points: positive, first: (x) => 0.5 / sqrt(x), second: (x) => -0.25 / sqrt(x) ** 3 },
  Reciprocal: { op: "Reciprocal", points: positive, first: (x) => -1 / x ** 2, second: (x) => 2 / x ** 3 },
  "Pow 2": power(2, everywhere),
  "Pow 3": power(3, everywhere),
  "Pow 1": power(1, positive),
  "Pow 0.5": power(0.5, positive),
  "Pow -1": power(-1, positive),
  "Pow 1.75": power(1.75, positive),
  Sin: { op: "Sin", first: Math.cos, second: (x) => -Math.sin(x) },
  Cos: { op: "Cos", first: (x) => -Math.sin(x), second: (x) => -Math.cos(x) },
  Tan: { op: "Tan", first: (x) => Math.cos(x) ** -2, second: (x) => 2 * Math.tan(x) * Math.cos(x) ** -2 },
  Asin: { op: "Asin", points: withinOne, first: (x) => 1 / sqrt(1 - x * x), second: (x) => x * (1 - x * x) ** -1.5 },
  Acos: { op: "Acos", points: withinOne, first: (x) => -1 / sqrt(1 - x * x), second: (x) => -x * (1 - x * x) ** -1.5 },
  Atan: { op: "Atan", first: (x) => 1 / (1 + x * x), second: (x) => (-2 * x) / (1 + x * x) ** 2 },
  Sinh: { op: "Sinh", first: cosh, second: Math.sinh },
  Cosh: { op: "Cosh", first: Math.sinh, second: cosh },
  Asinh: { op: "Asinh", first: (x) => 1 / sqrt(1 + x * x), second: (x) => -x * (1 + x * x) ** -1.5 },
  Acosh: {
    op: "Acosh",
    points: [1.001, 1.3, 2.1, 9, 80].map(Math.fround),
    first: (x) => 1 / sqrt(x * x - 1),
    second: (x) => -x * (x * x - 1) ** -1.5,
  },
  Atanh: { op: "Atanh", points: withinOne, first: (x) => 1 / (1 - x * x), second: (x) => (2 * x) / (1 - x * x) ** 2 },
};

function derivatives({ op, attributes, constants = [], points = everywhere }: Truth): Promise<Derivatives> {
  return derivativesAt(points, (b, x) =>
    node(b, op, [x, ...constants.map((constant) => b.constant(constant))], attributes),
  );
}

function precise(value: number, truth: number, what: string): void {
  if (abs(truth) < SMALLEST) expect(abs(value), what).toBeLessThan(10 * SMALLEST);
  else expect(abs(value - truth) / abs(truth), `${what}: ${value} for ${truth}`).toBeLessThan(PRECISION);
}

describe("derivatives in the tails, relative to themselves", () => {
  test.each(Object.entries(truths))("%s", async (_, truth) => {
    const got = await derivatives(truth);
    (truth.points ?? everywhere).forEach((x, index) => {
      precise(got.first[index]!, truth.first(x), `f' at ${x}`);
      precise(got.slope[index]!, truth.first(x), `f' at ${x} by reverse mode`);
      precise(got.second[index]!, truth.second(x), `f'' at ${x}`);
    });
  });
});

describe("what a rule emits can be differentiated: f'' from the graph of f'", () => {
  // Softsign's second derivative has a jump at 0, HardSwish's at ±3.
  test.each(Object.entries(truths))("%s", async (_, truth) => {
    const { again } = await derivatives(truth);
    (truth.points ?? everywhere).forEach((x, index) => {
      const expected = truth.second(x);
      expect(abs(again[index]! - expected) / (1 + abs(expected)), `f'' at ${x}: ${again[index]}`).toBeLessThan(AGAIN);
    });
  });
});

test("the reference has the normal distribution's tail", () => {
  // Abramowitz and Stegun, table 26.2: −log10 Q(x) at 5, 10 and 20.
  for (const [x, digits] of [
    [5, 6.54265],
    [10, 23.11805],
    [20, 88.5601],
  ] as const) {
    expect(-Math.log10(normalDistribution(-x))).toBeCloseTo(digits, 5);
  }
  expect(normalDistribution(1)).toBeCloseTo(0.841344746068543, 14);
  expect(log(normalDistribution(-2.5)) - log(0.006209665325776132)).toBeCloseTo(0, 12);
});
