import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linearityOf } from "../../src/calculus/rules/rule.ts";
import { ruleOf } from "../../src/calculus/rules/table.ts";
import { pullBack } from "../../src/calculus/vjp.ts";
import { pushForward } from "../../src/calculus/taylor.ts";
import { Builder } from "../../src/graph/builder.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { jetsAt } from "./jets-at.ts";
import { checkRule, constantOf, randomFrom, varyingOf, type Varying } from "./rule-check.ts";

const RUNS = { numRuns: 6, seed: 4201 };

const seed = fc.integer({ min: 1, max: 1e6 });
const size = fc.integer({ min: 1, max: 3 });
/** Lengths of what is normalized: of two values little is left when their mean and deviation are taken. */
const length = fc.integer({ min: 3, max: 5 });
/** Not so small that a group of like values bends within the step of the kit's differences. */
const epsilon = fc.constantFrom(0.05, 0.3);

/** Values that lie apart, so that no group has a small deviation. */
function apart(dims: Dims, random: () => number): Varying {
  const values = Float32Array.from({ length: count(dims) }, (_, index) => 1.5 * Math.sin(2.3 * index) + 0.3 * random());
  return { dims, values };
}

test.each([[[4, 3]], [[2, 3, 4]], [[2, 3, 2, 2]]])("BatchNormalization of %j", async (dims) => {
  const random = randomFrom(3);
  const [scale, bias, mean] = [1, 2, 3].map(() => constantOf([3], random)) as [Tensor, Tensor, Tensor];
  const variance = Tensor.float32([3], [0.01, 1, 3]);
  await checkRule({ op: "BatchNormalization", inputs: [varyingOf(dims, random), scale, bias, mean, variance] }, random);
});

describe("LayerNormalization", () => {
  const shape = fc.record({
    outer: fc.array(size, { maxLength: 2 }),
    normalized: fc.array(length, { minLength: 1, maxLength: 2 }),
    negative: fc.boolean(),
    bias: fc.boolean(),
    epsilon,
    seed,
  });

  test("any axis, with and without bias", async () => {
    await fc.assert(
      fc.asyncProperty(shape, ({ outer, normalized, negative, bias, epsilon: given, seed: from }) => {
        const random = randomFrom(from);
        const axis = negative ? -normalized.length : outer.length;
        const parameters = [constantOf(normalized, random), ...(bias ? [constantOf(normalized, random)] : [])];
        return checkRule(
          {
            op: "LayerNormalization",
            attributes: { axis, epsilon: { float: given } },
            inputs: [apart([...outer, ...normalized], random), ...parameters],
          },
          random,
        );
      }),
      RUNS,
    );
  });

  test("scale and bias may vary, with x or alone", async () => {
    const random = randomFrom(7);
    const [x, scale, bias] = [apart([2, 3, 4], random), varyingOf([4], random), varyingOf([4], random)];
    const constant = constantOf([4], random);
    const fixed = constantOf([2, 3, 4], random, 2);
    for (const inputs of [
      [x, scale, bias],
      [x, scale],
      [x, constant, bias],
      [fixed, scale, bias],
      [fixed, constant, bias],
    ]) {
      await checkRule({ op: "LayerNormalization", attributes: { epsilon: { float: 0.1 } }, inputs }, random);
    }
  });

  test("it is smooth in x and linear in scale and bias", () => {
    const b = new Builder();
    b.input("x", "float32", [2, 4]);
    b.input("scale", "float32", [4]);
    b.add("LayerNormalization", ["x", "scale"]);
    const node = b.nodes[0]!;
    const along = (...varying: number[]) =>
      linearityOf(ruleOf(node)!, { b, node, varies: (index) => varying.includes(index) });
    expect([along(0), along(1), along(0, 1)]).toEqual(["smooth", "linear", "smooth"]);
  });

  test("a mean or deviation that is read is refused, one that nobody reads is not", () => {
    const b = new Builder();
    const x = b.input("x", "float32", [2, 4]);
    const scale = b.constant(Tensor.float32([4], [1, 1, 1, 1]));
    const [y = "", mean = ""] = b.addMany("LayerNormalization", [x, scale], {}, 3);
    const seeds = new Map([[x, { first: b.input("v", "float32", [1, 2, 4]) }]]);
    expect(pushForward(b, seeds, [y], 1).has(y)).toBe(true);
    const read = b.add("Mul", [y, mean]);
    const why = /its output flatness\/\d+ is read, and there is a derivative rule for its first output alone/;
    expect(() => pushForward(b, seeds, [read], 1)).toThrow(why);
    expect(() => pullBack(b, new Map([[read, b.input("u", "float32", [2, 4])]]), [x], 0)).toThrow(why);
    const node = b.nodes[0]!;
    expect(linearityOf(ruleOf(node)!, { b, node, varies: (index) => index === 0 })).toBe("unsupported");
  });
});

