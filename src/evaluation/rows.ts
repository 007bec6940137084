import type { Layer } from "../graph/layers.ts";
import type { IterativeEstimate } from "../measures/measure.ts";
import type { Moments } from "../runtime/moments.ts";
import { formKey, gaussNewtonKey, type PlannedRow } from "./plan.ts";
import type { LayerRow, PerSample, ResultRow } from "./result.ts";
import type { Totals } from "./totals.ts";

export function layerRow(layer: Layer, skipped: string | undefined): LayerRow {
  const { name, node, initializer, d, m, positions, groups } = layer;
  return { name, node, initializer, d, m, positions, groups, ...(skipped !== undefined && { skipped }) };
}

export function resultRow(
  { layer, measure, plan }: PlannedRow,
  totals: Totals,
  n: number,
  probes: number,
  iterated: IterativeEstimate | undefined,
): ResultRow {
  const shared = { layer: layer?.name ?? null, measure: measure.name, options: {} };
  if (plan.kind === "weights") {
    return { ...shared, value: plan.value(), standardError: null, n, method: "weights", curvature: null };
  }
  const { method, curvature } = plan;
  if (plan.kind === "iterative") {
    const { value = Number.NaN, density } = iterated ?? {};
    return { ...shared, value, standardError: null, n, method, curvature, ...(density && { density }) };
  }
  const { factor, form } = plan;
  if (layer === null) throw new TypeError(`measure ${measure.name}: a form of no layer`);
  const moments = totals.moments.get(formKey(layer, form)) as Moments;
  const terms = moments.meanTerms;
  const random = (totals.randomVariance.get(formKey(layer, form)) ?? 0) / terms ** 2;
  const part = totals.moments.get(gaussNewtonKey(layer, form));
  const value = factor * moments.mean;
  return {
    ...shared,
    value,
    standardError: {
      data: finite(factor * Math.sqrt(Math.max(0, moments.variance - random) / n)),
      probe: factor * Math.sqrt(random / n),
    },
    n,
    method,
    curvature,
    ...(method === "taylor-probes" && { options: { probes } }),
    ...(part && { gaussNewton: { value: factor * part.mean, difference: value - factor * part.mean } }),
  };
}

/** One sample has no standard error: NaN is not JSON, and 0 would claim certainty. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Each sample's share, whose mean is the result: its sum over terms by the mean number of terms. */
export function perSampleOf(rows: readonly PlannedRow[], totals: Totals): PerSample[] {
  return rows.flatMap(({ layer, measure, plan }) => {
    if (plan.kind !== "curvature" || layer === null) return [];
    const key = formKey(layer, plan.form);
    const values = totals.perSample.get(key);
    const scale = plan.factor / (totals.moments.get(key)?.meanTerms ?? 1);
    return values ? [{ layer: layer.name, measure: measure.name, values: values.map((value) => scale * value) }] : [];
  });
}
