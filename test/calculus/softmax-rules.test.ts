import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder } from "../../src/graph/builder.ts";
import { reshape } from "../../src/graph/operators.ts";
import { count } from "../../src/graph/tensor.ts";
import { valuesOf } from "../run-graph.ts";
import { jetsAt } from "./jets-at.ts";
import { checkRule, randomFrom, varyingOf } from "./rule-check.ts";

const RUNS = { numRuns: 12, seed: 4101 };

const shape = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }).chain((dims) =>
  fc.record({
    dims: fc.constant(dims),
    axis: fc.integer({ min: -dims.length, max: dims.length - 1 }),
    seed: fc.integer({ min: 1, max: 1e6 }),
  }),
);

describe.each(["Softmax", "LogSoftmax"])("%s", (op) => {
  test("any axis of any shape", async () => {
    await fc.assert(
      fc.asyncProperty(shape, ({ dims, axis, seed }) => {
        const random = randomFrom(seed);
        return checkRule({ op, attributes: { axis }, inputs: [varyingOf(dims, random, 2)] }, random);
      }),
      RUNS,
    );
  });

  test("the last axis where none is given", async () => {
    const random = randomFrom(4);
    await checkRule({ op, inputs: [varyingOf([2, 3, 4], random)] }, random);
  });
});

/** Rows of scores that differ by much, a direction a row below. */
const hard = {
  "one takes all": [30, -30, 0, 29],
  "two take all": [30, 30, -30, -29],
  "large scores": [1000, 999, 998.5, 970],
  "nearly equal": [0.001, 0, -0.001, 0.0005],
  masked: [1, -Infinity, 2, -Infinity],
} as const;

const first = [0.7, -1.3, 0.4, 2.1, -0.2, 0.9, 1.7, -0.6];
const second = [0.3, 0.8, -1.1, 0.5];
const cotangent = [1.2, -0.7, 0.1, 0.6];

