import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linearityOf } from "../../src/calculus/rules/rule.ts";
import { ruleOf } from "../../src/calculus/rules/table.ts";
import { Builder } from "../../src/graph/builder.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { jetsAt } from "./jets-at.ts";
import { checkRule, randomFrom, type Varying } from "./rule-check.ts";

const RUNS = { numRuns: 8, seed: 4301 };

const seed = fc.integer({ min: 1, max: 1e6 });
const shape = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });

/** Axes that are reduced, some counted from the end; none given; or none meant. */
const reduced = shape.chain((dims) =>
  fc.record({
    dims: fc.constant(dims),
    axes: fc.oneof(
      { weight: 5, arbitrary: fc.uniqueArray(fc.nat(dims.length - 1), { minLength: 1, maxLength: dims.length }) },
      { weight: 1, arbitrary: fc.constantFrom("none given", "none meant") },
    ),
    negative: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    keepdims: fc.nat(1),
    seed,
  }),
);

/** Distinct values at least 0.05 apart and away from 0, in random order: no kink within the kit's step. */
function apart(dims: Dims, random: () => number): Varying {
  const size = count(dims);
  const grid = Array.from({ length: size }, (_, index) => ({ value: (index + 0.5) / 10, key: random() }));
  const ordered = grid.toSorted((a, b) => a.key - b.key);
  return { dims, values: Float32Array.from(ordered, ({ value }, index) => (index % 2 === 0 ? value : -value)) };
}

function positive(dims: Dims, random: () => number): Varying {
  return { dims, values: apart(dims, random).values.map(Math.abs) };
}

/** Factors around 1, of both signs. */
function nearOne(dims: Dims, random: () => number): Varying {
  return { dims, values: Float32Array.from({ length: count(dims) }, () => Math.sign(random()) * (1 + 0.4 * random())) };
}

const reductions: Readonly<Record<string, typeof apart>> = {
  ReduceSum: apart,
  ReduceMean: apart,
  ReduceSumSquare: apart,
  ReduceL1: apart,
  ReduceL2: apart,
  ReduceMax: apart,
  ReduceMin: apart,
  ReduceProd: nearOne,
  ReduceLogSum: positive,
  ReduceLogSumExp: apart,
};

describe.each(Object.entries(reductions))("%s", (op, values) => {
  test("any axes, kept or not", async () => {
    await fc.assert(
      fc.asyncProperty(reduced, ({ dims, axes, negative, keepdims, seed: from }) => {
        const random = randomFrom(from);
        const list = typeof axes === "string" ? [] : axes;
        const signed = list.map((axis, index) => (negative[index] ? axis - dims.length : axis));
        const given = list.length > 0 ? [Tensor.int64(signed)] : [];
        const attributes = { keepdims, ...(axes === "none meant" && { noop_with_empty_axes: 1 }) };
        return checkRule({ op, attributes, inputs: [values(dims, random), ...given] }, random);
      }),
      RUNS,
    );
  });
});

