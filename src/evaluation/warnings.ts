import type { HalfPrecision } from "../graph/widening.ts";
import type { IterativeEstimate, Normalization } from "../measures/measure.ts";
import type { FeatureSpread } from "./feature-deviations.ts";
import type { Observation, Seen } from "./observations/observation.ts";
import type { Prepared } from "./prepare.ts";
import type { PlannedRow } from "./plan.ts";
import type { ResultRow, Warning } from "./result.ts";

/** Below this the standard error itself is little known. */
const FEW_SAMPLES = 30;

/** From this share of the value on the Gauss-Newton value is worth a word. */
const NOTABLE_DIFFERENCE = 0.05;

export interface Observed extends Omit<Seen, "results"> {
  readonly observations: readonly Observation[];
  readonly prepared: Prepared;
  /** Samples at once of the network. */
  readonly batch: number;
  readonly rows: readonly PlannedRow[];
  readonly results: readonly ResultRow[];
  readonly n: number;
  readonly regression: boolean;
  /** What iterations had to say of their rows. */
  readonly iterated: ReadonlyMap<PlannedRow, IterativeEstimate>;
  readonly precision: HalfPrecision | undefined;
  readonly normalize: Normalization | undefined;
  /** Of the layers whose features are scaled. */
  readonly spreads: ReadonlyMap<string, FeatureSpread>;
}

/** What a reader of the numbers must know, each under a stable code. */
export function warningsOf(observed: Observed): Warning[] {
  const { prepared, batch, rows, results, n, regression, iterated, precision } = observed;
  const warnings: Warning[] = [];
  const { activation, value } = prepared.outputs;
  if (activation) {
    warnings.push({
      code: "trailing-activation",
      text: `the model ends in ${activation}; its input ${value} was taken as the raw outputs`,
    });
  }
  if (precision) {
    warnings.push({
      code: "half-precision-widened",
      text: `the model computes in ${precision}; it was measured in float32 with the same weights, without the rounding of its own values`,
    });
  }
  if (n < FEW_SAMPLES) {
    warnings.push({
      code: "few-samples",
      text: `${n} samples: a standard error from fewer than ${FEW_SAMPLES} is itself uncertain`,
    });
  }
  if (regression) {
    warnings.push({
      code: "regression-labels",
      text: "targets of a regression are not locally constant, which the theory of relative flatness and generalization assumes",
    });
  }
  if (prepared.rewritten.length > 0) {
    warnings.push({
      code: "batch-rewritten",
      text: `the model was exported for a fixed batch size; ${prepared.rewritten.length} of its nodes were rewritten for ${batch}, and the outputs were found equal`,
    });
  }
  for (const { layer, plan } of rows) {
    if (layer === null || !("curvature" in plan) || plan.curvature !== "gauss-newton") continue;
    const above = prepared.above(layer);
    if (above.kind !== "smooth" && above.kind !== "reused") continue;
    if (warnings.some((known) => known.layer === layer.name)) continue;
    const why =
      above.kind === "smooth"
        ? `operator ${above.op} above the layer is smooth`
        : `node ${above.node} applies the same weight again`;
    warnings.push({
      code: "gauss-newton-is-not-hessian",
      layer: layer.name,
      text: `the Gauss-Newton matrix was measured; ${why}, so that the Hessian of the definition differs`,
    });
  }
  for (const { layer, measure, value, gaussNewton } of results) {
    if (!gaussNewton || measure !== "relative-flatness" || layer === null) continue;
    if (Math.abs(gaussNewton.difference) < NOTABLE_DIFFERENCE * Math.abs(value)) continue;
    warnings.push({
      code: "gauss-newton-differs",
      layer,
      text: `the Gauss-Newton value is ${gaussNewton.value.toPrecision(4)}, the Hessian's ${value.toPrecision(4)}: methods that take one for the other are off here`,
    });
  }
  for (const [{ layer, measure }, { warning }] of iterated) {
    if (warning === undefined) continue;
    const text = `${measure.name}: ${warning}`;
    warnings.push({ code: "iteration-not-converged", text, ...(layer && { layer: layer.name }) });
  }
  warnings.push(...observed.observations.flatMap((observation) => observation.warnings(observed)));
  warnings.push(...normalizationWarnings(observed));
  return warnings;
}

/** Features that a warning lists before it counts. */
const MOST_LISTED = 8;

function normalizationWarnings({ normalize, spreads }: Observed): Warning[] {
  const warnings: Warning[] = [];
  if (normalize === "variance") {
    warnings.push({
      code: "variance-normalization",
      text: "features are divided by their variance, as the text of Theorem 4 has it; what is got changes with their scale, with the standard deviation it does not",
    });
  }
  for (const [layer, { still, deviations }] of spreads) {
    if (still.length === 0) continue;
    const listed = still.slice(0, MOST_LISTED).join(", ");
    const rest = still.length > MOST_LISTED ? `, and ${still.length - MOST_LISTED} more` : "";
    const text = `${still.length} of ${deviations.length} features do not vary on the data and drop out of what is normalised: ${listed}${rest}`;
    warnings.push({ code: "features-dropped", layer, text });
  }
  return warnings;
}
