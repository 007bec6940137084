import { UsageError } from "../errors.ts";
import { chooseLayers } from "../evaluation/choice.ts";
import type { Graph } from "../graph/graph.ts";
import { count } from "../graph/tensor.ts";
import { lower, lowerWhole } from "../lowering/lower.ts";
import type { Runtime, RuntimeArray, Session } from "../runtime/session.ts";
import { RandomStream } from "../statistics/random.ts";
import { namedParameters, sketchOf } from "./layers.ts";
import { channelBlock } from "./channel-block.ts";
import { evaluate, gradientNorm, type Score, type Vectors } from "./evaluate.ts";
import { type Carried, inLoop, loopOf } from "./loop.ts";
import {
  GRADIENT_NORM,
  LABELS,
  LOSS,
  NEW_STATISTICS,
  NEW_WEIGHTS,
  newSlotName,
  numberName,
  ORDER,
  PENALTY,
  slotName,
  STATISTICS,
  STEPS,
  WEIGHTS,
} from "./names.ts";
import { optimizerOf } from "./optimizers.ts";
import { flatten } from "./parameters.ts";
import type { Portion, Prepared } from "./prepare.ts";
import type { Recipe } from "./recipe.ts";
import { regularization } from "./regularizers/catalog.ts";
import { rearranged, type Samples } from "./samples.ts";
import { scheduleOf } from "./schedule.ts";
import { evaluationGraph, type Task } from "./scored.ts";
import { sessionsOf } from "./sessions.ts";
import { noSums, type State } from "./state.ts";
import { gradientGraph, stepGraph } from "./step.ts";

const EVALUATION_BATCH = 200;

/** What each of several steps reported, before it changed the weights. */
export interface Steps {
  readonly loss: Float32Array;
  readonly penalty: Float32Array | undefined;
  readonly gradientNorm: Float32Array;
}

/** Runs the steps and evaluations of a recipe. Layers that it names are looked for when the engine is made. */
export interface Engine {
  readonly stepsPerEpoch: number;
  /** Makes the graphs of steps and evaluation ready: a runtime that refuses them does so here, before anything is written. */
  open(): Promise<void>;
  /** The vectors of a state, by name, with their sizes. */
  readonly vectors: ReadonlyMap<string, number>;
  start(): State;
  /** Takes `steps` steps of the state's epoch in one call; they must be of the same batch size. The state's vectors and counts move on. */
  run(state: State, order: Int32Array, steps: number): Promise<Steps>;
  /** The learning rate of the step that comes next. */
  learningRate(step: number): number;
  evaluate(state: State, portion: Portion): Promise<Score>;
  /** Norm of the gradient on the training data in the parameters that the recipe's rule is about, if it has one. */
  gradientNorm(state: State): Promise<number | undefined>;
}

