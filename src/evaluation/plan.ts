import type { Layer } from "../graph/layers.ts";
import type { CurvatureMethod, Form, Measure, Plan, Task } from "../measures/measure.ts";
import type { QuantityKey } from "./pass.ts";

/** One row to be: a measure of a layer and how it is had. */
export interface PlannedRow {
  /** null for a measure of the whole network. */
  readonly layer: Layer | null;
  readonly measure: Measure;
  readonly plan: Plan;
}

/** A layer that a measure cannot be had for. */
export interface RefusedLayer {
  readonly layer: Layer;
  readonly measure: Measure;
  readonly reason: string;
}

/**
 * Measures × layers, each with its plan or the reason why there is none.
 *
 * @param before what was refused at another batch size: an axis as long as the batch is not yet the batch
 */
export function planRows(
  layers: readonly Layer[],
  measures: readonly Measure[],
  task: Task,
  before: readonly RefusedLayer[] = [],
): { rows: PlannedRow[]; refused: RefusedLayer[] } {
  const rows: PlannedRow[] = [];
  const refused: RefusedLayer[] = [];
  for (const layer of layers) {
    for (const measure of measures) {
      const earlier = before.find((entry) => entry.layer.name === layer.name && entry.measure === measure);
      const plan = earlier ? ({ kind: "refusal", reason: earlier.reason } as const) : measure.plan(layer, task);
      if (plan.kind === "refusal") refused.push({ layer, measure, reason: plan.reason });
      else rows.push({ layer, measure, plan });
    }
  }
  for (const measure of measures) {
    const plan = measure.planNetwork?.(layers, task);
    if (plan && plan.kind !== "refusal") rows.push({ layer: null, measure, plan });
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