test("InstanceNormalization", async () => {
  const shape = fc.record({ batch: size, channels: size, spatial: fc.array(length, { minLength: 1, maxLength: 2 }) });
  await fc.assert(
    fc.asyncProperty(shape, epsilon, seed, ({ batch, channels, spatial }, given, from) => {
      const random = randomFrom(from);
      const parameters = [constantOf([channels], random), constantOf([channels], random)];
      const x = apart([batch, channels, ...spatial], random);
      const attributes = { epsilon: { float: given } };
      // The runtime has no float64 kernel of InstanceNormalization; LayerNormalization's rule is the same code.
      return checkRule({ op: "InstanceNormalization", attributes, inputs: [x, ...parameters], float64: false }, random);
    }),
    RUNS,
  );
});

test("InstanceNormalization, all vary", async () => {
  const random = randomFrom(12);
  const inputs = [apart([2, 3, 5], random), varyingOf([3], random), varyingOf([3], random)];
  // No float64 kernel, as above.
  await checkRule(
    { op: "InstanceNormalization", attributes: { epsilon: { float: 0.1 } }, inputs, float64: false },
    random,
  );
});

describe("GroupNormalization, a scale and a bias a group", () => {
  test("any number of groups", async () => {
    const shape = fc.record({
      batch: size,
      groups: size,
      channels: size,
      spatial: fc.array(length, { minLength: 1, maxLength: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(shape, epsilon, seed, ({ batch, groups, channels, spatial }, given, from) => {
        const random = randomFrom(from);
        const parameters = [constantOf([groups], random), constantOf([groups], random)];
        const x = apart([batch, groups * channels, ...spatial], random);
        const attributes = { num_groups: groups, epsilon: { float: given } };
        return checkRule({ op: "GroupNormalization", attributes, inputs: [x, ...parameters] }, random);
      }),
      RUNS,
    );
  });

  test("all vary", async () => {
    const random = randomFrom(8);
    const inputs = [apart([2, 4, 3], random), varyingOf([2], random), varyingOf([2], random)];
    const attributes = { num_groups: 2, epsilon: { float: 0.1 } };
    await checkRule({ op: "GroupNormalization", attributes, inputs }, random);
  });
});

describe.each([1, 2])("LpNormalization of the %i-norm", (p) => {
  test("any axis", async () => {
    const shape = fc
      .array(length, { minLength: 1, maxLength: 3 })
      .chain((dims) =>
        fc.record({ dims: fc.constant(dims), axis: fc.integer({ min: -dims.length, max: dims.length - 1 }), seed }),
      );
    await fc.assert(
      fc.asyncProperty(shape, ({ dims, axis, seed: from }) => {
        const random = randomFrom(from);
        // Signs stay what they are within the kit's step.
        const values = apart(dims, random).values.map((value) => value + Math.sign(value) * 0.1);
        return checkRule({ op: "LpNormalization", attributes: { p, axis }, inputs: [{ dims, values }] }, random);
      }),
      RUNS,
    );
  });

  test("at zero, where there is no derivative, it counts as zero", async () => {
    const x = [0, 0, 0, 1, -2, 0.5];
    const point = { op: "LpNormalization", attributes: { p }, dims: [2, 3], x, first: x, second: x, cotangent: x };
    const { first, second, pulled } = await jetsAt(point);
    for (const values of [first, second, pulled]) {
      expect(values.slice(0, 3)).toEqual([0, 0, 0]);
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });
});

test("LRN", async () => {
  const shape = fc.record({ batch: size, channels: length, spatial: fc.tuple(size, size) });
  const numbers = fc.record({
    size: fc.constantFrom(1, 3, 5),
    alpha: fc.constantFrom(0.1, 2),
    beta: fc.constantFrom(0.75, 1.5),
  });
  await fc.assert(
    fc.asyncProperty(shape, numbers, seed, ({ batch, channels, spatial }, { size: width, alpha, beta }, from) => {
      const random = randomFrom(from);
      const attributes = { size: width, alpha: { float: alpha }, beta: { float: beta }, bias: { float: 1.5 } };
      const x = apart([batch, channels, ...spatial], random);
      // The runtime has no float64 kernel of LRN, and takes images alone.
      return checkRule({ op: "LRN", attributes, inputs: [x], float64: false }, random);
    }),
    RUNS,
  );
});

/** y = (x − mean)/σ in float64 with its derivatives by the quotient rule, a row at a time. */
function reference(
  x: readonly number[],
  first: readonly number[][],
  second: readonly number[],
  u: readonly number[],
  eps: number,
) {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const centred = (values: readonly number[]) => values.map((value) => value - mean(values));
  const dot = (a: readonly number[], b: readonly number[]) => mean(a.map((value, index) => value * b[index]!));
  const c = centred(x);
  const v = dot(c, c) + eps;
  const [s, ds, dds] = [v ** -0.5, -0.5 * v ** -1.5, 0.75 * v ** -2.5];
  const c2 = centred(second);
  const slopes = first.map((one) => 2 * dot(c, centred(one)));
  const bend = 2 * dot(c, c2) + first.reduce((sum, one) => sum + 2 * dot(centred(one), centred(one)), 0);
  const squares = slopes.reduce((sum, slope) => sum + slope * slope, 0);
  const centredU = centred(u);
  return {
    y: c.map((value) => value * s),
    first: first.flatMap((one, r) => centred(one).map((value, j) => value * s + c[j]! * ds * slopes[r]!)),
    second: c.map((value, j) => {
      const turned = first.reduce((sum, one, r) => sum + 2 * centred(one)[j]! * ds * slopes[r]!, 0);
      return c2[j]! * s + turned + value * (ds * bend + dds * squares);
    }),
    pulled: centredU.map((value, j) => value * s + 2 * ds * c[j]! * dot(c, u)),
  };
}

/** Relative to the largest: a few roundings, also where x is but a few roundings of its mean away from it. */
const ROUNDINGS = 1e-6;

const rows = {
  ordinary: [0.3, -1.2, 0.8, 2.1, -0.4, 0.05],
  "a mean of 1e3, a deviation of 0.1": [1000.1, 999.9, 1000.05, 1000.2, 999.8, 1000],
  "a mean of 1e3, a deviation of 1e-3": [1000.001, 999.999, 1000, 1000.002, 999.998, 1000.0005],
  "equal values: ε decides": [2.5, 2.5, 2.5, 2.5, 2.5, 2.5],
  "nearly equal values: ε decides": [2.5, 2.5001, 2.4999, 2.5, 2.50005, 2.5],
  "one large value": [0, 0, 1e4, 0, 0.1, 0],
} as const;

describe("at hard points, against float64", () => {
  const random = randomFrom(99);
  const draw = (length_: number) => Array.from({ length: length_ }, () => Math.fround(random()));
  const [v, w, second, u] = [draw(6), draw(6), draw(6), draw(6)];
  const scale = Tensor.float32([6], [1, 2, 0.5, -1, 1.5, 1]);
  const gain = Array.from(scale.numbers());

  test.each(Object.entries(rows))("LayerNormalization, %s", async (_, row) => {
    const x = row.map(Math.fround);
    const scaledU = u.map((value, index) => value * gain[index]!);
    const truth = reference(x, [v, w], second, scaledU, Math.fround(1e-5));
    const point = {
      op: "LayerNormalization",
      dims: [1, 6],
      x,
      constants: [scale],
      first: [...v, ...w],
      second,
      cotangent: u,
    };
    const got = await jetsAt(point);
    for (const name of ["first", "second", "pulled"] as const) {
      const expected = name === "pulled" ? truth.pulled : truth[name].map((value, index) => value * gain[index % 6]!);
      const largest = Math.max(...expected.map(Math.abs));
      expected.forEach((value, index) => {
        expect(Math.abs(got[name][index]! - value) / largest, `${name} ${index}`).toBeLessThan(ROUNDINGS);
      });
    }
  });
});