describe("kinks and poles", () => {
  const first = [0.5, -1, 2, 0.25];
  const second = [1, 2, -1, 0.5];
  const at = (op: string, x: readonly number[], axes = [0]) =>
    jetsAt({ op, dims: [4], x, constants: [Tensor.int64(axes)], first, second, cotangent: [3] });

  test("of equal extremes the first takes all", async () => {
    expect(await at("ReduceMax", [1, 5, 5, 5])).toMatchObject({ first: [-1], second: [2], pulled: [0, 3, 0, 0] });
    expect(await at("ReduceMin", [1, 0, 7, 0])).toMatchObject({ first: [-1], second: [2], pulled: [0, 3, 0, 0] });
    const flat = {
      op: "ReduceMax",
      dims: [2, 3, 2],
      x: new Float32Array(12).fill(1),
      constants: [Tensor.int64([0, 2])],
    };
    const { pulled } = await jetsAt({ ...flat, first: new Float32Array(12).fill(1), cotangent: [1, 2, 3] });
    expect(pulled).toEqual([1, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("a 2-norm at zero, where there is no derivative, counts as zero", async () => {
    expect(await at("ReduceL2", [0, 0, 0, 0])).toMatchObject({ first: [0], second: [0], pulled: [0, 0, 0, 0] });
  });

  test("a 1-norm has slope 0 at 0", async () => {
    expect(await at("ReduceL1", [0, -1, 2, 0])).toMatchObject({ first: [3], second: [-3], pulled: [0, -3, 3, 0] });
  });

  test("products with one zero, with two, with three", async () => {
    // y = x₀x₁x₂x₃: y'' = Σ x''ᵢ Πⱼ≠ᵢ xⱼ + Σᵢ≠ⱼ x'ᵢx'ⱼ Πₖ≠ᵢⱼ xₖ.
    expect(await at("ReduceProd", [0, 2, 3, 5])).toMatchObject({ first: [15], pulled: [90, 0, 0, 0] });
    expect((await at("ReduceProd", [0, 2, 3, 5])).second[0]).toBeCloseTo(30 + 2 * 0.5 * (-15 + 20 + 1.5), 4);
    expect((await at("ReduceProd", [0, 0, 3, 5])).second[0]).toBeCloseTo(2 * 0.5 * -1 * 15, 4);
    expect(await at("ReduceProd", [0, 0, 0, 5])).toMatchObject({ first: [0], second: [0], pulled: [0, 0, 0, 0] });
  });

  test("log Σ exp of large and of infinitely small values", async () => {
    // One value alone: y = x₀.
    expect(await at("ReduceLogSumExp", [1000, 0, -Infinity, -1000])).toMatchObject({
      first: [0.5],
      second: [1],
      pulled: [3, 0, 0, 0],
    });
    // Two alike: the mean of both, and the variance (Δ/2)².
    const { first: slope, second: bend, pulled } = await at("ReduceLogSumExp", [1000, 1000, -Infinity, 800]);
    expect([...slope, ...bend]).toEqual([-0.25, 1.5 + 0.75 ** 2]);
    expect(pulled).toEqual([1.5, 1.5, 0, 0]);
  });
});

describe("precision, against float64", () => {
  const size = 64;
  const random = randomFrom(31);
  const draw = (scale = 1, centre = 0) => Array.from({ length: size }, () => Math.fround(centre + scale * random()));
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const [v, w, second] = [draw(), draw(), draw()];
  /** Relative to the size of the terms: a few roundings. */
  const ROUNDINGS = 1e-6;

  test("a 2-norm along directions that are nearly its own", async () => {
    const x = draw(1e-2, 3);
    const length = Math.sqrt(dot(x, x));
    // x' = x + 1e-3 w: of D²y[x',x'] only the part across x is left, a millionth of x'²/y.
    const along = x.map((value, i) => Math.fround(value + 1e-3 * w[i]!));
    const slope = dot(x, along) / length;
    const across = along.map((value, i) => value - (slope * x[i]!) / length);
    const truth = dot(across, across) / length;
    const got = await jetsAt({ op: "ReduceL2", dims: [size], x, constants: [Tensor.int64([0])], first: along });
    expect(Math.abs(got.first[0]! / slope - 1)).toBeLessThan(ROUNDINGS);
    // What is across is a thousandth of x', so that a rounding of x' is 1e-4 of it.
    expect(Math.abs(got.second[0]! / truth - 1)).toBeLessThan(3e-4);
  });

  test("log Σ exp with a large mean", async () => {
    const x = draw(2, 1000);
    const powers = x.map((value) => Math.exp(value - 1000));
    const s = powers.map(
      (value) =>
        value /
        dot(
          powers,
          powers.map(() => 1),
        ),
    );
    const variance = (u: readonly number[]) =>
      dot(
        s,
        u.map((value) => (value - dot(s, u)) ** 2),
      );
    const got = await jetsAt({ op: "ReduceLogSumExp", dims: [size], x, first: [...v, ...w], second });
    expect(Math.abs(got.first[0]! - dot(s, v))).toBeLessThan(ROUNDINGS);
    expect(Math.abs(got.second[0]! - dot(s, second) - variance(v) - variance(w))).toBeLessThan(ROUNDINGS);
  });
});

describe("TopK", () => {
  test("any axis, largest or smallest, sorted or not", async () => {
    const chosen = shape.chain((dims) =>
      fc.nat(dims.length - 1).chain((axis) =>
        fc.record({
          dims: fc.constant(dims),
          axis: fc.constantFrom(axis, axis - dims.length),
          k: fc.integer({ min: 1, max: dims[axis]! }),
          largest: fc.nat(1),
          sorted: fc.nat(1),
          seed,
        }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(chosen, ({ dims, axis, k, largest, sorted, seed: from }) => {
        const random = randomFrom(from);
        return checkRule(
          {
            op: "TopK",
            attributes: { axis, largest, sorted },
            inputs: [apart(dims, random), Tensor.int64([k])],
            output: [0, 2],
          },
          random,
        );
      }),
      RUNS,
    );
  });

  test("one whose indices nobody asked for", async () => {
    const constants = [Tensor.int64([2])];
    const point = { op: "TopK", dims: [4], x: [3, 1, 4, 2], constants, first: [1, 2, 3, 4], cotangent: [5, 6] };
    expect(await jetsAt(point)).toMatchObject({ y: [4, 3], first: [3, 1], pulled: [6, 0, 5, 0] });
  });
});

describe("CumSum", () => {
  test("any axis, either way, with or without the element itself", async () => {
    const summed = shape.chain((dims) =>
      fc.record({
        dims: fc.constant(dims),
        axis: fc.integer({ min: -dims.length, max: dims.length - 1 }),
        exclusive: fc.nat(1),
        reverse: fc.nat(1),
        seed,
      }),
    );
    await fc.assert(
      fc.asyncProperty(summed, ({ dims, axis, exclusive, reverse, seed: from }) => {
        const random = randomFrom(from);
        const inputs = [apart(dims, random), Tensor.int64(axis)];
        return checkRule({ op: "CumSum", attributes: { exclusive, reverse }, inputs }, random);
      }),
      RUNS,
    );
  });
});

test("linearity", () => {
  const b = new Builder();
  b.input("x", "float32", [2, 3]);
  b.input("axis", "int64", [1]);
  const axes = b.integers([1]);
  const one = b.integers([0]);
  b.input("row", "float32", [1, 3]);
  const kind = (op: string, inputs: readonly string[]) => {
    const made = b.addMany(op, inputs, {}, op === "TopK" ? 2 : 1);
    const node = b.producerOf(made[0]!)!;
    return linearityOf(ruleOf(node)!, { b, node, varies: (index) => index === 0 });
  };
  expect(["ReduceSum", "ReduceMean"].map((op) => kind(op, ["x", axes]))).toEqual(["linear", "linear"]);
  for (const op of ["ReduceMax", "ReduceMin", "ReduceL1", "TopK"]) {
    expect(kind(op, ["x", axes]), op).toBe("piecewise-linear");
  }
  const smooth = ["ReduceSumSquare", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd"];
  expect(smooth.map((op) => kind(op, ["x", axes]))).toEqual(smooth.map(() => "smooth"));
  expect(kind("ReduceProd", ["row", one])).toBe("linear");
  expect([kind("CumSum", ["x", axes]), kind("CumSum", ["x", "axis"])]).toEqual(["linear", "unsupported"]);
});
