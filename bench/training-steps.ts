import type { Dataset } from "../src/data/dataset.ts";
import { type Engine, engineOf } from "../src/training/engine.ts";
import { prepared } from "../src/training/prepare.ts";
import { resolved } from "../src/training/recipe-text.ts";
import type { Recipe, RecipeInput } from "../src/training/recipe.ts";
import { sessionsOf } from "../src/training/sessions.ts";
import type { State } from "../src/training/state.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Runtime } from "../src/runtime/session.ts";
import { noise } from "./inputs.ts";

const CLASSES = 10;
const IMAGE = [3, 32, 32];

/** A recipe with SGD with momentum on one thread, as bench/torch_training.py trains. */
export function recipe(model: RecipeInput["model"], batchSize: number, more: Partial<RecipeInput> = {}): RecipeInput {
  const optimizer = { name: "sgd", learningRate: 0.01, momentum: 0.9 } as const;
  return { model, data: { source: "noise" }, batchSize, optimizer, threads: 1, ...more };
}

/** Random numbers with labels in turn: images, or vectors of a width. */
export function noiseData(n: number, width?: number): Dataset {
  return noise(n, width ?? IMAGE, CLASSES);
}

/** The steps of a recipe, timed: some at a time in one call, over as many batches. */
export class TrainingSteps {
  readonly #engine: Engine;
  readonly #state: State;
  readonly #order: Int32Array;
  readonly #runtime: Runtime;

  private constructor(engine: Engine, order: Int32Array, runtime: Runtime) {
    this.#engine = engine;
    this.#state = engine.start();
    this.#order = order;
    this.#runtime = runtime;
  }

  static async open(input: RecipeInput, data: Dataset): Promise<TrainingSteps> {
    const whole: Recipe = resolved(input);
    const made = await prepared(whole, { train: data });
    const order = Int32Array.from({ length: data.n }, (_, index) => index);
    // Of its own, so that its sessions are: how fast one is depends on where its memory happens to lie.
    const runtime = { ...nodeRuntime };
    return new TrainingSteps(engineOf(whole, made, runtime), order, runtime);
  }

  /** Mean seconds of a step. */
  async seconds(steps: number): Promise<number> {
    this.#state.batches = 0;
    const started = performance.now();
    await this.#engine.run(this.#state, this.#order, steps);
    return (performance.now() - started) / 1000 / steps;
  }

  async stop(): Promise<void> {
    await sessionsOf(this.#runtime).release();
  }
}
