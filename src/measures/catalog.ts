import { UsageError } from "../errors.ts";
import { hessianTrace } from "./hessian-trace.ts";
import { maxEigenvalue } from "./max-eigenvalue.ts";
import type { Measure } from "./measure.ts";
import { normTrace, normTraceUnsquared } from "./norm-trace.ts";
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
  maxEigenvalue,
  relativeFlatnessMaxEigenvalue,
  spectralDensity,
];

/** What is measured unless the user names something else. */
export const defaultMeasures: readonly string[] = [relativeFlatness.name, hessianTrace.name, squaredWeightNorm.name];

/** @throws UsageError naming the measures that there are */
export function measuresNamed(names: "all" | readonly string[]): Measure[] {
  if (names === "all") return [...measures];
  return names.map((name) => {
    const measure = measures.find((candidate) => candidate.name === name);
    if (measure) return measure;
    throw new UsageError(
      `measure ${name}: no such measure; there are ${measures.map((known) => known.name).join(", ")}`,
    );
  });
}
