import { kendall, mean } from "./correlation.ts";
import { gridLines, type Settings } from "./settings-grid.ts";

export interface GranulatedKendall {
  /** ψ_i of each axis; NaN where no two samples differ in it alone. */
  readonly axes: Readonly<Record<string, number>>;
  /** Ψ, the mean of the axes' that have a value. */
  readonly mean: number;
}

/**
 * Granulated Kendall coefficient Ψ (Jiang et al. 2020, section 4): ψ_i is the mean, over all lines of the grid along axis i, of
 * Kendall's τ between measure and gap of the samples on the line; Ψ is the mean of the axes. A measure that follows one axis alone,
 * and so correlates over the whole, has a small Ψ. Seeds are an axis here as in the paper: leave them out of `settings` to
 * let samples that differ in the seed too stand on one line.
 */
export function granulatedKendall(x: ArrayLike<number>, y: ArrayLike<number>, settings: Settings): GranulatedKendall {
  const axes: Record<string, number> = {};
  for (const axis of Object.keys(settings)) {
    const values = gridLines(settings, axis, x.length)
      .map(({ at }) => {
        const samples = [...at.values()].flat();
        return kendall(
          samples.map((sample) => x[sample]!),
          samples.map((sample) => y[sample]!),
        );
      })
      .filter((value) => !Number.isNaN(value));
    axes[axis] = mean(values);
  }
  return { axes, mean: mean(Object.values(axes).filter((value) => !Number.isNaN(value))) };
}