/** Σ_r of second derivatives by the product rule, in float64. */
function reference(row: readonly number[]) {
  const x = row.map(Math.fround);
  const top = Math.max(...x);
  const powers = x.map((value) => Math.exp(value - top));
  const s = powers.map((value) => value / sum(powers));
  const mean = (values: readonly number[]) => sum(values.map((value, index) => value * s[index]!));
  const directions = [0, 1].map((r) => Array.from(first.slice(4 * r, 4 * r + 4), Math.fround));
  const ds = directions.map((v) => v.map((value, j) => s[j]! * (value - mean(v))));
  const bends = directions.map((v, r) => sum(v.map((value, k) => value * ds[r]![k]!)));
  const bent = second.map(Math.fround);
  return {
    s,
    softmax: {
      first: ds.flat(),
      second: s.map((share, j) => {
        const turned = sum(directions.map((v, r) => ds[r]![j]! * (v[j]! - mean(v)) - share * bends[r]!));
        return turned + share * (bent[j]! - mean(bent));
      }),
      pulled: s.map((share, j) => share * (Math.fround(cotangent[j]!) - mean(cotangent.map(Math.fround)))),
    },
    logSoftmax: {
      first: directions.flatMap((v) => v.map((value) => value - mean(v))),
      second: bent.map((value) => value - mean(bent) - sum(bends)),
      pulled: s.map((share, j) => Math.fround(cotangent[j]!) - share * sum(cotangent.map(Math.fround))),
    },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Each element of a derivative of softmax against its own s times the size of x' (about 2) and its squares: a few roundings of x'. */
const ROUNDINGS = 2e-6;

describe("at hard points, against float64", () => {
  test.each(Object.entries(hard))("Softmax, %s", async (_, row) => {
    const { s, softmax } = reference(row);
    const got = await jetsAt({ op: "Softmax", dims: [1, 4], x: row, first, second, cotangent });
    for (const name of ["first", "second", "pulled"] as const) {
      softmax[name].forEach((value, index) => {
        expect(Math.abs(got[name][index]! - value), `${name} ${index}`).toBeLessThanOrEqual(ROUNDINGS * s[index % 4]!);
      });
    }
  });

  test.each(Object.entries(hard))("LogSoftmax, %s", async (_, row) => {
    const { logSoftmax } = reference(row);
    const got = await jetsAt({ op: "LogSoftmax", dims: [1, 4], x: row, first, second, cotangent });
    for (const name of ["first", "second", "pulled"] as const) {
      logSoftmax[name].forEach((value, index) => {
        expect(Math.abs(got[name][index]! - value), `${name} ${index}`).toBeLessThanOrEqual(ROUNDINGS);
      });
    }
  });

  test("what is masked by −∞ has no derivative", async () => {
    const dims = [2, 3];
    const x = [0, -Infinity, 1, -Infinity, -Infinity, 2];
    const jets = await jetsAt({
      op: "Softmax",
      dims,
      x,
      first: first.slice(0, count(dims)),
      cotangent: first.slice(0, 6),
    });
    for (const name of ["first", "second", "pulled"] as const) {
      expect(jets[name].every(Number.isFinite), name).toBe(true);
      expect([1, 3, 4].map((index) => Math.abs(jets[name][index]!))).toEqual([0, 0, 0]);
    }
  });
});

describe("weights of attention", () => {
  const [rows, keys] = [4, 5];

  /** What reaches the scores of softmax(scores) V from G, by the definition, and by the rule with and without a column's axis. */
  async function pulled(width: number, scores: readonly number[]) {
    const random = randomFrom(11);
    const draw = (size: number) => Float32Array.from({ length: size }, () => random());
    const given = { x: Float32Array.from(scores), v: draw(keys * width), g: draw(rows * width) };
    const b = new Builder();
    const dims = { x: [rows, keys], v: [keys, width], g: [rows, width] };
    for (const [name, size] of Object.entries(dims)) b.input(name, "float32", size);
    const y = b.add("MatMul", [b.add("Softmax", ["x"], { axis: -1 }), "v"]);
    const before = b.nodes.length;
    const alone = pullBack(b, new Map([[y, "g"]]), ["x"], 0).get("x") as string;
    const squares = b.nodes
      .slice(before)
      .filter(({ op, outputs }) => op === "Mul" && b.dims(outputs[0] as string)[1] === keys);
    const column = pullBack(b, new Map([[y, reshape(b, "g", [1, rows, width])]]), ["x"], 1).get("x") as string;
    const feeds = Object.entries(given).map(([name, data]) => [
      name,
      { type: "float32" as const, dims: dims[name as "x"], data },
    ]);
    const values = await valuesOf(b, { alone, column }, Object.fromEntries(feeds));
    const expected = Array.from({ length: rows }, (_, row) => {
      const own = scores.slice(row * keys, (row + 1) * keys);
      const largest = Math.max(...own);
      const powers = own.map((score) => Math.exp(score - largest));
      const s = powers.map((power) => power / powers.reduce((sum, each) => sum + each));
      const dot = (key: number) =>
        Array.from({ length: width }, (__, d) => given.g[row * width + d]! * given.v[key * width + d]!).reduce(
          (sum, each) => sum + each,
        );
      const u = s.map((_s, key) => dot(key));
      const mean = u.reduce((sum, each, key) => sum + each * s[key]!, 0);
      return u.map((each, key) => s[key]! * (each - mean));
    }).flat();
    return { values, expected, products: squares.length };
  }

  const scores = Array.from({ length: rows * keys }, (_, index) => 3 * Math.sin(7 * index));
  /** Some dozens of roundings of numbers about 1. */
  const ROUNDING = 2e-6;

  test.each([
    ["fewer columns than weights: sums of the output's elements", 3, scores, 1],
    ["more columns: sums of the weights' own", 6, scores, 2],
    ["one weight takes all", 3, scores.map((score) => 20 * score), 1],
  ] as const)("%s", async (_, width, given, products) => {
    const { values, expected, products: made } = await pulled(width, given);
    for (const value of Object.values(values)) {
      expect(Math.max(...Array.from(value, (each, index) => Math.abs(each - expected[index]!)))).toBeLessThan(ROUNDING);
    }
    // s times the difference, and s u where it is summed.
    expect(made).toBe(products);
  });
});
