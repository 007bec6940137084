import { UnsupportedOperatorError, UsageError } from "../errors.ts";
import type { LayerOptions, OpenedLayer } from "../evaluation/layer-changes.ts";
import { measureModel, type Measurement, type Sampled, type Subject } from "../evaluation/measure-model.ts";
import { openLayer } from "../evaluation/opened-layer.ts";
import { openTeacher, type Teacher } from "../evaluation/teacher.ts";
import type { Warning } from "../evaluation/result.ts";
import type { Runtime } from "../runtime/session.ts";
import { type FamilyChoice, familyFor } from "./chosen-family.ts";
import { featureRobustness, type RobustnessTask } from "./feature-robustness.ts";
import { lengthsOf } from "./interpolated-risk.ts";
import type { RobustnessLayer, RobustnessResult, RobustnessRow } from "./result.ts";
import { teacherWarnings } from "./teacher-labels.ts";
import { averageTheory, type Flatness, taylorTheory, type Theory } from "./robustness-theory.ts";

/** What is asked of a measurement of feature robustness. */
export interface RobustnessOptions extends LayerOptions {
  readonly layers?: "all" | "last" | readonly string[];
  /** δ, each above 0. Default 0.01, 0.03, 0.1, 0.3. */
  readonly deltas?: readonly number[];
  /** Default: Haar-orthogonal matrices. */
  readonly features?: FamilyChoice;
  /** Random matrices; default 200. */
  readonly draws?: number;
  /** Take the negative of each random matrix too: the odd orders of δ, which are noise in an average, fall out. */
  readonly antithetic?: boolean;
  /** Decide whether |E_F(αA)| ≤ ε for all α up to each δ. */
  readonly epsilon?: number;
  /** A network that gives moved features their labels. */
  readonly teacher?: Pick<Subject, "graph" | "file">;
  readonly seed?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

const DELTAS = [0.01, 0.03, 0.1, 0.3];

/**
 * Feature robustness E_F(f, S, δA) of a model's layers (Petzka et al. 2021, Definition 1), with what theory makes of it: see
 * {@link featureRobustness}.
 *
 * @throws ModelError, DataError, UsageError for what the user can mend
 */
export async function measureRobustness(
  subject: Subject,
  sampled: Sampled,
  options: RobustnessOptions,
  runtime: Runtime,
): Promise<RobustnessResult> {
  const started = performance.now();
  const { features = { kind: "orthogonal" }, deltas = DELTAS, draws = 200, antithetic = false, seed = 0 } = options;
  checkDeltas(deltas);
  checkAbove("epsilon", options.epsilon);
  const { result } = await flatnessOf(subject, sampled, options, features, runtime);
  const layers: RobustnessLayer[] = [];
  const rows: RobustnessRow[] = [];
  const disagreements: Warning[] = [];
  let family: { name: string; options: Readonly<Record<string, number | string>> } = {
    name: features.kind,
    options: {},
  };
  for (const [index, { name, d, m, positions, groups }] of result.layers.entries()) {
    const opened = await openLayer(subject, sampled, name, options, runtime);
    let teacher: Teacher | undefined;
    try {
      if (options.teacher) {
        if (opened.noVector !== undefined) throw new UsageError(`--teacher: ${opened.noVector}`);
        const session = { provider: options.provider ?? "cpu", threads: options.threads ?? runtime.cores };
        teacher = await openTeacher(options.teacher, m, opened.loss.classification, runtime, session);
      }
      const chosen = await familyFor(features, name, m);
      if (chosen.kind === "random")
        family = { name: chosen.name, options: { ...chosen.options, antithetic: String(antithetic) } };
      const label = teacher?.label.bind(teacher);
      if (label) disagreements.push(...(await teacherWarnings(opened, label)));
      const task: RobustnessTask = {
        family: chosen,
        deltas,
        draws,
        seed,
        antithetic,
        ...(options.epsilon !== undefined && { epsilon: options.epsilon }),
        ...(label && { labelFunction: label }),
        onProgress: (done, total) => options.onProgress?.(index * total + done, result.layers.length * total),
      };
      const flatness = flatnessIn({ result }, name);
      const theory = await theoryOf(opened, task, flatness);
      rows.push(...(await featureRobustness(opened, task, theory)));
      layers.push({
        name,
        d,
        m,
        positions,
        groups,
        flatness: flatness ?? null,
        zeroFeatures: await zeroFeatures(opened),
        ...(theory.reason !== undefined && { noTheory: theory.reason }),
      });
    } finally {
      await opened.close();
      await teacher?.close();
    }
  }
  const { model, data, loss, warnings, environment } = result;
  return {
    schema: 1,
    kind: "robustness",
    model,
    data,
    loss,
    features: { family: family.name, options: family.options },
    epsilon: options.epsilon ?? null,
    teacher: options.teacher?.file ?? null,
    layers,
    rows,
    warnings: [...warnings, ...disagreements],
    environment: { ...environment, seed },
    seconds: { total: (performance.now() - started) / 1000 },
  };
}

/** @throws UsageError for a δ that is not above 0 */
export function checkDeltas(deltas: readonly number[]): void {
  if (deltas.length === 0) throw new UsageError("delta: expected a number above 0, or several.");
  for (const delta of deltas) checkAbove("delta", delta);
}

export function checkAbove(name: string, value: number | undefined): void {
  if (value === undefined || (value > 0 && value < Infinity)) return;
  throw new UsageError(`${name} ${value}: expected a number above 0.`);
}

/** κ of the layers where theory is made of it, and all else that a result says of a model on data. */
async function flatnessOf(
  subject: Subject,
  sampled: Sampled,
  { onProgress: _, features: __, ...options }: RobustnessOptions,
  features: FamilyChoice,
  runtime: Runtime,
): Promise<Measurement> {
  const norms = () => measureModel(subject, sampled, { ...options, measures: ["squared-weight-norm"] }, runtime);
  if (features.kind !== "orthogonal" && features.kind !== "kernel") return norms();
  try {
    return await measureModel(subject, sampled, { ...options, measures: ["relative-flatness"] }, runtime);
  } catch (error) {
    // What has no derivative can still be moved.
    if (error instanceof UnsupportedOperatorError) return norms();
    throw error;
  }
}

function flatnessIn({ result }: Pick<Measurement, "result">, layer: string): Flatness | undefined {
  const row = result.results.find((each) => each.layer === layer && each.measure === "relative-flatness");
  return row && { value: row.value, probeError: row.standardError?.probe ?? 0 };
}

async function theoryOf(opened: OpenedLayer, task: RobustnessTask, flatness: Flatness | undefined): Promise<Theory> {
  const { family } = task;
  if (family.kind === "given" || family.shareOfFlatness === undefined) return taylorTheory(opened, task);
  if (flatness) return averageTheory(family.shareOfFlatness, opened.layer.m, flatness);
  return { reason: "relative flatness cannot be had for this layer", at: () => undefined };
}

/** How many samples have features of zeros alone; null where these are not one vector. */
async function zeroFeatures(opened: OpenedLayer): Promise<number | null> {
  if (opened.noVector !== undefined) return null;
  let zeros = 0;
  for await (const batch of opened.batches()) {
    zeros += lengthsOf(await batch.features(), opened.layer.m).filter((length) => length === 0).length;
  }
  return zeros;
}
