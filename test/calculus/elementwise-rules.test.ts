import fc from "fast-check";
import { describe, test } from "vitest";
import type { AttributeValue } from "../../src/graph/builder.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { checkComposition } from "./composition-check.ts";
import { checkRule, constantOf, randomFrom, varyingOf, type RuleCase, type Varying } from "./rule-check.ts";

const RUNS = { numRuns: 4, seed: 4211 };

const seed = fc.integer({ min: 1, max: 1e6 });
const dims = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });

type Numbers = Readonly<Record<string, number>>;

/** A function of one value: where to look at it, and where not. */
interface Unary {
  readonly low?: number;
  readonly high?: number;
  readonly kinks?: (attributes: Numbers) => readonly number[];
  readonly attributes?: fc.Arbitrary<Numbers>;
  readonly given?: Readonly<Record<string, AttributeValue>>;
  readonly float64?: false;
}

/** The kit steps 0.01 to either side. */
const MARGIN = 0.05;

function awayFrom(kinks: readonly number[], { dims: shape, values }: Varying): Varying {
  const moved = values.map((value) => {
    const near = kinks.find((kink) => Math.abs(value - kink) < MARGIN);
    return near === undefined ? value : near + (value < near ? -MARGIN : MARGIN);
  });
  return { dims: shape, values: moved };
}

const slope = fc.constantFrom(0.01, 0.3, 1, 1.7);
const atZero = { low: -3, high: 3, kinks: () => [0] };
/** ONNX Runtime's CPU build has no float64 kernel of the operator itself. */
const noFloat64 = { float64: false } as const;

const unary: Readonly<Record<string, Unary>> = {
  Neg: {},
  Identity: {},
  Dropout: {},
  Relu: atZero,
  LeakyRelu: { ...atZero, attributes: fc.record({ alpha: slope }) },
  ThresholdedRelu: { low: -3, high: 3, attributes: fc.record({ alpha: slope }), kinks: ({ alpha = 1 }) => [alpha] },
  Abs: atZero,
  HardSigmoid: {
    low: -3,
    high: 3,
    attributes: fc.record({ alpha: fc.constantFrom(0.2, 0.5), beta: fc.constantFrom(0.5, 0.3) }),
    kinks: ({ alpha = 0.2, beta = 0.5 }) => [-beta / alpha, (1 - beta) / alpha],
  },
  HardSwish: { low: -5, high: 5, kinks: () => [-3, 3] },
  Sigmoid: { low: -5, high: 5 },
  Tanh: { low: -3, high: 3 },
  Softplus: { low: -5, high: 5 },
  // The slope is continuous at 0, the second derivative is not.
  Softsign: { low: -5, high: 5, kinks: () => [0] },
  Elu: { ...atZero, attributes: fc.record({ alpha: slope }) },
  Selu: { ...atZero, attributes: fc.record({ alpha: slope, gamma: slope }) },
  "Selu as it comes": { ...atZero },
  Celu: { ...atZero, attributes: fc.record({ alpha: slope }), ...noFloat64 },
  Mish: { low: -5, high: 5 },
  Erf: { low: -2, high: 2, ...noFloat64 },
  Exp: { low: -3, high: 1 },
  Log: { low: 0.5, high: 3 },
  Sqrt: { low: 0.5, high: 3 },
  Reciprocal: { low: 0.7, high: 3 },
  Sin: { low: -3, high: 3 },
  Cos: { low: -3, high: 3 },
  Tan: { low: -1, high: 1, ...noFloat64 },
  Asin: { low: -0.8, high: 0.8, ...noFloat64 },
  Acos: { low: -0.8, high: 0.8, ...noFloat64 },
  Atan: { low: -3, high: 3, ...noFloat64 },
  Sinh: { low: -2, high: 2, ...noFloat64 },
  Cosh: { low: -2, high: 2, ...noFloat64 },
  Asinh: { low: -3, high: 3, ...noFloat64 },
  Acosh: { low: 1.4, high: 3, ...noFloat64 },
  Atanh: { low: -0.7, high: 0.7, ...noFloat64 },
};

function floats(numbers: Numbers): Record<string, AttributeValue> {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, { float: value }]));
}

