import type { Prepared } from "./prepare.ts";
import type { PlannedRow } from "./plan.ts";
import type { Warning } from "./result.ts";

/** Below this the standard error itself is little known. */
const FEW_SAMPLES = 30;

export interface Observed {
  readonly prepared: Prepared;
  readonly rows: readonly PlannedRow[];
  readonly n: number;
  readonly regression: boolean;
}

/** What a reader of the numbers must know, each under a stable code. */
export function warningsOf({ prepared, rows, n, regression }: Observed): Warning[] {
  const warnings: Warning[] = [];
  const { activation, value } = prepared.outputs;
  if (activation) {
    warnings.push({
      code: "trailing-activation",
      text: `the model ends in ${activation}; its input ${value} was taken as the raw outputs`,
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
      text: `the model was exported for a fixed batch size; ${prepared.rewritten.length} of its nodes were rewritten for ${prepared.batch}, and the outputs were found equal`,
    });
  }
  for (const { layer, plan } of rows) {
    if (plan.kind !== "per-sample" || plan.curvature !== "gauss-newton") continue;
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
  return warnings;
}
