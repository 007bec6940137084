import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contradictions } from "../../../src/evaluation/observations/contradictory-labels.ts";
import { goldenBatch, goldenModel, measureAll } from "../../golden-model.ts";
import { Sketch } from "../../sketch.ts";
import { labelled, random, warned } from "./observing.ts";

const CODE = "equal-features-different-labels";
const N = 12;
const x = random(N * 3, 7);
const y = Array.from({ length: N }, (_, sample) => sample % 3);

/** 3 → 4 → 3; without a ReLU between, features are equal where inputs are. */
function mlp(bias = 0) {
  const s = new Sketch(911, [3]);
  const hidden = ["x", s.rows("a", [4, 3]), s.constant("a.bias", [4], [bias, bias, bias, bias])];
  const a = s.op("Relu", [s.op("Gemm", hidden, { transB: 1 })]);
  return s.done(s.op("Gemm", [a, s.rows("b", [3, 4]), s.random("b.bias", [3])], { transB: 1 }), 1).graph;
}

/** Sample 9 with the numbers of sample 2. */
const duplicated = x.map((value, at) => (at >= 27 && at < 30 ? x[at - 21]! : value));

describe("equal features with different labels", () => {
  test("are named at every layer that has them", async () => {
    const labels = y.with(9, 1).with(2, 2);
    for (const batch of [1, 5, 12]) {
      expect(await warned(mlp(3), labelled(3, duplicated, labels), CODE, { batch })).toEqual(
        ["a", "b"].map((layer) => ({
          code: CODE,
          layer,
          text: "2 feature vectors are equal to one with another label, as those of sample 2 (label 2) and sample 9 (label 1) are: the label is no function of the features there",
        })),
      );
    }
  });

  test("may be made by the layers below: then only the layers above them are warned of", async () => {
    // No neuron reacts: all features of b are 0.
    const warnings = await warned(mlp(-100), labelled(3, x, y), CODE);
    expect(warnings.map(({ layer, text }) => [layer, text.slice(0, 18)])).toEqual([["b", "12 feature vectors"]]);
  });

  test("are none where labels agree, or features differ by more than rounding", async () => {
    expect(await warned(mlp(3), labelled(3, duplicated, y.with(9, y[2]!)), CODE)).toEqual([]);
    const labels = y.with(9, 1).with(2, 2);
    const apart = duplicated.with(27, duplicated[27]! * (1 + 1e-3));
    expect(await warned(mlp(3), labelled(3, apart, labels), CODE)).toEqual([]);
    expect(await warned(mlp(3), labelled(3, x, y), CODE)).toEqual([]);
  });

  test("are called by their place in the data", async () => {
    const labels = y.with(9, 1).with(2, 2);
    const data = labelled(3, duplicated, labels);
    const { result } = await measureAll(
      { graph: mlp(3), file: "sketch.onnx", sha256: "", opset: 18 },
      data,
      { threads: 1 },
      Int32Array.of(9, 4, 5, 2),
    );
    const [warning] = result.warnings.filter(({ code }) => code === CODE);
    expect(warning!.text).toMatch(/sample 9 \(label 1\) and sample 2 \(label 2\)/);
  });

  test("of tokens: the first of a text, which all have the same past", async () => {
    const { result } = await measureAll(goldenModel("mini-gpt"), goldenBatch("mini-gpt"), {
      layers: "last",
      measures: ["relative-flatness"],
    });
    const batch = goldenBatch("mini-gpt");
    const tokens = await batch.read(
      Int32Array.from({ length: batch.n }, (_, index) => index),
      batch.fields.map(({ name }) => name),
    );
    const [input, target] = [tokens.get("x")!, tokens.get("y")!];
    const length = input.dims[1]!;
    // By hand: positions whose whole past, themselves included, is that of another with another next token.
    const pasts = new Map<string, Set<string>>();
    const keys = Array.from({ length: batch.n * length }, (_, at) => {
      const start = at - (at % length);
      const key = Array.from({ length: (at % length) + 1 }, (__, index) => String(input.data[start + index])).join();
      pasts.set(key, (pasts.get(key) ?? new Set()).add(String(target.data[at])));
      return key;
    });
    const count = keys.filter((key) => pasts.get(key)!.size > 1).length;
    expect(count).toBeGreaterThan(0);
    const [warning] = result.warnings.filter(({ code }) => code === CODE);
    expect(warning!.text).toMatch(new RegExp(`^${count} feature vectors are equal`));
  });
});

test("what is found among projections is what all pairs have", () => {
  const value = fc.integer({ min: -2, max: 2 });
  const row = fc.tuple(value, value, fc.constant(1), fc.constant(-2), fc.integer({ min: -1, max: 2 }));
  fc.assert(
    fc.property(fc.array(row, { maxLength: 24 }), (rows) => {
      const counted = rows.filter((each) => each[4] >= 0);
      const contradicted = counted.filter((one) =>
        counted.some((other) => one.slice(0, 4).join() === other.slice(0, 4).join() && one[4] !== other[4]),
      );
      const found = contradictions(Float32Array.from(rows.flat()));
      expect(found.count).toBe(contradicted.length);
      expect(found.example === undefined).toBe(contradicted.length === 0);
    }),
    { seed: 12, numRuns: 300 },
  );
});
