import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expand } from "../../src/studies/expansion.ts";
import { builtInStudies, findStudy } from "../../src/studies/files.ts";
import { studyJsonSchema } from "../../src/studies/schema.ts";
import { changed, changedText, contents, parsed, tinyText } from "./tiny-study.ts";

describe("a study that is wrong is told with line and column", () => {
  test.each([
    ["seeds: 3", "seeds: 0", "tiny.yaml:18:10: make.seeds: expected at least 1, came 0"],
    ["seeds: 3", "seed: 3", "tiny.yaml:18:3: make: no such key: seed"],
    ["kind: train", "kind: trian", 'tiny.yaml:5:9: make.kind: expected train, models, synthetic, came "trian"'],
    ["resamples: 100", "resamples: many", 'tiny.yaml:21:24: analysis.resamples: expected a number, came "many"'],
    ["title: Tiny networks\n", "", "tiny.yaml:1:1: title: missing; expected a string"],
    [
      "{ kind: correlations }",
      "{ kind: pie }",
      'tiny.yaml:23:13: figures.0.kind: expected scatter, correlations, groups, trend, came "pie"',
    ],
    ["name: tiny", "name: Tiny Study", "tiny.yaml:1:7: name: expected small letters, digits and hyphens"],
    ["about: Tiny", "about: [Tiny", "tiny.yaml:"],
  ])("%s → %s", (from, to, message) => {
    expect(() => changed([from, to])).toThrow(message);
  });
});

describe("a name that a study's runs will not have is told before the work", () => {
  const fails = (...replacements: [string, string][]) =>
    expect(expand(changed(...replacements), contents())).rejects.toThrow;
  test.each([
    ["measures: [relative-flatness", "measures: [relative-flateness", /measure relative-flateness: no such measure/],
    [
      "resamples: 100",
      "controls: [optimzer]",
      /analysis.controls: no such column: optimzer. There are: batchSize, opt/,
    ],
    ["resamples: 100", "target: gap", /analysis.target: no such column: gap/],
    ["resamples: 100", "by: epochen", /analysis.by: no such column: epochen/],
    ["resamples: 100", "axes: [rate]", /analysis.axes: no such column: rate/],
    ["resamples: 100", "exclude: [{ column: loss, above: 1, reason: x }]", /analysis.exclude: no such column: loss/],
    ["color: optimizer", "color: batch", /figures.1.color: no such column: batch/],
    ["kind: correlations", "kind: correlations, measures: [trace]", /figures.0.measures: no such measure of the study/],
    ["kind: correlations", "kind: trend, x: time", /figures.0.x: no such column: time/],
    ["kind: correlations", "kind: groups", /figures.0: groups: expected analysis.by/],
    ["resamples: 100", "equalLoss: 0.1", /analysis.equalLoss: expected make.record/],
    ["    test: { split: test, samples: 64 }\n", "", /test: missing; expected data that the networks never see/],
    ["learningRate: 0.01", "learningRate: fast", /the recipe at batchSize 16, optimizer slow: optimizer.learningRate/],
    ["batchSize: [16, 32]", "batchSize: [16, 16]", /16, slow, seed 0 and 16, slow, seed 0 are the same network/],
  ])("%s → %s", async (from, to, message) => {
    await fails([from, to])(message);
  });

  test("a study without measures", async () => {
    const text = changedText(["measure:\n  measures: [relative-flatness, squared-weight-norm]\n", ""]);
    await expect(expand(parsed(text), contents())).rejects.toThrow("study tiny: measure: expected the measures");
  });
});

test("the JSON Schema knows the three kinds, refuses other keys and describes them for an editor", () => {
  const schema = studyJsonSchema() as {
    required: string[];
    additionalProperties: boolean;
    properties: { make: { oneOf: { properties: Record<string, { const?: string; description?: string }> }[] } };
  };
  expect(schema.required.sort()).toEqual(["about", "make", "name", "title"]);
  expect(schema.additionalProperties).toBe(false);
  const kinds = schema.properties.make.oneOf.map(({ properties }) => properties);
  expect(kinds.map(({ kind }) => kind!.const)).toEqual(["train", "models", "synthetic"]);
  expect(kinds[0]!.grid!.description).toContain("every combination is trained");
});

describe("the studies that come with the package", () => {
  const studies = builtInStudies();

  test("are those of the paper, each under the name of its file", () => {
    expect(studies.map(({ study }) => study.name)).toEqual([
      "epochs",
      "figure-3",
      "figure-4",
      "figure-4-deep",
      "figure-4-hard",
      "figure-5",
      "figure-5-digits",
      "figure-5-fashion",
      "figure-5-reparameterized",
      "label-noise",
      "layers",
    ]);
    for (const { study, text, path } of studies) {
      expect(findStudy(study.name)).toEqual({ study, text, path });
      expect(text).toBe(readFileSync(path, "utf8"));
    }
  });

  test("say where they deviate, and can be expanded", async () => {
    // 110 networks; 10 separations × 10 batches of 10 data sets; 11 shares × 5 seeds; 4 optimizers × 5; 6 × 10.
    const counts = { "label-noise": 55, epochs: 20, layers: 60 } as Record<string, number>;
    for (const { study } of studies) {
      const tasks = await expand(study, contents());
      const expected = counts[study.name] ?? (study.make.kind === "synthetic" ? 100 : 110);
      expect([study.name, tasks.length]).toEqual([study.name, expected]);
      expect(new Set(tasks.map(({ key }) => key)).size).toBe(tasks.length);
      expect(study.deviations.length).toBeGreaterThan(0);
      expect(study.figures.length).toBeGreaterThan(0);
    }
  });

  test("a name that is none names those that there are, and a file that is none is told", () => {
    expect(() => findStudy("figure-6")).toThrow("study figure-6: no such study. There are: epochs, figure-3, ");
    expect(() => findStudy("absent/study.yaml")).toThrow("absent/study.yaml: no such file.");
    expect(parsed(tinyText).name).toBe("tiny");
  });
});

test("the examples of the guide are studies", async () => {
  const guide = readFileSync(new URL("../../docs/studies.md", import.meta.url), "utf8");
  const examples = [...guide.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => parsed(text!));
  const models = contents({ models: [{ path: "a", sha256: "1" }] });
  const counts = await Promise.all(examples.map(async (study) => (await expand(study, models)).length));
  // 4 batch sizes × 2 optimizers × 5 seeds, and a model of either line.
  expect(counts).toEqual([40, 2]);
  for (const { study } of builtInStudies()) expect(guide).toContain(`\`${study.name}\``);
});
