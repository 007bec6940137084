import { ranks } from "./ranks.ts";

/** A number between −1 and 1 that says how two lists of the same length go together; NaN where one of them is constant. */
export type Correlation = (x: ArrayLike<number>, y: ArrayLike<number>) => number;

/**
 * Pearson's r = Σ(x−x̄)(y−ȳ) / √(Σ(x−x̄)² Σ(y−ȳ)²): how near the points lie to a line. Not robust: one point far out can
 * carry it, and it changes when an axis is made logarithmic.
 */
export const pearson: Correlation = (x, y) => {
  const [mx, my] = [mean(x), mean(y)];
  let [sxy, sxx, syy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i]! - mx, y[i]! - my];
    sxy += dx * dy;
    sxx += dx * dx;
    syy += dy * dy;
  }
  // What is left of a constant list is the rounding of its mean.
  if (sxx <= (x.length * Number.EPSILON * mx) ** 2 || syy <= (x.length * Number.EPSILON * my) ** 2) return Number.NaN;
  return Math.max(-1, Math.min(1, sxy / Math.sqrt(sxx) / Math.sqrt(syy)));
};

/** Spearman's ρ: Pearson's r of the ranks, ties sharing their mean rank. Unchanged by any increasing function of either. */
export const spearman: Correlation = (x, y) => pearson(ranks(x), ranks(y));

/**
 * Kendall's τ_b = (C − D) / √((N − T_x)(N − T_y)), over N = n(n−1)/2 pairs: C concordant, D discordant, T_x and T_y tied in x
 * and in y (Kendall 1945). Cost n²: below some thousand samples quicker than sorting.
 */
export const kendall: Correlation = (x, y) => {
  let [difference, untiedX, untiedY] = [0, 0, 0];
  for (let i = 1; i < x.length; i++) {
    const [xi, yi] = [x[i]!, y[i]!];
    for (let j = 0; j < i; j++) {
      const dx = Number(xi > x[j]!) - Number(xi < x[j]!);
      const dy = Number(yi > y[j]!) - Number(yi < y[j]!);
      difference += dx * dy;
      untiedX += dx * dx;
      untiedY += dy * dy;
    }
  }
  // The root of the product, and not of each: a perfect order is 1 to the last digit.
  return untiedX === 0 || untiedY === 0 ? Number.NaN : difference / Math.sqrt(untiedX * untiedY);
};

export const correlations: Readonly<Record<"pearson" | "spearman" | "kendall", Correlation>> = {
  pearson,
  spearman,
  kendall,
};

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}
