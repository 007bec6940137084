import type { OpenedLayer } from "../evaluation/layer-changes.ts";
import { UsageError } from "../errors.ts";
import { RandomStream } from "../statistics/random.ts";
import { type Average, type Collector, OneDraw, SharedDraws } from "./averages.ts";
import { drawForGroups, type FeatureFamily } from "./feature-family.ts";
import type { FeatureMatrix } from "./feature-matrix.ts";
import type { LabelFunction } from "./labels.ts";
import type { RobustnessRow } from "./result.ts";
import type { Theory } from "./robustness-theory.ts";

export interface RobustnessTask {
  readonly family: FeatureFamily;
  /** δ, all above 0. */
  readonly deltas: readonly number[];
  /** Random matrices; of each its negative is taken too where `antithetic`. Given matrices are each taken once. */
  readonly draws: number;
  readonly seed: number;
  readonly antithetic: boolean;
  readonly epsilon?: number;
  /** y(φ_A): labels of moved features. Only where φ is one vector. */
  readonly labelFunction?: LabelFunction;
  /** Told after each matrix how many are done. */
  onProgress?(done: number, total: number): void;
}

/** Grid points of α up to each δ on which robustness for all α ≤ δ is decided. */
export const GRID = 10;
/** Elements of the changed weights that are kept at once. */
const KEPT = 2 ** 24;
/** Matrices, each at all α and signs, whose losses are asked for at once, and elements of all the changed weights. */
const MOST_TOGETHER = 32;
const ELEMENTS_TOGETHER = 2 ** 21;

/**
 * Feature robustness (Petzka et al. 2021, Definition 1, eq. 4) of one layer,
 *
 *   E_F(f, S, δA) = (1/n) Σ_i [ℓ(ψ(φ_i + δAφ_i), y_i) − ℓ(ψ(φ_i), y_i)],
 *
 * measured through weights, as risk(W + δWA) − risk(W) by eq. 1, so that it is defined for every layer whose weights are shared
 * over positions too. With `labelFunction` also with the labels y(φ_i + δAφ_i).
 *
 * Differences of float32 losses, summed in float64. Cost: one run of what lies above the layer for each matrix, its sign, and each δ
 * (ten times as many with `epsilon`).
 *
 * @param theory what the same rows should be to second order
 * @throws UsageError for a label function where φ is not one vector, and for a δ so large that losses overflow
 */
export async function featureRobustness(
  opened: OpenedLayer,
  task: RobustnessTask,
  theory: Theory,
): Promise<RobustnessRow[]> {
  const { family, epsilon } = task;
  const deltas = [...new Set(task.deltas)].sort((a, b) => a - b);
  if (task.labelFunction && opened.noVector !== undefined) throw new UsageError(opened.noVector);
  const alphas = epsilon === undefined ? deltas : gridOf(deltas);
  const series = await measured(opened, task, alphas);
  return series.flatMap((one, index) => {
    const averages = one.map((each) => each.constant.average());
    return deltas.map((delta): RobustnessRow => {
      const at = alphas.indexOf(delta);
      const { mean, drawError, dataError } = averages[at] as Average;
      if (!Number.isFinite(mean)) {
        throw new UsageError(
          `layer ${opened.layer.name}: the loss is no finite number where its features move by δ = ${delta}; expected a smaller delta.`,
        );
      }
      const expected = theory.at(delta, index);
      const worst = epsilon === undefined ? undefined : worstOf(alphas, averages, delta);
      return {
        layer: opened.layer.name,
        delta,
        matrix: family.kind === "given" ? (family.members[index] as FeatureMatrix).name : null,
        measured: mean,
        standardError: drawError,
        dataError,
        theory: expected?.value ?? null,
        theoryError: expected?.error ?? null,
        draws: family.kind === "given" ? 1 : task.draws,
        holds: worst && epsilon !== undefined ? Math.abs(worst.measured) <= epsilon : null,
        worst: worst ?? null,
        teacher: teacherRow(one[at] as Quantities),
      };
    });
  });
}

/** What is collected of one α. */
interface Quantities {
  readonly constant: Collector;
  readonly true?: Collector;
  readonly term?: Collector;
  readonly constancy?: Collector;
}