/** @throws UsageError for a layer that does not exist or cannot be regularized so */
export function engineOf(recipe: Recipe, prepared: Prepared, runtime: Runtime): Engine {
  const { task, terms, train, augmentation } = prepared;
  const sessions = sessionsOf(runtime);
  const options = { provider: recipe.provider, threads: recipe.threads };
  const optimizer = optimizerOf(recipe.optimizer);
  const { penalties, perturbation, numbers } = regularization(task, recipe.regularizers, recipe.seed);
  const { batchSize, clip, seed, stop, measure } = recipe;
  const rule = stop.gradient && namedParameters(task, stop.gradient.layer, "stop.gradient");
  if (measure) chooseLayers(sketchOf(task), measure.layers);
  checkAccuracy(stop, task);
  const { n } = train.samples;
  const stepsPerEpoch = Math.ceil(n / batchSize);
  const rate = scheduleOf(recipe, stepsPerEpoch);
  const design = {
    task,
    optimizer,
    penalties,
    clips: clip !== undefined,
    lower: (forward: Graph) => lower(forward, options),
    ...(perturbation && { perturbation }),
  };
  const key = JSON.stringify([
    task.key,
    optimizer.key,
    penalties.map((penalty) => [penalty.name, penalty.key]),
    perturbation?.key,
    clip !== undefined,
  ]);
  const carried: Carried = {
    state: new Map([
      [WEIGHTS, NEW_WEIGHTS],
      ...optimizer.slots.map((slot) => [slotName(slot), newSlotName(slot)] as const),
      ...(task.statisticsLayout.size > 0 ? [[STATISTICS, NEW_STATISTICS] as const] : []),
    ]),
    samples: new Set([LABELS, ...task.graph.inputs.map(({ name }) => name)]),
  };
  const vectors = new Map(
    [...carried.state.keys()].map((name) => [
      name,
      name === STATISTICS ? task.statisticsLayout.size : task.layout.size,
    ]),
  );
  const loop = async (batch: number) => {
    const block = await channelBlock(runtime, options);
    const step = () => loopOf(lowerWhole(stepGraph(design, batch), options, block), carried, batch);
    return sessions.get(`step ${batch} ${key}`, step, options);
  };
  const batch = Math.min(EVALUATION_BATCH, n);
  const asInputs = (state: State): Vectors =>
    new Map(
      [WEIGHTS, STATISTICS].flatMap((name) => (vectors.has(name) ? [[name, vectorOf(state, name)] as const] : [])),
    );

  return {
    stepsPerEpoch,
    vectors,
    learningRate: rate,
    async open() {
      await loop(Math.min(batchSize, n));
      await evaluation();
    },
    start() {
      const initial = new Map<string, Float32Array>([...vectors].map(([name, size]) => [name, new Float32Array(size)]));
      initial.set(WEIGHTS, flatten(task.layout, task.graph.constants));
      if (vectors.has(STATISTICS)) initial.set(STATISTICS, flatten(task.statisticsLayout, task.graph.constants));
      return {
        vectors: initial,
        epoch: 1,
        batches: 0,
        steps: 0,
        sums: noSums(),
        patience: { since: 0 },
        origin: prepared.origin,
        seconds: 0,
      };
    },
    async run(state, order, steps) {
      const begin = state.batches * batchSize;
      const size = Math.min(batchSize, n - begin);
      const chosen = order.subarray(begin, begin + steps * size);
      const session = await loop(size);
      const feeds = new Map<string, RuntimeArray>([[STEPS, int64([], [steps])]]);
      for (const name of carried.state.keys()) feeds.set(name, vectorOf(state, name));
      const { arrays, places } = sampled(train.samples, chosen, state, size);
      feeds.set(ORDER, int64([steps, size], places));
      for (const [name, array] of arrays) feeds.set(inLoop(name, carried), array);
      for (const [name, values] of numbersOf(state.steps, steps)) {
        feeds.set(inLoop(numberName(name), carried), { type: "float32", dims: [steps], data: values });
      }
      for (const [name, array] of signsOf(state, steps)) feeds.set(inLoop(name, carried), array);
      const outputs = await session.run(feeds);
      const values = (name: string) => outputs.get(name)?.data as Float32Array;
      for (const [before, after] of carried.state) state.vectors.set(before, values(after));
      state.batches += steps;
      state.steps += steps;
      return {
        loss: values(LOSS),
        penalty: outputs.has(PENALTY) ? values(PENALTY) : undefined,
        gradientNorm: values(GRADIENT_NORM),
      };
    },
    async evaluate(state, { samples }) {
      const session = await evaluation();
      return evaluate(session, asInputs(state), samples, batch, terms);
    },
    async gradientNorm(state) {
      if (rule === undefined) return undefined;
      const build = () => gradientGraph(task, rule, batch);
      const session = await sessions.get(`gradient ${batch} ${rule.join(" ")} ${task.key}`, build, options);
      return gradientNorm(session, asInputs(state), train.samples, batch, terms);
    },
  };

  function evaluation(): Promise<Session> {
    return sessions.get(`evaluation ${batch} ${task.key}`, () => evaluationGraph(task, batch), options);
  }

  /** All samples and where the chosen ones stand; or these alone, changed at random, one after the other. */
  function sampled({ arrays }: Samples, indices: Int32Array, state: State, size: number) {
    if (!augmentation) return { arrays, places: indices };
    const streams = new Map<number, RandomStream>();
    const streamOf = (row: number) => {
      const at = state.batches + Math.floor(row / size);
      const known = streams.get(at) ?? new RandomStream(seed, `augmentation of epoch ${state.epoch}, batch ${at}`);
      streams.set(at, known);
      return known;
    };
    const changed = new Map(
      [...arrays].map(([name, array]) => [
        name,
        name === LABELS
          ? rearranged(array, indices)
          : rearranged(array, indices, (from, to, row) => augmentation(from, to, streamOf(row))),
      ]),
    );
    return { arrays: changed, places: indices.map((_, index) => index) };
  }

  /** The numbers of the next steps, each one after the other. */
  function numbersOf(from: number, steps: number): Map<string, Float32Array> {
    const fixed = { ...numbers, ...(clip !== undefined && { clip }) };
    const stacked = new Map(
      [...optimizer.numbers, ...Object.keys(fixed)].map((name) => [name, new Float32Array(steps)]),
    );
    for (let index = 0; index < steps; index++) {
      const at = { ...optimizer.numbersAt(from + index + 1, rate(from + index)), ...fixed } as Record<string, number>;
      for (const [name, values] of stacked) values[index] = at[name] as number;
    }
    return stacked;
  }

  function signsOf({ epoch, batches }: State, steps: number): Map<string, RuntimeArray> {
    const inputs = penalties.flatMap(({ signs }) => [...signs]);
    return new Map(
      inputs.map(([name, size]) => {
        const data = new Float32Array(steps * size);
        for (let index = 0; index < steps; index++) {
          const stream = new RandomStream(seed, `${name} of epoch ${epoch}, batch ${batches + index}`);
          stream.fillSigns(data, index * size, (index + 1) * size);
        }
        return [name, { type: "float32" as const, dims: [steps, size], data }];
      }),
    );
  }
}

/** @throws UsageError for a rule about the accuracy where there is none */
function checkAccuracy(stop: Recipe["stop"], { loss }: Task): void {
  if (loss.correct) return;
  const keys = (["trainAccuracy", "testAccuracy"] as const).filter((key) => stop[key] !== undefined);
  const [asked] = [...keys, ...(stop.patience?.of === "testAccuracy" ? ["patience"] : [])];
  if (asked === undefined) return;
  throw new UsageError(`stop.${asked}: there is no accuracy under ${loss.name}: expected a rule about a loss`);
}

function vectorOf({ vectors }: State, name: string): RuntimeArray {
  const data = vectors.get(name) as Float32Array;
  return { type: "float32", dims: [data.length], data };
}

function int64(dims: readonly number[], values: ArrayLike<number>): RuntimeArray {
  const data = new BigInt64Array(count(dims));
  for (let index = 0; index < data.length; index++) data[index] = BigInt(values[index] as number);
  return { type: "int64", dims, data };
}
