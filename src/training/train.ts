import type { Graph } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Runtime } from "../runtime/session.ts";
import { shuffled } from "../statistics/random.ts";
import { refuseDiverged, refuseInfinite, refuseInfiniteScores } from "./divergence.ts";
import { type Engine, engineOf, type Steps } from "./engine.ts";
import type { Epoch } from "./history.ts";
import { measured } from "./measuring.ts";
import { STATISTICS, WEIGHTS } from "./names.ts";
import { withVectors } from "./parameters.ts";
import { type GivenData, type Prepared, prepared } from "./prepare.ts";
import { resolved } from "./recipe-text.ts";
import type { Recipe, RecipeInput } from "./recipe.ts";
import { noSums, type State, stateFromTensors } from "./state.ts";
import { afterEvaluation, type Evaluation, ruleMet, type Stopped } from "./stopping.ts";

// Training as a library call:
//
//   const { graph, history } = await train({ model: { name: "mlp" }, data: { source: "example:digits", split: "train" },
//     optimizer: { name: "sgd", learningRate: 0.1 } }, { runtime: nodeRuntime });
//
// A step is one graph (step.ts): all parameters are one vector, and so is each thing that the optimizer keeps. A loop of steps is
// one graph too (loop.ts), with all samples as an input, so that a step costs no call. The model is instantiated with the vector as
// an input, may be lowered (scored.ts: Lowering), and is differentiated then. Sessions are kept by shape (sessions.ts): a second run
// with the same shapes starts at once. Everything random is keyed by the seed, the epoch and the batch, so that where training was
// interrupted it goes on as if it had not been.

/** What training is told besides the recipe. */
export interface TrainOptions {
  readonly runtime: Runtime;
  /** Data in memory, in place of the recipe's sources. */
  readonly data?: GivenData;
  readonly signal?: AbortSignal;
  /** The tensors of a checkpoint to go on from, and what messages call it. */
  readonly resume?: { readonly tensors: ReadonlyMap<string, Tensor>; readonly file: string };
  /** Told when recipe, model and data are found to fit each other and training begins: in which epoch. */
  readonly onBegin?: (epoch: number) => void;
  /** Told after each epoch, with the network as it then is. */
  readonly onEpoch?: (epoch: Epoch, graph: () => Graph) => void;
  /** Told several times a second. */
  readonly onProgress?: (progress: Progress) => void;
  /** Keeps a state, when the recipe's checkpoints are due. */
  readonly onCheckpoint?: (state: State) => void;
}

export interface Progress {
  readonly epoch: number;
  readonly epochs: number;
  /** Samples that were trained on, of all that the recipe allows. */
  readonly done: number;
  readonly total: number;
  /** Mean over the epoch's batches so far. */
  readonly loss: number;
  /** The epoch that was evaluated last. */
  readonly evaluated: Epoch | undefined;
}

/** A trained network. */
export interface Trained {
  /** The model with its trained weights. */
  readonly graph: Graph;
  readonly recipe: Recipe;
  /** The epochs of this call: all, unless it went on from a checkpoint. */
  readonly history: readonly Epoch[];
  /** The last of them. */
  readonly last: Epoch;
  readonly stopped: Stopped;
  readonly state: State;
  readonly prepared: Prepared;
}

/** Seconds that one call of the runtime may take: between two, progress is shown and an interrupt is heard. */
const CALL_SECONDS = 0.2;

/**
 * Trains a network as a recipe says. Weights are bit-identical for the same recipe, provider and number of threads, interrupted or not.
 *
 * @throws ModelError, DataError, UsageError with one sentence on what was expected, what came and what to do; DivergenceError when the
 *   loss is not finite or grows beyond the recipe's bound
 */
export async function train(input: RecipeInput, options: TrainOptions): Promise<Trained> {
  const { runtime, signal, resume } = options;
  const recipe = resolved(input);
  const made = await prepared(recipe, options.data);
  const engine = engineOf(recipe, made, runtime);
  const from = { origin: made.origin, file: resume?.file ?? "" };
  const state = resume ? stateFromTensors(resume.tensors, engine.vectors, from) : engine.start();
  if (!state.stopped) await engine.open();
  options.onBegin?.(state.epoch);
  const clock = clockFrom(state.seconds);
  const everyone = Int32Array.from({ length: made.train.samples.n }, (_, index) => index);
  const history: Epoch[] = [];
  const pace = new Pace();
  let evaluated = state.last?.train && state.last;
  let kept = performance.now();
  const keep = () => {
    kept = performance.now();
    state.seconds = clock();
    refuseInfinite(state);
    options.onCheckpoint?.(state);
  };
  while (!state.stopped) {
    const order = shuffled(everyone, recipe.seed, `order of epoch ${state.epoch}`);
    while (state.batches < engine.stepsPerEpoch) {
      if (signal?.aborted) keep();
      signal?.throwIfAborted();
      const before = state.steps;
      const whole = Math.floor(everyone.length / recipe.batchSize) - state.batches;
      const began = performance.now();
      const steps = Math.max(1, Math.min(whole, pace.steps));
      const ran = await engine.run(state, order, steps);
      pace.took(steps, (performance.now() - began) / 1000);
      account(state, recipe, ran, before, everyone.length);
      options.onProgress?.(progressOf(state, recipe, everyone.length, evaluated));
      const { minutes } = recipe.checkpoint;
      if (minutes !== undefined && performance.now() - kept > minutes * 60_000) keep();
    }
    refuseInfinite(state);
    const entry = await endOfEpoch(state, recipe, made, engine, runtime, clock);
    history.push(entry);
    if (entry.train) evaluated = entry;
    const due = state.stopped !== undefined || state.epoch % recipe.checkpoint.epochs === 0;
    Object.assign(state, { epoch: state.epoch + 1, batches: 0, sums: noSums() });
    options.onEpoch?.(entry, () => graphOf(made, state));
    if (due) keep();
  }
  return {
    graph: graphOf(made, state),
    recipe,
    history,
    last: state.last as Epoch,
    stopped: state.stopped,
    state,
    prepared: made,
  };
}