describe("functions of one value", () => {
  test.each(Object.entries(unary))("%s", async (name, { low = -1, high = 1, kinks, attributes, float64 }) => {
    const op = name.split(" ")[0] as string;
    await fc.assert(
      fc.asyncProperty(dims, attributes ?? fc.constant<Numbers>({}), seed, async (shape, numbers, from) => {
        const random = randomFrom(from);
        const point = varyingOf(shape, random, (high - low) / 2, (low + high) / 2);
        const inputs = [awayFrom(kinks?.(numbers) ?? [], point)];
        const given: RuleCase = { op, attributes: floats(numbers), inputs, float64 };
        await checkRule(given, random);
        await checkComposition(given, random);
      }),
      RUNS,
    );
  });

  test("Clip between two bounds, one, or none", async () => {
    const bound = (value: number) => Tensor.float32([], [value]);
    const random = randomFrom(5);
    const x = () => awayFrom([-0.5, 0.5], varyingOf([3, 4], random, 1.5));
    await checkRule({ op: "Clip", inputs: [x(), bound(-0.5), bound(0.5)] }, random);
    await checkRule({ op: "Clip", inputs: [x(), "", bound(0.5)] }, random);
    await checkRule({ op: "Clip", inputs: [x(), bound(-0.5)] }, random);
    await checkRule({ op: "Clip", inputs: [x()] }, random);
  });

  test("Cast and CastLike between floats", async () => {
    const random = randomFrom(6);
    const x = () => varyingOf([2, 3], random);
    for (const to of [1, 11]) await checkRule({ op: "Cast", attributes: { to }, inputs: [x()] }, random);
    await checkRule({ op: "CastLike", inputs: [x(), x()] }, random);
    // In float64 the second input is a float64 too.
    await checkRule({ op: "CastLike", inputs: [x(), Tensor.float32([], [1])] }, random);
  });
});

/** Shapes that broadcast to one: axes shrunk to 1, axes taken away in front. One of them is whole. */
function operands(number: number): fc.Arbitrary<Dims[]> {
  const change = fc.record({ shrunk: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), cut: fc.nat(2) });
  return fc
    .tuple(dims, fc.array(change, { minLength: number, maxLength: number }), fc.nat(number - 1))
    .map(([whole, changes, kept]) =>
      changes.map(({ shrunk, cut }, index) =>
        index === kept
          ? whole
          : whole.map((size, axis) => (shrunk[axis] ? 1 : size)).slice(Math.min(cut, whole.length)),
      ),
    );
}

/** Which operands vary: at least one. */
function varies(number: number): fc.Arbitrary<boolean[]> {
  return fc.array(fc.boolean(), { minLength: number, maxLength: number }).filter((list) => list.includes(true));
}

/** Values of which those of different operands differ by a sixth at least. */
function apart(shape: Dims, index: number, number: number, random: () => number): Float32Array {
  return Float32Array.from({ length: count(shape) }, () => Math.round(4 * random()) * 0.5 + (0.5 * index) / number);
}

function checkOperands(
  number: number,
  caseOf: (
    inputs: (make: (shape: Dims, index: number) => ArrayLike<number>) => RuleCase["inputs"],
    random: () => number,
  ) => RuleCase,
): Promise<void> {
  return fc.assert(
    fc.asyncProperty(operands(number), varies(number), seed, async (shapes, varying, from) => {
      const random = randomFrom(from);
      const given = caseOf(
        (make) =>
          shapes.map((shape, index) => {
            const values = Float32Array.from(make(shape, index));
            return varying[index] ? { dims: shape, values } : Tensor.float32(shape, values);
          }),
        random,
      );
      await checkRule(given, random);
      // The cotangents of Mean's operands may be one value, which the check of compositions cannot tell apart.
      if (given.op !== "Mean") await checkComposition(given, random);
    }),
    { ...RUNS, numRuns: 12 },
  );
}

/** Values between two numbers. */
function between(low: number, high: number, random: () => number) {
  return (shape: Dims) => varyingOf(shape, random, (high - low) / 2, (low + high) / 2).values;
}

