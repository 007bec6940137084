import { UsageError } from "../errors.ts";
import { accuracy } from "./accuracy.ts";
import { fisherRaoClosedForm } from "./fisher-rao-closed-form.ts";
import { fisherRaoNorm } from "./fisher-rao-norm.ts";
import { generalizationGap } from "./generalization-gap.ts";
import { gradientNorm } from "./gradient-norm.ts";
import { hessianTrace } from "./hessian-trace.ts";
import { loss } from "./loss.ts";
import { maxEigenvalue } from "./max-eigenvalue.ts";
import type { Measure } from "./measure.ts";
import { normTrace, normTraceUnsquared } from "./norm-trace.ts";
import { pacBayesBound } from "./pac-bayes-bound.ts";
import { pacBayesFlatness } from "./pac-bayes-flatness.ts";
import { relativeFlatness } from "./relative-flatness.ts";
import { relativeFlatnessMaxEigenvalue } from "./relative-flatness-max-eigenvalue.ts";
import { spectralDensity } from "./spectral-density.ts";
import { squaredWeightNorm } from "./squared-weight-norm.ts";

export const measures: readonly Measure[] = [
  relativeFlatness,
  hessianTrace,
  squaredWeightNorm,
  normTrace,
  normTraceUnsquared,
  gradientNorm,
  loss,
  accuracy,
  generalizationGap,
  fisherRaoNorm,
  fisherRaoClosedForm,
  maxEigenvalue,
  relativeFlatnessMaxEigenvalue,
  spectralDensity,
  pacBayesFlatness,
  pacBayesBound,
];

/** What is measured unless the user names something else. */
export const defaultMeasures: readonly string[] = [relativeFlatness.name, hessianTrace.name, squaredWeightNorm.name];

/**
 * The measures that names stand for: `all` are those that a few passes over the data give together, the others are asked for by name,
 * after `all` too.
 *
 * @throws UsageError naming the measures that there are
 */
export function measuresNamed(names: "all" | readonly string[]): Measure[] {
  const listed = names === "all" ? ["all"] : names;
  const asked = new Set<Measure>();
  for (const name of listed) {
    if (name === "all") for (const measure of measures) if (measure.cost !== "many passes") asked.add(measure);
    const measure = measures.find((candidate) => candidate.name === name);
    if (measure) asked.add(measure);
    else if (name !== "all") {
      const known = measures.map((candidate) => candidate.name).join(", ");
      throw new UsageError(`measure ${name}: no such measure; there are ${known}`);
    }
  }
  return [...asked];
}
