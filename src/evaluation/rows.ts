import type { Layer } from "../graph/layers.ts";
import { average } from "../measures/loss.ts";
import type { IterativeEstimate, Normalization } from "../measures/measure.ts";
import type { Moments } from "../runtime/moments.ts";
import { formKey, gaussNewtonKey, samplesKey, type PlannedRow } from "./plan.ts";
import type { LayerRow, PerSample, ResultRow } from "./result.ts";
import type { Totals } from "./totals.ts";

export function layerRow(layer: Layer, skipped: string | undefined, still: readonly number[] = []): LayerRow {
  const { name, node, initializer, d, m, positions, groups } = layer;
  return {
    name,
    node,
    initializer,
    d,
    m,
    positions,
    groups,
    ...(still.length > 0 && { dropped: still }),
    ...(skipped !== undefined && { skipped }),
  };
}

/** What the numbers of rows come from. */
export interface Measured {
  readonly totals: Totals;
  /** Of the test data, where there is some. */
  readonly test: Totals | undefined;
  readonly n: number;
  readonly probes: number;
  readonly normalize: Normalization | undefined;
  readonly iterated: ReadonlyMap<PlannedRow, IterativeEstimate>;
}

export function resultRow(row: PlannedRow, measured: Measured): ResultRow {
  const { layer, measure, plan } = row;
  const { totals, test, n, probes, normalize } = measured;
  const scaled = layer?.scaling !== undefined && normalize !== undefined;
  const options = { ...(scaled && { normalize }), ...plan.options };
  const shared = { layer: layer?.name ?? null, measure: measure.name, options };
  switch (plan.kind) {
    case "weights":
      return { ...shared, value: plan.value(), standardError: null, n, method: "weights", curvature: null };
    case "samples": {
      const key = samplesKey(measure);
      const { value, standardError } = plan.finish(totals.moments.get(key) as Moments, test?.moments.get(key));
      const errors = { data: finite(standardError), probe: 0 };
      return { ...shared, value, standardError: errors, n, method: plan.method, curvature: null };
    }
    case "iterative": {
      const { value = Number.NaN, standardError = null, density, noise } = measured.iterated.get(row) ?? {};
      const extra = { ...(density && { density }), ...(noise && { noise }) };
      const errors = standardError && { data: finite(standardError.data), probe: finite(standardError.probe) ?? 0 };
      return { ...shared, value, standardError: errors, n, method: plan.method, curvature: plan.curvature, ...extra };
    }
    case "curvature": {
      if (layer === null) throw new TypeError(`measure ${measure.name}: a form of no layer`);
      const { factor, form, method, curvature } = plan;
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
        ...(method === "taylor-probes" && { options: { ...options, probes } }),
        ...(part && { gaussNewton: { value: factor * part.mean, difference: value - factor * part.mean } }),
      };
    }
  }
}

/** One sample has no standard error: NaN is not JSON, and 0 would claim certainty. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/**
 * Each sample's share, whose mean is the result: its sum over terms by the mean number of terms. Of a measure that is a function of a
 * mean, as the Fisher-Rao norm is, or of more than these samples, there is none.
 */
export function perSampleOf(rows: readonly PlannedRow[], totals: Totals): PerSample[] {
  return rows.flatMap(({ layer, measure, plan }) => {
    const isMean = plan.kind === "samples" && plan.finish === average;
    if (!isMean && (plan.kind !== "curvature" || layer === null)) return [];
    const key = plan.kind === "curvature" ? formKey(layer as Layer, plan.form) : samplesKey(measure);
    const values = totals.perSample.get(key);
    const factor = plan.kind === "curvature" ? plan.factor : 1;
    const scale = factor / (totals.moments.get(key)?.meanTerms ?? 1);
    const name = layer?.name ?? null;
    return values ? [{ layer: name, measure: measure.name, values: values.map((value) => scale * value) }] : [];
  });
}