describe("functions of several operands that are broadcast", () => {
  for (const number of [1, 2, 3]) {
    test.each(["Max", "Min"])(`%s of ${number}`, (op) =>
      checkOperands(number, (inputs, random) => ({
        op,
        inputs: inputs((shape, index) => apart(shape, index, number, random)),
      })),
    );

    test(`Mean of ${number}`, () =>
      checkOperands(number, (inputs, random) => ({
        op: "Mean",
        inputs: inputs(between(-1, 1, random)),
        ...noFloat64,
      })));
  }

  test("Where", () =>
    checkOperands(3, (inputs, random) => {
      const [condition, ...branches] = inputs(between(-1, 1, random));
      const { dims: shape } = condition as Varying | Tensor;
      const bits = Uint8Array.from({ length: count(shape) }, () => Number(random() > 0));
      const some = branches.some((branch) => !(branch instanceof Tensor));
      const first = branches[0] as Varying | Tensor;
      const left = some ? first : varyingOf(first.dims, random);
      return { op: "Where", inputs: [Tensor.of("bool", shape, bits), left, branches[1] as Varying] };
    }));

  test("PRelu, its slope constant or not", async () => {
    const slopes = fc.constantFrom<Dims[]>([], [1], [3, 1], [4], [2, 3, 4]);
    await fc.assert(
      fc.asyncProperty(slopes, varies(2), seed, async (shape, [first, second], from) => {
        const random = randomFrom(from);
        const x = awayFrom([0], varyingOf([2, 3, 4], random));
        const s = varyingOf(shape, random);
        const inputs = [first ? x : Tensor.float32(x.dims, x.values), second ? s : Tensor.float32(s.dims, s.values)];
        await checkRule({ op: "PRelu", inputs }, random);
      }),
      { ...RUNS, numRuns: 12 },
    );
  });

  test("Mod, as the remainder of floats", () =>
    checkOperands(2, (inputs, random) => {
      // Divisors of at least 1 and 1.2 at most, dividends of parts .2 to .8 of the smallest beyond a multiple of the largest.
      const divisors = between(1, 1.1, random);
      const dividends = (shape: Dims) =>
        divisors(shape).map(() => Math.floor(2 * random()) * 1.1 + 0.5 + 0.2 * random());
      return {
        op: "Mod",
        attributes: { fmod: 1 },
        inputs: inputs((shape, index) => (index === 0 ? dividends : divisors)(shape)),
      };
    }));
});

describe("Pow", () => {
  test.each([2, 3, 1, 0, -1, -2])("%d, of either sign", async (exponent) => {
    const random = randomFrom(31);
    const x = varyingOf([2, 5], random, 2);
    const away = awayFrom([0], x).values.map((value) => value + Math.sign(value) * 0.5);
    await checkRule({ op: "Pow", inputs: [{ dims: x.dims, values: away }, Tensor.float32([], [exponent])] }, random);
  });

  test.each([0.5, -0.5, 1.5, 2.75])("%f, of what is positive", async (exponent) => {
    const random = randomFrom(32);
    await checkRule(
      { op: "Pow", inputs: [varyingOf([2, 5], random, 1, 1.6), Tensor.float32([1], [exponent])] },
      random,
    );
  });

  test("a whole exponent of another type", async () => {
    const random = randomFrom(33);
    await checkRule({ op: "Pow", inputs: [varyingOf([2, 3], random), Tensor.int64([2])] }, random);
  });

  test("constant exponents, element by element", async () => {
    const random = randomFrom(34);
    const exponents = Tensor.float32([2, 1, 3], [0, 1, 2, 0.5, -1, 1.75]);
    await checkRule({ op: "Pow", inputs: [varyingOf([4, 3], random, 0.7, 1.3), exponents] }, random);
  });

  test("base and exponent of any shape, either of which varies or both", () =>
    checkOperands(2, (inputs, random) => {
      const bases = between(0.6, 2, random);
      // Eighths, of which p(p − 1) is a float32 too: a constant that is rounded differs by 3e-8 from what reverse mode multiplies.
      const exponents = (shape: Dims) => between(-1, 2, random)(shape).map((value) => Math.round(8 * value) / 8);
      return { op: "Pow", inputs: inputs((shape, index) => (index === 0 ? bases : exponents)(shape)) };
    }));

  test("a constant base", async () => {
    const random = randomFrom(35);
    await checkRule({ op: "Pow", inputs: [constantOf([], () => 0.8), varyingOf([2, 3], random)] }, random);
  });
});
