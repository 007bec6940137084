import type { ValueId } from "../graph/graph.ts";
import { RandomStream } from "../statistics/random.ts";
import type { Accuracies, Iteration, Noise, NoiseScale, Refusal, Task } from "./measure.ts";
import { stored } from "./squared-weight-norm.ts";

/** What noise may cost: the mean accuracy over draws may be lower by so much. */
export const TOLERATED_DROP = 0.1;
/** A drop of exactly as much counts, however its float64 sum was rounded. */
const ROUNDING = 1e-9;
/** The least standard deviation of magnitude-aware noise, so that weights of 0 have some too. */
export const LEAST_MAGNITUDE = 1e-3;
/** σ is found to within this factor. */
export const GRID = 2 ** (1 / 64);
/** The slope of the drop is taken over a factor this large, in which noise does not hide it. */
const SLOPE_RANGE = 2 ** (1 / 4);
/** Steps from the first guess beyond which there is no σ. */
const MOST_DOUBLINGS = 12;
const MOST_HALVINGS = 40;
/** Noise of the first guess over a weight's root mean square. */
const FIRST_SHARE = 0.25;
/** Draws of up to so many numbers together are kept; more are drawn again for each σ. */
const MOST_KEPT = 2 ** 24;

/** What a σ does to the accuracy. */
interface Drop {
  readonly sigma: number;
  readonly mean: number;
  /** Over draws. */
  readonly probe: number;
  /** Over samples. */
  readonly data: number;
}

/**
 * The largest σ of the powers of {@link GRID}, by bisection, at which Gaussian noise of standard deviation σ on the weights lowers the accuracy
 * by at most 0.1, mean over draws; magnitude-aware noise has √(σ²w² + ε²), ε = 1e-3. The draws are the same at all σ but for their
 * size, so that the drop hardly ever falls as σ grows. Its two errors, over draws and over samples, become those of σ by the slope.
 *
 * Cost: some ten values of σ, each a forward pass a draw.
 */
export function noiseScale(task: Task, iteration: Iteration): Promise<NoiseScale | Refusal> {
  return iteration.once("noise scale", () =>
    iteration.withAccuracies(async (accuracies) => search(await dropAt(task, iteration.seed, accuracies), task)),
  );
}

type DropAt = (sigma: number) => Promise<Drop>;

async function search(dropAt: DropAt, task: Task): Promise<NoiseScale | Refusal> {
  const found: Drop[] = [];
  const tried = async (sigma: number) => {
    const drop = await dropAt(sigma);
    found.push(drop);
    return drop;
  };
  const tolerated = ({ mean }: Drop) => mean <= TOLERATED_DROP + ROUNDING;
  // At a power of two, so that all that is tried is one of 2^(k/64): the grid is that of no network.
  const guess = FIRST_SHARE * (task.noise === "uniform" ? rootMeanSquare(task) : 1);
  const first = await tried(2 ** Math.round(Math.log2(guess)));
  let [lower, upper] = [first, first];
  for (let step = 0; step < MOST_DOUBLINGS && tolerated(upper); step++) {
    lower = upper;
    upper = await tried(2 * lower.sigma);
  }
  for (let step = 0; step < MOST_HALVINGS && !tolerated(lower); step++) {
    upper = lower;
    lower = await tried(upper.sigma / 2);
  }
  if (tolerated(upper)) {
    return { kind: "refusal", reason: `no noise on the weights lowers the accuracy by ${TOLERATED_DROP}` };
  }
  if (!tolerated(lower)) {
    return { kind: "refusal", reason: `the least noise on the weights lowers the accuracy by ${TOLERATED_DROP}` };
  }
  while (upper.sigma > lower.sigma * GRID * (1 + Number.EPSILON)) {
    const drop = await tried(Math.sqrt(lower.sigma * upper.sigma));
    if (tolerated(drop)) lower = drop;
    else upper = drop;
  }
  const slope = slopeAbout(found, lower.sigma);
  return {
    sigma: lower.sigma,
    standardError: { data: lower.data / slope, probe: lower.probe / slope },
    drop: lower.mean,
    draws: task.noiseDraws,
  };
}

/** How fast the drop grows about σ: between the two nearest values tried below and above that are {@link SLOPE_RANGE} apart. */
function slopeAbout(found: readonly Drop[], sigma: number): number {
  const root = Math.sqrt(SLOPE_RANGE);
  const sorted = found.toSorted((one, other) => one.sigma - other.sigma);
  const below = sorted.filter((drop) => drop.sigma <= sigma);
  const above = sorted.filter((drop) => drop.sigma > sigma);
  const one = below.findLast((drop) => drop.sigma * root <= sigma) ?? (below[0] as Drop);
  const other = above.find((drop) => drop.sigma >= sigma * root) ?? (above.at(-1) as Drop);
  return (other.mean - one.mean) / (other.sigma - one.sigma);
}

/** The drop as a function of σ, along draws that stay. */
async function dropAt(task: Task, seed: number, accuracies: Accuracies): Promise<DropAt> {
  const { b, parameters, noise, noiseDraws } = task;
  const weights = new Map(parameters.map((id) => [id, Float32Array.from(stored(b, id))]));
  const size = [...weights.values()].reduce((sum, { length }) => sum + length, 0);
  const keep = size * noiseDraws <= MOST_KEPT;
  const kept = new Map<number, Map<ValueId, Float32Array>>();
  const directions = (draw: number) => {
    const known = kept.get(draw) ?? drawn(weights, seed, draw);
    if (keep) kept.set(draw, known);
    return known;
  };
  const own = await accuracies(weights);
  const n = own.length;
  return async (sigma) => {
    const lost = own.slice();
    const drops: number[] = [];
    for (let draw = 0; draw < noiseDraws; draw++) {
      const values = await accuracies(noisy(weights, directions(draw), sigma, noise));
      let drop = 0;
      values.forEach((value, sample) => {
        drop += ((own[sample] as number) - value) / n;
        lost[sample] = (lost[sample] as number) - value / noiseDraws;
      });
      drops.push(drop);
    }
    const { mean, error } = meanOf(drops);
    return { sigma, mean, probe: error, data: meanOf(lost).error };
  };
}

/** A standard normal number for each weight. */
function drawn(weights: ReadonlyMap<ValueId, Float32Array>, seed: number, draw: number): Map<ValueId, Float32Array> {
  const stream = new RandomStream(seed, `weight noise ${draw}`);
  return new Map([...weights].map(([id, values]) => [id, values.map(() => stream.normal())]));
}

function noisy(
  weights: ReadonlyMap<ValueId, Float32Array>,
  directions: ReadonlyMap<ValueId, Float32Array>,
  sigma: number,
  noise: Noise,
): Map<ValueId, Float32Array> {
  const deviation = (weight: number) => (noise === "uniform" ? sigma : Math.hypot(sigma * weight, LEAST_MAGNITUDE));
  return new Map(
    [...weights].map(([id, values]) => {
      const own = directions.get(id) as Float32Array;
      return [id, values.map((weight, place) => weight + deviation(weight) * (own[place] as number))];
    }),
  );
}

function rootMeanSquare({ b, parameters }: Task): number {
  let [sum, count] = [0, 0];
  for (const id of parameters) {
    const values = stored(b, id);
    for (let place = 0; place < values.length; place++) sum += (values[place] as number) ** 2;
    count += values.length;
  }
  return Math.sqrt(sum / count);
}

function meanOf(values: ArrayLike<number>): { mean: number; error: number } {
  const list = Array.from(values);
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  if (list.length < 2) return { mean, error: Number.NaN };
  const squares = list.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (list.length - 1) / list.length) };
}
