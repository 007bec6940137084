import { gaussNewton, type GaussNewton } from "../calculus/gauss-newton.ts";
import { lastLayerForm, unitRows, weightRows } from "../calculus/last-layer.ts";
import { pullBack } from "../calculus/vjp.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { RuntimeArray } from "../runtime/session.ts";
import { SampleStreams } from "../statistics/random.ts";
import { sampleWeights } from "./batches.ts";
import { CORRECT, COUNTED, LOSS, SAMPLE_WEIGHTS, SPREAD } from "./names.ts";
import type { Observation } from "./observations/observation.ts";
import { inputsOf, type Pass, type QuantityKey, type Run } from "./pass.ts";
import { formKey, samplesKey, type PlannedForm, type PlannedRow } from "./plan.ts";
import type { Prepared } from "./prepare.ts";

const COLUMN_TERMS = "flatness/column-terms";
const COLUMN_SLOTS = "flatness/column-slots";
const COLUMN_WEIGHTS = "flatness/column-weights";
const SIGNS = "flatness/column-signs";

/**
 * The pass that every measurement has: loss and accuracy, what measures of the whole network emit, the last layer in closed form, and
 * all layers whose Gauss-Newton matrix is asked for, by columns pulled back once for all of them.
 *
 * @param observations on the same instance of the model
 * @param perRun columns that one run takes
 */
export function columnsPass(
  prepared: Prepared,
  forms: readonly PlannedForm[],
  rows: readonly PlannedRow[],
  observations: readonly Observation[],
  perRun: number,
  seed: number,
): Pass {
  const { b, batch, loss, scores, labels, terms } = prepared;
  const total = loss.columnCount(terms);
  const size = Math.min(perRun, total);
  const chunked = size < total;
  const signCount = loss.signCount(terms);

  let spread: ValueId | undefined;
  const seeds = (exact: boolean): ValueId => {
    if (!exact && loss.estimatedColumns) {
      const estimated = loss.estimatedColumns(b, scores, labels, b.input(SIGNS, "float32", [batch, signCount]));
      spread = estimated.spread;
      return estimated.columns;
    }
    if (!chunked) return loss.columns(b, scores, labels);
    return loss.columns(b, scores, labels, {
      size,
      terms: b.input(COLUMN_TERMS, "int64", [size]),
      slots: b.input(COLUMN_SLOTS, "int64", [size]),
      weights: b.input(COLUMN_WEIGHTS, "float32", [size]),
    });
  };
  const curvatures = (method: PlannedForm["method"]) => {
    const asked = [...new Set(forms.filter((form) => form.method === method).map((form) => form.layer))];
    if (asked.length === 0) return new Map<Layer, GaussNewton>();
    const targets = asked.flatMap((layer) => layer.uses.map((use) => use.preactivation));
    const pulled = pullBack(b, new Map([[scores, seeds(method === "gauss-newton-exact")]]), targets, 1);
    return new Map(asked.map((layer) => [layer, gaussNewton(b, layer, pulled)]));
  };
  const exact = curvatures("gauss-newton-exact");
  const estimated = curvatures("gauss-newton-probes");

  const values = new Map<string, ValueId>([[LOSS, loss.perSample(b, scores, labels)]]);
  if (loss.correct) values.set(CORRECT, loss.correct(b, scores, labels));
  const counted = loss.counted?.(b, scores, labels);
  if (counted !== undefined) values.set(COUNTED, counted);
  if (spread !== undefined) values.set(SPREAD, spread);
  for (const { measure, plan } of rows) {
    if (plan.kind === "samples") values.set(samplesKey(measure), plan.emit(b, prepared));
  }
  const additive = new Set<QuantityKey>();
  const random = new Set<QuantityKey>();
  for (const { layer, form, method } of forms) {
    const key = formKey(layer, form);
    if (method === "closed-form") {
      const rows = form === "weighted" ? weightRows(layer) : unitRows(layer.d);
      values.set(key, lastLayerForm(b, layer, prepared, rows));
    } else if (method === "gauss-newton-exact") {
      values.set(key, (exact.get(layer) as GaussNewton)[form]());
      additive.add(key);
    } else if (method === "gauss-newton-probes") {
      values.set(key, (estimated.get(layer) as GaussNewton)[form]());
      random.add(key);
    }
  }

  const graph = b.graph(new Map([...values, ...observations.flatMap((observation) => [...observation.values])]));
  const takesAll = new Map([...values.keys()].map((name) => [name, [name]]));
  const takesColumns = new Map([...additive].map((name) => [name, [name]]));
  const streams = new SampleStreams(seed, "columns");
  return {
    graph,
    inputs: inputsOf(graph),
    batch,
    random,
    observe(outputs, n) {
      for (const observation of observations) observation.add(outputs, n);
    },
    *runs(n, again): Iterable<Run> {
      const feeds = new Map<ValueId, RuntimeArray>([[SAMPLE_WEIGHTS, sampleWeights(n, batch)]]);
      if (random.size > 0) {
        const data = new Float32Array(batch * signCount).fill(1);
        for (let sample = 0; sample < n; sample++) {
          streams.next(again?.[sample]).fillSigns(data, sample * signCount, (sample + 1) * signCount);
        }
        feeds.set(SIGNS, { type: "float32", dims: [batch, signCount], data });
      }
      if (!chunked || additive.size === 0) {
        yield { feeds, takes: takesAll };
        return;
      }
      for (let first = 0; first < total; first += size) {
        const chunk = columnChunk(first, size, total, total / terms.terms);
        // What is not made of columns is the same in each run: it is taken once.
        yield { feeds: new Map([...feeds, ...chunk]), takes: first === 0 ? takesAll : takesColumns };
      }
    },
  };
}

/** Terms, slots and weights of the columns from `first` on; those beyond the last weigh nothing. */
function columnChunk(first: number, size: number, total: number, perTerm: number): Map<ValueId, RuntimeArray> {
  const numbers = Array.from({ length: size }, (_, index) => Math.min(first + index, total - 1));
  const int64 = (value: (column: number) => number) => BigInt64Array.from(numbers, (column) => BigInt(value(column)));
  const dims = [size];
  return new Map<ValueId, RuntimeArray>([
    [COLUMN_TERMS, { type: "int64", dims, data: int64((column) => Math.floor(column / perTerm)) }],
    [COLUMN_SLOTS, { type: "int64", dims, data: int64((column) => column % perTerm) }],
    [
      COLUMN_WEIGHTS,
      { type: "float32", dims, data: Float32Array.from(numbers, (_, index) => Number(first + index < total)) },
    ],
  ]);
}
