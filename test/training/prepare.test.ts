import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { npzBytes } from "../../src/data/npz.ts";
import { LABELS } from "../../src/training/names.ts";
import { prepared } from "../../src/training/prepare.ts";
import type { RecipeInput } from "../../src/training/recipe.ts";
import { resolved } from "../../src/training/recipe-text.ts";

const folder = mkdtempSync(join(tmpdir(), "flatness-prepare-"));
afterAll(() => rmSync(folder, { recursive: true }));

const n = 300;
const classes = 5;
/** Each sample's input is its index, its label the index modulo 5. */
const file = join(folder, "numbered.npz");
writeFileSync(
  file,
  npzBytes({
    x: { type: "float32", dims: [n, 1], data: Float32Array.from({ length: n }, (_, index) => index) },
    y: { type: "int64", dims: [n], data: BigInt64Array.from({ length: n }, (_, index) => BigInt(index % classes)) },
  }),
);

async function portions(data: Partial<RecipeInput["data"]>, more: Partial<RecipeInput> = {}) {
  const made = await prepared(
    resolved({
      model: { name: "mlp", hidden: [] },
      data: { source: file, ...data },
      optimizer: { name: "sgd", learningRate: 0.1 },
      ...more,
    }),
    undefined,
  );
  const read = (portion: typeof made.test) => ({
    indices: Array.from((portion?.samples.arrays.get("x")?.data as Float32Array) ?? []),
    labels: Array.from((portion?.samples.arrays.get(LABELS)?.data as BigInt64Array) ?? [], Number),
  });
  return { train: read(made.train), test: read(made.test), origin: made.origin };
}

const everyone = Array.from({ length: n }, (_, index) => index);
const labelled = (indices: readonly number[]) => indices.map((index) => index % classes);

describe("the data of a recipe", () => {
  test("is all of it in order, with its own labels", async () => {
    const { train, test: tested } = await portions({});
    expect(train).toEqual({ indices: everyone, labels: labelled(everyone) });
    expect(tested.indices).toEqual([]);
  });

  test("a subset is drawn by the seed among the samples that are asked for, each once", async () => {
    const { train } = await portions({ subset: 40, samples: 100 });
    expect(new Set(train.indices).size).toBe(40);
    expect(train.indices).toEqual(train.indices.toSorted((left, right) => left - right));
    expect(Math.max(...train.indices)).toBeLessThan(100);
    expect(train.labels).toEqual(labelled(train.indices));
    expect((await portions({ subset: 40, samples: 100 })).train).toEqual(train);
    const other = (await portions({ subset: 40, samples: 100 }, { seed: 1 })).train;
    expect(other.indices).not.toEqual(train.indices);
    // The data may have a seed of its own, so that networks of several seeds see the same samples.
    expect((await portions({ subset: 40, samples: 100, seed: 0 }, { seed: 1 })).train).toEqual(train);
  });

  test("what is held out is the test data, and nothing of it is trained on", async () => {
    const { train, test: tested } = await portions({ holdOut: 0.25 });
    expect(tested.indices).toHaveLength(75);
    expect([...train.indices, ...tested.indices].toSorted((left, right) => left - right)).toEqual(everyone);
    expect(tested.labels).toEqual(labelled(tested.indices));
  });

  test("test data is another part, and samples that are trained on are refused", async () => {
    const indices = join(folder, "last.npz");
    const last = BigInt64Array.from({ length: 60 }, (_, index) => BigInt(240 + index));
    writeFileSync(indices, npzBytes({ indices: { type: "int64", dims: [60], data: last } }));
    const { test: tested } = await portions({ samples: 200 }, { test: { samples: indices } });
    expect(tested.indices).toEqual(Array.from(last, Number));
    await expect(portions({ samples: 250 }, { test: { samples: indices } })).rejects.toThrow(
      "test: 10 of its 60 samples are trained on: expected another source, split or samples than data has",
    );
  });

  test.each([
    ["subset", { subset: 301 }, "subset 301: expected a whole number from 1 to 300, the samples of the data"],
    ["holdOut", { holdOut: 0.999 }, "holdOut 0.999: leaves no sample to train on"],
  ])("%s that leaves too little is refused", async (_, data, message) => {
    await expect(portions(data)).rejects.toThrow(message);
  });
});

describe("label noise", () => {
  test("gives exactly the share of the training samples another class, each as likely, and test samples none", async () => {
    const { train, test: tested } = await portions({ labelNoise: 0.4, holdOut: 0.2 });
    const wrong = train.indices.flatMap((index, place) =>
      train.labels[place] === index % classes ? [] : [(train.labels[place]! - (index % classes) + classes) % classes],
    );
    // 240 samples are trained on.
    expect(wrong).toHaveLength(96);
    for (const step of [1, 2, 3, 4]) {
      // A fourth of 96: 4 √(96 · 3/16).
      expect(Math.abs(wrong.filter((other) => other === step).length - 24)).toBeLessThan(17);
    }
    expect(tested.labels).toEqual(labelled(tested.indices));
    expect((await portions({ labelNoise: 0.4, holdOut: 0.2 })).train).toEqual(train);
    expect((await portions({ labelNoise: 0.4, holdOut: 0.2, seed: 9 })).train.labels).not.toEqual(train.labels);
  });

  test("of all samples leaves none its own", async () => {
    const { train } = await portions({ labelNoise: 1 });
    expect(train.labels.filter((label, place) => label === train.indices[place]! % classes)).toEqual([]);
  });

  test("of targets that are no classes is refused", async () => {
    const run = portions({ labelNoise: 0.1, labels: "x" });
    await expect(run).rejects.toThrow("labelNoise: expected one class index a sample");
  });
});

describe("a language model", () => {
  const tokens = (name: string, values: readonly number[]) => {
    const path = join(folder, name);
    writeFileSync(path, new Uint8Array(Uint16Array.from(values).buffer));
    return path;
  };
  const recipe = (source: string, test?: string): RecipeInput => ({
    model: { name: "gpt-tiny", width: 4, depth: 1, heads: 1 },
    data: { source, preprocess: "tokens=4" },
    ...(test && { test: { source: test } }),
    optimizer: { name: "sgd", learningRate: 0.1 },
  });

  test("has an embedding for tokens that stand in the input alone", async () => {
    // The largest token comes first, and is never the next one.
    const { task } = await prepared(resolved(recipe(tokens("a.bin", [9, 1, 2, 3, 4, 3, 2, 1, 0]))), undefined);
    expect(task.layout.entries.find(({ name }) => name === "tokens.weight")!.dims).toEqual([10, 4]);
  });

  test("refuses test data with tokens that the training data does not have", async () => {
    const train = tokens("b.bin", [0, 1, 2, 3, 4, 3, 2, 1, 0]);
    const other = tokens("c.bin", [0, 1, 7, 3, 4, 3, 2, 1, 0]);
    await expect(prepared(resolved(recipe(train, other)), undefined)).rejects.toThrow(/7/);
    const first = tokens("d.bin", [7, 1, 2, 3, 4, 3, 2, 1, 0]);
    await expect(prepared(resolved(recipe(train, first)), undefined)).rejects.toThrow(
      /d\.bin: token 7: the largest of the training data is 4, and the model has no more$/,
    );
  });
});
