import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { UsageError } from "../../src/errors.ts";
import { parseRecipe, recipeJsonSchema } from "../../src/training/recipe-text.ts";

const whole = `model: { name: mlp, hidden: [32, 32] }
data: { source: example:digits, split: train }
test: { split: test }
optimizer: { name: sgd, learningRate: 0.05, momentum: 0.9 }
stop: { epochs: 30, trainLoss: 0.1 }
`;
const begin = `model: { name: mlp }
data: { source: a.npz }
optimizer: { name: sgd, learningRate: 0.1 }
`;

describe("an error in a recipe names line and column, what was expected and what came", () => {
  const cases: readonly (readonly [text: string, message: string])[] = [
    ["model: [", "1:9: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]"],
    ["model: { name: mlp }\nmodel: { name: mlp }\n", "2:1: not YAML: Map keys must be unique"],
    ["", "1:1: model: missing; expected a mapping"],
    ["model: mlp\n", '1:8: model: expected a mapping, came "mlp"'],
    [
      "model: { name: mpl }\n",
      '1:16: model.name: expected mlp, lenet5, resnet-small, vit-tiny, gpt-tiny, onnx, came "mpl"',
    ],
    [
      "model: { hidden: [3] }\n",
      "1:8: model.name: missing; expected mlp, lenet5, resnet-small, vit-tiny, gpt-tiny, onnx",
    ],
    ["model: { name: mlp, hiden: [3] }\n", "1:21: model: no such key: hiden; there are name, hidden, activation"],
    ["model: { name: mlp, hidden: [32, 0] }\n", "1:34: model.hidden.1: expected at least 1, came 0"],
    ["model: { name: mlp }\ndata: { source: 3 }\n", "2:17: data.source: expected a string, came 3"],
    [
      'model: { name: mlp }\ndata: { source: a }\noptimizer:\n  name: sgd\n  learningRate: "fast"\n',
      '5:17: optimizer.learningRate: expected a number, came "fast"',
    ],
    [
      "model: { name: mlp }\ndata: { source: a }\noptimizer: { name: sgd, learningRate: .nan }\n",
      "3:39: optimizer.learningRate: expected a number, came NaN",
    ],
    [
      "model: { name: mlp }\ndata: { source: a }\noptimizer: { name: sgd, learningRate: 0.1, nesterov: true }\n",
      "3:54: optimizer.nesterov: expected a momentum above 0 beside it",
    ],
    [
      "model: { name: mlp }\ndata: { source: a }\noptimizer: { name: adam, learningRate: 1, beta: [0.9, 1] }\n",
      "3:55: optimizer.beta.1: expected less than 1, came 1",
    ],
    [`${begin}stop:\n  epochs: 2.5\n`, "5:11: stop.epochs: expected a whole number, came 2.5"],
    [`${begin}stop: { testAccuracy: 0.9 }\n`, "4:23: stop.testAccuracy: expected test data: test or holdOut"],
    [
      `${begin}stop: { patience: { evaluations: 3 } }\n`,
      "4:19: stop.patience: expected test data, test or holdOut; or of: trainLoss",
    ],
    [
      `${begin}regularizers:\n  - { name: sam }\n  - { name: asam }\n`,
      "6:5: regularizers.1: expected one of sam and asam, and once",
    ],
    [
      `${begin}regularizers:\n  - { name: norm, strength: 1, layers: 3 }\n`,
      "5:40: regularizers.0.layers: expected all, last or a list, came 3",
    ],
    [
      `${begin}regularizers:\n  - { name: sam, radios: 3 }\n`,
      "5:18: regularizers.0: no such key: radios; there are name, radius",
    ],
    [
      `${begin}measure: { measures: [loss, generalization-gap] }\n`,
      "4:29: measure.measures.1: expected test data, test or holdOut",
    ],
    [
      "model: { name: mlp }\ndata: { source: a, holdOut: 0.1 }\noptimizer: { name: sgd, learningRate: 1 }\ntest: { source: b }\n",
      "2:29: data.holdOut: expected either this or test",
    ],
  ];
  test.each(cases)("%j", (text, message) => {
    expect(() => parseRecipe(text, "r.yaml")).toThrow(new UsageError(`r.yaml:${message}`));
  });
});

test("a recipe that is written with its defaults is read as itself, keys in the same order", () => {
  const recipe = parseRecipe(whole, "r.yaml");
  expect(recipe).toMatchObject({ batchSize: 32, seed: 0, threads: 1, schedule: { name: "constant", warmUp: 0 } });
  expect(JSON.stringify(parseRecipe(stringify(recipe), "again.yaml"))).toBe(JSON.stringify(recipe));
});

interface Described {
  readonly oneOf?: readonly Described[];
  readonly anyOf?: readonly Described[];
  readonly properties?: Readonly<Record<string, Described>>;
  readonly const?: string;
  readonly description?: string;
}

describe("the JSON Schema", () => {
  const schema = recipeJsonSchema() as {
    required: string[];
    additionalProperties: boolean;
    properties: Record<string, Described>;
  };
  const names = (key: string) => schema.properties[key]!.oneOf!.map(({ properties }) => properties!["name"]!.const);

  test("asks for what has no default, and has every model, optimizer and schedule", () => {
    expect(schema.required).toEqual(["model", "data", "optimizer"]);
    expect(schema.additionalProperties).toBe(false);
    expect(names("model")).toEqual(["mlp", "lenet5", "resnet-small", "vit-tiny", "gpt-tiny", "onnx"]);
    expect(names("optimizer")).toEqual(["sgd", "adam", "adamw", "rmsprop"]);
    expect(names("schedule")).toEqual(["constant", "step", "cosine", "one-cycle"]);
  });

  test("describes every key", () => {
    const described: string[] = [];
    const missing: string[] = [];
    const walk = (of: Described, at: string) => {
      for (const branch of of.oneOf ?? of.anyOf ?? []) walk(branch, at);
      for (const [key, value] of Object.entries(of.properties ?? {})) {
        if (value.const === undefined) (value.description ? described : missing).push(`${at}${key}`);
        walk(value, `${at}${key}.`);
      }
    };
    walk(recipeJsonSchema() as Described, "");
    expect(missing).toEqual([]);
    expect(described).toContain("optimizer.learningRate");
    expect(described).toContain("stop.patience.evaluations");
  });

  test("has the keys that the page on training has, whose recipe is one", () => {
    const page = readFileSync(resolve(import.meta.dirname, "../../docs/training.md"), "utf8");
    const [table = ""] = page.split("\n## ");
    const keys = [...table.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/\w+/g)].map(([key]) => key),
    );
    expect(keys.toSorted()).toEqual(Object.keys(schema.properties).toSorted());
    const [, yaml = ""] = /```yaml\n([\s\S]*?)```/.exec(page)!;
    expect(parseRecipe(yaml, "page").stop).toMatchObject({ epochs: 30, trainLoss: 0.1 });
  });
});
