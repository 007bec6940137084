import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenBatch, goldenModel, goldenPath, measureAll } from "../../golden-model.ts";
import { Sketch } from "../../sketch.ts";
import { labelled, random, warned } from "./observing.ts";

const CODE = "dead-features";
const N = 40;
const y = Array.from({ length: N }, (_, sample) => sample % 3);
const data = (width: number, n = N) => labelled(width, random(n * width, 5), y.slice(0, n));

/** 3 → 4 → 3, with neurons 1 and 3 of the first layer far below zero, or what is given. */
function mlp(bias: readonly number[] = [0, -100, 0, -100]) {
  const s = new Sketch(901, [3]);
  const hidden = ["x", s.rows("a", [4, 3]), s.constant("a.bias", [4], bias)];
  const a = s.op("Relu", [s.op("Gemm", hidden, { transB: 1 })]);
  return s.done(s.op("Gemm", [a, s.rows("b", [3, 4])], { transB: 1 }), 1).graph;
}

describe("features that are 0 on all samples", () => {
  test("are named at the layer that reads them", async () => {
    const [warning, ...others] = await warned(mlp(), data(3), CODE);
    expect(others).toEqual([]);
    expect(warning).toEqual({
      code: CODE,
      layer: "b",
      text: "2 of 4 features are 0 on all 40 samples: they have no share in κ and Tr(H), though their columns of W have one in ‖W‖²: 1, 3",
    });
  });

  test("whatever the batches, padding among them", async () => {
    const once = await warned(mlp(), data(3), CODE);
    for (const batch of [1, 3, 40]) expect(await warned(mlp(), data(3), CODE, { batch })).toEqual(once);
  });

  test("one sample is enough to be alive", async () => {
    const x = random(N * 3, 5);
    // A sample that is far from zero in every direction of W.
    const far = x
      .with(3 * 17, 1e4)
      .with(3 * 17 + 1, -1e4)
      .with(3 * 17 + 2, 1e4);
    expect((await warned(mlp([0, -100, 0, 0]), labelled(3, x, y), CODE)).length).toBe(1);
    const [left] = await warned(mlp([0, -100, 0, -100]), labelled(3, far, y), CODE);
    expect(left?.text ?? "none").not.toMatch(/^2 of 4/);
  });

  test("are none where all react, where the data makes them, and where samples are few", async () => {
    expect(await warned(mlp([0, 0, 0, 0]), data(3), CODE)).toEqual([]);
    const border = labelled(
      3,
      random(N * 3, 5).map((value, at) => (at % 3 === 0 ? 0 : value)),
      y,
    );
    expect(await warned(mlp([0, 0, 0, 0]), border, CODE)).toEqual([]);
    expect(await warned(mlp(), data(3, 29), CODE)).toEqual([]);
    expect(await warned(mlp(), data(3, 30), CODE)).toHaveLength(1);
  });

  test("are not looked for where only norms are measured", async () => {
    expect(await warned(mlp(), data(3), CODE, { measures: ["squared-weight-norm"] })).toEqual([]);
  });

  test("of a convolution are channels that are 0 at every position", async () => {
    const s = new Sketch(902, [1, 4, 4]);
    const a = s.op("Relu", [s.op("Conv", ["x", s.rows("a", [3, 1, 2, 2]), s.constant("a.bias", [3], [0, -100, 0])])]);
    const b = s.op("Relu", [s.op("Conv", [a, s.rows("b", [2, 3, 2, 2])])]);
    const { graph } = s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 8])], { transB: 1 }), 1);
    const { fields, ...rest } = data(16);
    const images = {
      ...rest,
      fields: fields.map((field) => (field.name === "x" ? { ...field, dims: [1, 4, 4] } : field)),
    };
    const read: typeof images.read = async (indices, names) => {
      const batch = await data(16).read(indices, names);
      const x = batch.get("x")!;
      return new Map(batch).set("x", { ...x, dims: [indices.length, 1, 4, 4] });
    };
    const warnings = await warned(graph, { ...images, read }, CODE);
    expect(warnings.find(({ layer }) => layer === "b")!.text).toMatch(/^1 of 3 features are 0 .*: 1$/);
  });

  test("of digits-mlp-relu are those whose deviation another program found to be 0", async () => {
    const truth = JSON.parse(readFileSync(goldenPath("digits-mlp-relu", "truth_twins.json"), "utf8")) as {
      base: { thm4_normalised: Record<string, { sigma: number[] }> };
    };
    const { result } = await measureAll(goldenModel("digits-mlp-relu"), goldenBatch("digits-mlp-relu"));
    const found = result.warnings.filter(({ code }) => code === CODE);
    expect(found.map(({ layer }) => layer)).toEqual(["2", "4"]);
    for (const { layer, text } of found) {
      const { sigma } = truth.base.thm4_normalised[`${layer}.weight`]!;
      const dead = [...sigma.keys()].filter((place) => sigma[place] === 0);
      expect(text).toMatch(new RegExp(`^${dead.length} of 32 features .*: ${dead.slice(0, 8).join(", ")}$`));
    }
  });
});
