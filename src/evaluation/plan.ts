import { gaussNewton, type GaussNewton } from "../calculus/gauss-newton.ts";
import { pullBack } from "../calculus/vjp.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { Loss, PreparedLabels } from "../losses/loss.ts";
import type { Columns, Measure, Plan, Shared, Task } from "../measures/measure.ts";
import { COLUMN_NUMBERS, COLUMN_WEIGHTS, LABELS, SIGNS, type Prepared } from "./prepare.ts";

/** One row to be: a measure of a layer and how it is had. */
export interface PlannedRow {
  readonly layer: Layer;
  readonly measure: Measure;
  readonly plan: Plan;
}

/** A layer that a measure cannot be had for. */
export interface RefusedLayer {
  readonly layer: Layer;
  readonly measure: Measure;
  readonly reason: string;
}

/** A graph whose outputs are per-sample numbers, serving every measure of every layer in one pass over the data. */
export interface Pass {
  readonly graph: Graph;
  /** Output of the graph → what it is the value of. */
  readonly outputs: ReadonlyMap<string, PlannedRow>;
  /** Columns that one run takes, and how many there are in all. */
  readonly columns: { readonly total: number; readonly perRun: number };
  readonly estimated: boolean;
}

/** Names that no model has. */
export const LOSS_OUTPUT = "flatness/loss";
export const CORRECT_OUTPUT = "flatness/correct";

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
  return { rows, refused };
}

/** Builds the one graph for all per-sample rows, the loss and the accuracy. */
export function buildPass(
  prepared: Prepared,
  rows: readonly PlannedRow[],
  loss: Loss,
  labels: Pick<PreparedLabels, "type" | "dims">,
  columnsPerRun: number,
): Pass {
  const { b, batch, outputs } = prepared;
  const classes = b.dims(outputs.value)[1] ?? 1;
  const total = loss.columnCount(classes);
  const perRun = Math.min(columnsPerRun, total);
  b.input(LABELS, labels.type, labels.dims);
  const layersOf = (kind: Columns) => [
    ...new Set(rows.flatMap(({ layer, plan }) => (plan.kind === "per-sample" && plan.columns === kind ? [layer] : []))),
  ];
  const exact = layersOf("exact");
  const estimated = layersOf("estimated");

  const seeds = (kind: Columns): ValueId => {
    if (kind === "estimated" && loss.estimatedColumns) {
      return loss.estimatedColumns(b, outputs.value, b.input(SIGNS, "float32", [batch, classes]));
    }
    if (perRun === total) return loss.columns(b, outputs.value);
    const numbers = b.input(COLUMN_NUMBERS, "int64", [perRun]);
    return loss.columns(b, outputs.value, {
      numbers,
      weights: b.input(COLUMN_WEIGHTS, "float32", [perRun]),
      size: perRun,
    });
  };
  const pulledOnce = new Map<Columns, ReadonlyMap<ValueId, ValueId>>();
  const pulled = (kind: Columns) => {
    const known = pulledOnce.get(kind);
    if (known) return known;
    const targets = (kind === "exact" ? exact : estimated).flatMap((layer) =>
      layer.uses.map((use) => use.preactivation),
    );
    const made = pullBack(b, new Map([[outputs.value, seeds(kind)]]), targets, 1);
    pulledOnce.set(kind, made);
    return made;
  };
  const forms = new Map<string, GaussNewton>();
  const shared: Shared = {
    b,
    loss,
    outputs: outputs.value,
    gaussNewton(layer, columns) {
      const key = `${columns} ${layer.name}`;
      const form = forms.get(key) ?? gaussNewton(b, layer, pulled(columns));
      forms.set(key, form);
      return form;
    },
  };

  const values = new Map<string, ValueId>([[LOSS_OUTPUT, loss.perSample(b, outputs.value, LABELS)]]);
  if (loss.correct) values.set(CORRECT_OUTPUT, loss.correct(b, outputs.value, LABELS));
  const named = new Map<string, PlannedRow>();
  for (const row of rows) {
    if (row.plan.kind !== "per-sample") continue;
    const name = `${row.measure.name}/${row.layer.name}`;
    values.set(name, row.plan.emit(shared));
    named.set(name, row);
  }
  return { graph: b.graph(values), outputs: named, columns: { total, perRun }, estimated: estimated.length > 0 };
}
