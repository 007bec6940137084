import { unscaled } from "../calculus/scaled-features.ts";
import type { Layer } from "../graph/layers.ts";
import type { CurvatureMethod, Form, Measure, Plan, Refusal, Task } from "../measures/measure.ts";
import type { QuantityKey } from "./pass.ts";

/** One row to be: a measure of a layer and how it is had. */
export interface PlannedRow {
  /** null for a measure of the whole network. */
  readonly layer: Layer | null;
  readonly measure: Measure;
  readonly plan: Plan;
}

/** A measure that cannot be had: of a layer, or of the whole network where that is null. */
export interface Refused {
  readonly layer: Layer | null;
  readonly measure: Measure;
  readonly reason: string;
}

/**
 * Measures × layers, each with its plans or the reason why there are none. What is of the whole network is of the layers as the model
 * has them, whether their features are scaled or not; beside a measure's layers it stands only where all of them are asked for.
 *
 * @param before what was refused at another batch size: an axis as long as the batch is not yet the batch
 */
export function planRows(
  layers: readonly Layer[],
  measures: readonly Measure[],
  task: Task,
  before: readonly Refused[] = [],
): { rows: PlannedRow[]; refused: Refused[] } {
  const rows: PlannedRow[] = [];
  const refused: Refused[] = [];
  const take = (layer: Layer | null, measure: Measure, plans: Plan | Refusal | readonly Plan[]) => {
    if (!("kind" in plans)) for (const plan of plans) rows.push({ layer, measure, plan });
    else if (plans.kind === "refusal") refused.push({ layer, measure, reason: plans.reason });
    else rows.push({ layer, measure, plan: plans });
  };
  for (const layer of layers) {
    for (const measure of measures) {
      if (!measure.plan) continue;
      const earlier = before.find((entry) => entry.layer?.name === layer.name && entry.measure === measure);
      take(layer, measure, earlier ? { kind: "refusal", reason: earlier.reason } : measure.plan(layer, task));
    }
  }
  const whole = task.layers.map(unscaled);
  for (const measure of measures) {
    if (!measure.planNetwork || (measure.plan && layers.length < whole.length)) continue;
    take(null, measure, measure.planNetwork(whole, task));
  }
  return { rows, refused };
}

/** A form of a layer's curvature that some rows are made of, by one method. */
export interface PlannedForm {
  readonly layer: Layer;
  readonly form: Form;
  readonly method: CurvatureMethod;
}

/** The forms that rows need, each once. */
export function formsOf(rows: readonly PlannedRow[]): PlannedForm[] {
  const forms = new Map<QuantityKey, PlannedForm>();
  for (const { layer, plan } of rows) {
    if (plan.kind !== "curvature" || layer === null) continue;
    forms.set(formKey(layer, plan.form), { layer, form: plan.form, method: plan.method });
  }
  return [...forms.values()];
}

export function formKey(layer: Layer, form: Form): QuantityKey {
  return `${form}/${layer.name}`;
}

/** The Gauss-Newton part of a form that is the Hessian's. */
export function gaussNewtonKey(layer: Layer, form: Form): QuantityKey {
  return `gauss-newton ${form}/${layer.name}`;
}

/** The value per sample of a measure of the whole network. */
export function samplesKey({ name }: Measure): QuantityKey {
  return `samples/${name}`;
}
