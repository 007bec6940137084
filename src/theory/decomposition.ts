import type { OpenedLayer } from "../evaluation/layer-changes.ts";
import type { Average } from "./averages.ts";
import { kernelFamily } from "./feature-family.ts";
import { featureRobustness } from "./feature-robustness.ts";
import { interpolatedRisk } from "./interpolated-risk.ts";
import type { LabelFunction } from "./labels.ts";
import type { BoundRow } from "./result.ts";
import { averageTheory, type Flatness } from "./robustness-theory.ts";

export interface DecompositionTask {
  readonly delta: number;
  readonly sigma: number;
  readonly draws: number;
  readonly seed: number;
  readonly labelFunction?: LabelFunction;
  /** Bandwidth of the vectors' kernel for features of this length: δ‖φ‖ unless something else is tried. */
  readonly bandwidth?: (length: number) => number;
  onProgress?(done: number, total: number): void;
}

/** A mean and the part of its standard error that counts. */
export interface Estimate {
  readonly value: number;
  readonly error: number;
}

/** Equation 5 at one δ: gap = representativeness + E_F with true labels, each part by itself. */
export interface Decomposition {
  readonly delta: number;
  /** E(f) − mean_i E_ξ ℓ(ψ(φ_i + ξ), y), by vectors; with y(φ_i + ξ) where it is known. Its error holds that of E(f). */
  readonly representativeness: Estimate;
  /** Its error from the vectors alone. */
  readonly vectorError: number;
  /** E_F at constant labels, by matrices rO. */
  readonly robustness: Estimate;
  /** mean_i E_ξ [ℓ(ψ(φ_i + ξ), y(φ_i + ξ)) − ℓ(ψ(φ_i + ξ), y_i)] by matrices; absent where labels are not known. */
  readonly labelTerm?: Estimate;
  readonly labelConstancy?: Estimate;
  /** Representativeness + E_F (+ label term). */
  readonly sum: Estimate;
  /** The sum less the gap: zero but for the noise of two seeds. */
  readonly residual: Estimate;
  /** E_F at constant labels by vectors: Proposition 2 says that it is the one by matrices. */
  readonly vectorRobustness: Estimate;
  /** δ²E[s²]κ/2m. */
  readonly approximation: Estimate | undefined;
  readonly zeroFeatures: number;
}

/**
 * The decomposition of the generalization gap (Petzka et al. 2021, eq. 5) in one layer's feature space.
 *
 * Representativeness comes from vectors ξ ~ λ_i, robustness from matrices rO through weights, with seeds of their own: two routes to
 * what Proposition 2 says is the same.
 *
 * @param empirical the risk on the training data, which `opened` is on
 * @param risk an estimate of E(f) from data that the model never saw
 */
export async function decomposition(
  opened: OpenedLayer,
  empirical: number,
  risk: Average,
  flatness: Flatness | undefined,
  task: DecompositionTask,
): Promise<Decomposition> {
  const { delta, sigma, draws, seed, labelFunction, bandwidth } = task;
  const { m } = opened.layer;
  const family = kernelFamily(m, sigma);
  const share = family.shareOfFlatness as number;
  const vectors = await interpolatedRisk(opened, {
    delta,
    sigma,
    draws,
    seed,
    ...(labelFunction && { labelFunction }),
    ...(bandwidth && { bandwidth }),
  });
  const theory = flatness && averageTheory(share, m, flatness);
  const [row] = await featureRobustness(
    opened,
    {
      family,
      deltas: [delta],
      draws,
      seed: seed + 1,
      antithetic: true,
      ...(labelFunction && { labelFunction }),
      ...(task.onProgress && { onProgress: task.onProgress }),
    },
    theory ?? { at: () => undefined },
  );
  const interpolated = vectors.trueLabels ?? vectors.constantLabels;
  const matrices = row!.teacher ?? row!;
  const vectorError = interpolated.drawError ?? 0;
  const representativeness = risk.mean - interpolated.mean;
  const sum = representativeness + matrices.measured;
  const approximation = theory?.at(delta, 0);
  return {
    delta,
    representativeness: { value: representativeness, error: Math.hypot(risk.dataError ?? 0, vectorError) },
    vectorError,
    robustness: { value: row!.measured, error: row!.standardError ?? 0 },
    ...(row!.teacher && {
      labelTerm: { value: row!.teacher.labelTerm, error: row!.teacher.labelTermError ?? 0 },
      labelConstancy: { value: row!.teacher.labelConstancy, error: row!.teacher.labelConstancyError ?? 0 },
    }),
    sum: { value: sum, error: Math.hypot(risk.dataError ?? 0, vectorError, matrices.standardError ?? 0) },
    residual: {
      value: sum - (risk.mean - empirical),
      error: Math.hypot(vectorError, matrices.standardError ?? 0),
    },
    vectorRobustness: {
      value: vectors.constantLabels.mean - empirical,
      error: vectors.constantLabels.drawError ?? 0,
    },
    approximation: approximation && { value: approximation.value, error: approximation.error },
    zeroFeatures: vectors.zeroFeatures,
  };
}

/** The rows of a result. */
export function decompositionRows(parts: Decomposition, known: boolean): BoundRow[] {
  const row = (
    quantity: string,
    { value, error }: Estimate,
    note: string,
    status: "estimated" | "theoretical" = "estimated",
  ): BoundRow => ({
    quantity,
    delta: parts.delta,
    value,
    standardError: status === "theoretical" ? error || null : error,
    status,
    note,
  });
  const { representativeness, robustness, labelTerm, labelConstancy, vectorRobustness, approximation, residual } =
    parts;
  return [
    known
      ? row("representativeness", representativeness, "E(f) less the risk under interpolated features and their labels")
      : row(
          "representativeness + label term",
          representativeness,
          "E(f) less the risk under interpolated features, labels kept",
        ),
    row("feature robustness", robustness, "E_F at constant labels, by matrices rO"),
    ...(labelTerm ? [row("label term", labelTerm, "what constant labels leave out")] : []),
    row("sum", parts.sum, "of these parts, to be compared with the gap"),
    row(
      "sum − gap",
      residual,
      known ? "0 by equation 5, but for the noise of two seeds" : "0 as an identity, but for the noise of two seeds",
    ),
    row("feature robustness by vectors", vectorRobustness, "the same E_F by vectors ξ (Proposition 2)"),
    ...(labelConstancy ? [row("label constancy", labelConstancy, "0 where labels are locally constant")] : []),
    ...(approximation
      ? [row("κ’s approximation of E_F", approximation, "δ²E[s²]κ/2m, exact for small δ", "theoretical")]
      : []),
  ];
}