/** For each given matrix, or for the distribution: the quantities at each α. */
async function measured(opened: OpenedLayer, task: RobustnessTask, alphas: readonly number[]): Promise<Quantities[][]> {
  const { family, draws, antithetic, labelFunction } = task;
  const given = family.kind === "given";
  const total = given ? family.members.length : draws;
  const collector = () => (given ? new OneDraw() : new SharedDraws(draws, opened.n));
  const quantities = (): Quantities => ({
    constant: collector(),
    ...(labelFunction && { true: collector(), term: collector(), constancy: collector() }),
  });
  const series = Array.from({ length: given ? total : 1 }, () => alphas.map(quantities));
  const signs = !given && antithetic ? [1, -1] : [1];
  const draw = matricesOf(opened, task);
  const size = Math.max(1, Math.floor(KEPT / opened.matrix.length));
  const elements = opened.matrix.length * alphas.length * signs.length;
  const most = Math.max(1, Math.min(MOST_TOGETHER, Math.floor(ELEMENTS_TOGETHER / elements)));
  let done = 0;
  for (let first = 0; first < total; first += size) {
    const chunk = Array.from({ length: Math.min(size, total - first) }, draw);
    const changes = chunk.map((matrix) => Float32Array.from(matrix.afterRows(opened.matrix)));
    for await (const batch of opened.batches()) {
      const { start, terms, n } = batch;
      const base = await batch.losses();
      const features = labelFunction && (await batch.features());
      for (let begin = 0; begin < chunk.length; begin += most) {
        const together = chunk.slice(begin, begin + most).flatMap((matrix, index) => {
          const place = first + begin + index;
          const change = changes[begin + index] as Float32Array;
          return alphas.flatMap((alpha, at) =>
            signs.map((sign) => ({ matrix, change, place, at, step: sign * alpha })),
          );
        });
        const moved = together.map(({ change, step }) => stepped(opened.matrix, change, step));
        const all = await batch.lossesOfEach(moved);
        for (const [index, { matrix, place, at, step }] of together.entries()) {
          const losses = all[index] as Float32Array;
          const into = (series[given ? place : 0] as Quantities[])[at] as Quantities;
          const add = (to: Collector | undefined, values: Float64Array) =>
            to?.add(given ? 0 : place, start, values, terms, 1 / signs.length);
          add(into.constant, difference(losses, base));
          if (!labelFunction || !features) continue;
          const labels = await labelFunction(Float32Array.from(stepped(features, matrix.ofRows(features), step)), n);
          const truly = await batch.losses(moved[index], labels);
          const term = difference(truly, losses);
          add(into.true, difference(truly, base));
          add(into.term, term);
          add(into.constancy, term.map(Math.abs));
        }
        done += n * Math.min(most, chunk.length - begin);
        task.onProgress?.(done, total * opened.n);
      }
    }
  }
  return series;
}

/** The given matrices in turn, or independent draws, the same for the same seed. */
export function matricesOf(
  { layer }: OpenedLayer,
  { family, seed }: Pick<RobustnessTask, "family" | "seed">,
): () => FeatureMatrix {
  if (family.kind === "given") {
    let next = 0;
    return () => family.members[next++] as FeatureMatrix;
  }
  const stream = new RandomStream(seed, `matrices ${layer.name}`);
  return () => drawForGroups(family, layer.groups, stream);
}

/** Each δ, and α = δ/10, 2δ/10, … below it. */
function gridOf(deltas: readonly number[]): number[] {
  const grid = deltas.flatMap((delta) => [
    ...Array.from({ length: GRID - 1 }, (_, index) => (delta * (index + 1)) / GRID),
    delta,
  ]);
  return [...new Set(grid)].sort((a, b) => a - b);
}

function worstOf(alphas: readonly number[], averages: readonly Average[], delta: number): RobustnessRow["worst"] {
  let worst: RobustnessRow["worst"] = null;
  for (const [index, alpha] of alphas.entries()) {
    const { mean, drawError } = averages[index] as Average;
    if (alpha > delta || (worst && Math.abs(mean) <= Math.abs(worst.measured))) continue;
    worst = { alpha, measured: mean, standardError: drawError };
  }
  return worst;
}

function teacherRow({ true: truly, term, constancy }: Quantities): RobustnessRow["teacher"] {
  if (!truly || !term || !constancy) return null;
  const [whole, part, size] = [truly.average(), term.average(), constancy.average()];
  return {
    measured: whole.mean,
    standardError: whole.drawError,
    labelTerm: part.mean,
    labelTermError: part.drawError,
    labelConstancy: size.mean,
    labelConstancyError: size.drawError,
  };
}

// Loops: Float64Array.from with a function takes ten times as long, and these are what runs most.

function stepped(from: ArrayLike<number>, along: ArrayLike<number>, step: number): Float64Array {
  const result = new Float64Array(from.length);
  for (let index = 0; index < result.length; index++) result[index] = from[index]! + step * along[index]!;
  return result;
}

function difference(left: ArrayLike<number>, right: ArrayLike<number>): Float64Array {
  const result = new Float64Array(left.length);
  for (let index = 0; index < result.length; index++) result[index] = left[index]! - right[index]!;
  return result;
}
