import { afterAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/open.ts";
import { safetensorsBytes } from "../../src/checkpoints/safetensors-bytes.ts";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { RecipeInput } from "../../src/training/recipe.ts";
import { type State, stateTensors } from "../../src/training/state.ts";
import { train, type TrainOptions, type Trained } from "../../src/training/train.ts";
import { normals } from "../sketch.ts";

/** Images of 1×8×8 in three classes that differ in their mean; the last batch of an epoch is short. */
const n = 53;
const normal = normals(2);
const data = arrayDataset({ source: "memory", sha256: "images" }, [
  {
    name: "x",
    type: "float32",
    dims: [n, 1, 8, 8],
    data: Float32Array.from({ length: n * 64 }, (_, index) => normal() + (Math.floor(index / 64) % 3)),
  },
  { name: "y", type: "int64", dims: [n], data: BigInt64Array.from({ length: n }, (_, index) => BigInt(index % 3)) },
]);
const folder = mkdtempSync(join(tmpdir(), "flatness-resume-"));
afterAll(() => rmSync(folder, { recursive: true }));

const base: RecipeInput = {
  model: { name: "mlp", hidden: [8] },
  data: { source: "memory" },
  batchSize: 8,
  optimizer: { name: "sgd", learningRate: 0.1, momentum: 0.9 },
  schedule: { name: "cosine", warmUp: 1 },
  stop: { epochs: 4 },
};

const cases: Readonly<Record<string, Partial<RecipeInput>>> = {
  "momentum, patience": {
    test: {},
    stop: { epochs: 6, patience: { evaluations: 1 } },
    optimizer: { name: "sgd", learningRate: 0.4, momentum: 0.9, nesterov: true, weightDecay: 1e-3 },
  },
  "adam, augmentation, clipping": {
    data: { source: "memory", augmentation: { flip: true, crop: 1 } },
    optimizer: { name: "adam", learningRate: 0.01 },
    clip: 0.5,
  },
  "batch normalization, asam": {
    model: { name: "resnet-small", width: 2, stages: 1 },
    optimizer: { name: "rmsprop", learningRate: 0.01, momentum: 0.5 },
    regularizers: [{ name: "asam" }],
  },
  "flatness of an inner layer by random directions": {
    optimizer: { name: "adamw", learningRate: 0.01, weightDecay: 0.1 },
    regularizers: [{ name: "flatness", strength: 0.01, layer: "fc1" }, { name: "sam" }],
  },
};

/** The state as a file has it. */
function bytesOf(state: State): Uint8Array {
  return safetensorsBytes(stateTensors(state));
}

function run(recipe: RecipeInput, options: Partial<TrainOptions> = {}): Promise<Trained> {
  return train(recipe, {
    runtime: nodeRuntime,
    data: { train: data, ...(recipe.test && { test: data }) },
    ...options,
  });
}

/** Runs until so many calls of the runtime are done, if the run is as long; the state at that point as bytes, through a file. */
async function interrupted(recipe: RecipeInput, calls: number, from?: TrainOptions["resume"]) {
  const interrupt = new AbortController();
  const kept: Uint8Array[] = [];
  let [done, epochs] = [0, 0];
  const options: Partial<TrainOptions> = {
    signal: interrupt.signal,
    onProgress: () => (++done === calls ? interrupt.abort() : undefined),
    onEpoch: () => epochs++,
    onCheckpoint: (state) => kept.push(bytesOf(state)),
    ...(from && { resume: from }),
  };
  const trained = await run(recipe, options).catch((error: Error) => {
    if (error.name !== "AbortError") throw error;
  });
  const file = join(folder, "checkpoint.safetensors");
  writeFileSync(file, kept.at(-1)!);
  return { trained, epochs, resume: { tensors: (await openCheckpoint(file)).tensors, file } };
}

/** What a run comes to, but for the seconds that it took. */
function outcome({ state, last, stopped }: Trained) {
  const { seconds: _, last: __, ...rest } = state;
  return { rest, last: { ...last, seconds: 0 }, stopped };
}

describe("a run that is interrupted within epochs, again and again, comes to the same bits", () => {
  for (const [name, more] of Object.entries(cases)) {
    test(
      name,
      async () => {
        const recipe: RecipeInput = { ...base, ...more };
        const whole = await run(recipe);
        let from: TrainOptions["resume"];
        let [trained, interruptions]: [Trained | void, number] = [undefined, 0];
        // After one call, after two, …: the first calls are a single step.
        for (let calls = 1; !trained; calls = (calls % 3) + 1) {
          const part = await interrupted(recipe, calls, from);
          [trained, from] = [part.trained, part.resume];
          if (!trained) interruptions++;
        }
        expect(interruptions).toBeGreaterThan(3);
        expect(outcome(trained)).toEqual(outcome(whole));
      },
      60_000,
    );
  }
});

test("a run that has ended ends at once, with the same network", async () => {
  const whole = await run(base);
  const resume = { tensors: stateTensors(whole.state), file: "checkpoint" };
  const again = await run(base, { resume });
  expect(again.history).toEqual([]);
  expect(outcome(again)).toEqual(outcome(whole));
  expect(again.graph.constants.get("fc1.weight")!.data).toEqual(whole.graph.constants.get("fc1.weight")!.data);
});

test("the seed alone decides: the same twice, another network for another", async () => {
  const [first, second, other] = [await run(base), await run(base), await run({ ...base, seed: 1 })];
  expect(outcome(second)).toEqual(outcome(first));
  expect(other.state.vectors).not.toEqual(first.state.vectors);
});

describe("a checkpoint of another run is refused", () => {
  const cases: readonly (readonly [string, Partial<RecipeInput>, RegExp])[] = [
    ["another model", { model: { name: "mlp", hidden: [9] } }, /the model or the data is another than it was$/],
    [
      "another optimizer",
      { optimizer: { name: "adam", learningRate: 1 } },
      /expected training\/slot first-moment with 547 numbers, found none$/,
    ],
  ];
  test.each(cases)("%s", async (_, more, message) => {
    const { state } = await run({ ...base, stop: { epochs: 1 } });
    const resume = { tensors: stateTensors(state), file: "c.safetensors" };
    await expect(run({ ...base, ...more }, { resume })).rejects.toThrow(message);
    await expect(run({ ...base, ...more }, { resume })).rejects.toThrow(
      /^c\.safetensors: not a checkpoint of this recipe/,
    );
  });
});