/** The model with the weights and statistics of a state. */
function graphOf({ task }: Prepared, { vectors }: State): Graph {
  const statistics = vectors.get(STATISTICS);
  return withVectors(task.graph, [
    [task.layout, vectors.get(WEIGHTS) as Float32Array],
    ...(statistics ? [[task.statisticsLayout, statistics] as const] : []),
  ]);
}

/** Evaluates, measures and applies the stopping rules, where this epoch is one of those. */
async function endOfEpoch(
  state: State,
  recipe: Recipe,
  made: Prepared,
  engine: Engine,
  runtime: Runtime,
  clock: () => number,
): Promise<Epoch> {
  const { epoch, steps, sums } = state;
  const { stop, measure } = recipe;
  const isLast = epoch >= stop.epochs;
  const batches = engine.stepsPerEpoch;
  let evaluation: Evaluation | undefined;
  let stopped: Stopped | undefined = isLast ? "epochs" : undefined;
  if (isLast || epoch % recipe.evaluate === 0) {
    evaluation = await evaluationOf(state, made, engine);
    refuseInfiniteScores(state, evaluation);
    state.patience = afterEvaluation(stop.patience, state.patience, evaluation);
    const outOfPatience = stop.patience && state.patience.since >= stop.patience.evaluations;
    stopped = ruleMet(stop, evaluation) ?? (outOfPatience ? "patience" : stopped);
  }
  const measures =
    measure && (stopped || epoch % measure.every === 0)
      ? await measured(graphOf(made, state), recipe, made, runtime)
      : undefined;
  const entry: Epoch = {
    epoch,
    steps,
    learningRate: engine.learningRate(steps - 1),
    batchLoss: sums.loss / sums.samples,
    ...(recipe.regularizers.some(({ name }) => name === "flatness" || name === "norm") && {
      penalty: sums.penalty / sums.samples,
    }),
    gradientNorm: sums.gradientNorm / batches,
    ...evaluation,
    ...(measures && { measures }),
    seconds: clock(),
  };
  state.last = entry;
  if (stopped) state.stopped = stopped;
  return entry;
}

async function evaluationOf(state: State, { train: own, test }: Prepared, engine: Engine): Promise<Evaluation> {
  const gradient = await engine.gradientNorm(state);
  return {
    train: await engine.evaluate(state, own),
    ...(test && { test: await engine.evaluate(state, test) }),
    ...(gradient !== undefined && { gradient }),
  };
}

/** Adds what the steps reported to the epoch's sums. @throws DivergenceError */
function account(state: State, recipe: Recipe, ran: Steps, from: number, n: number): void {
  const { batchSize, stop } = recipe;
  for (const [index, loss] of ran.loss.entries()) {
    const step = from + index + 1;
    refuseDiverged(state, step, loss, stop.divergence);
    state.firstLoss ??= loss;
    const batch = state.batches - ran.loss.length + index;
    const size = Math.min(batchSize, n - batch * batchSize);
    state.sums.loss += loss * size;
    state.sums.penalty += (ran.penalty?.[index] ?? 0) * size;
    state.sums.gradientNorm += ran.gradientNorm[index] as number;
    state.sums.samples += size;
  }
}

function progressOf(
  { epoch, batches, sums }: State,
  { stop: { epochs }, batchSize }: Recipe,
  n: number,
  evaluated: Epoch | undefined,
): Progress {
  const done = (epoch - 1) * n + Math.min(n, batches * batchSize);
  return { epoch, epochs, done, total: epochs * n, loss: sums.loss / sums.samples, evaluated };
}

/** How many steps fill a call. */
class Pace {
  steps = 1;

  took(steps: number, seconds: number): void {
    this.steps = Math.max(1, Math.min(4 * this.steps, Math.floor((CALL_SECONDS * steps) / Math.max(1e-6, seconds))));
  }
}

function clockFrom(seconds: number): () => number {
  const started = performance.now();
  return () => seconds + (performance.now() - started) / 1000;
}
