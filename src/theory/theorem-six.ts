import { boundConstants, roundNormalConstants } from "./bound-constants.ts";
import type { Density } from "./density.ts";
import type { BoundRow } from "./result.ts";
import type { Flatness } from "./robustness-theory.ts";

export interface BoundTask {
  /** Training samples. */
  readonly n: number;
  readonly m: number;
  readonly sigma: number;
  /** 1 − Δ. */
  readonly probability: number;
  readonly largestLoss: number;
  readonly flatness: Flatness | undefined;
  /** The features' density, or why it cannot be had. */
  readonly density: Density | string;
  readonly seed: number;
}

/** δ = n^(−1/(4+m)), at which the two parts of Theorem 6 shrink alike. */
export function theoremDelta(n: number, m: number): number {
  return n ** (-1 / (4 + m));
}

/**
 * The terms of Theorem 6, E_gen ≲ n^(−2/(4+m)) (κ/2m + C1 + C2/√Δ) with probability 1 − Δ: theoretical quantities, no predictions.
 * Constants by {@link boundConstants} where the density of features is known or can be estimated.
 */
export async function theoremSixRows(task: BoundTask): Promise<BoundRow[]> {
  const { n, m, sigma, probability, largestLoss, flatness, density, seed } = task;
  const rate = n ** (-2 / (4 + m));
  const row = (quantity: string, value: number | null, error: number | null, note: string): BoundRow => ({
    quantity,
    delta: null,
    value,
    standardError: error,
    status: "theoretical",
    note,
  });
  const flat = flatness && { value: flatness.value / (2 * m), error: flatness.probeError / (2 * m) };
  const rows = [
    row("rate n^(−2/(4+m))", rate, null, `Theorem 6 at n = ${n}, m = ${m}`),
    row("κ/2m", flat?.value ?? null, flat?.error || null, flat ? "relative flatness’ share" : "κ cannot be had"),
  ];
  const spread = Math.sqrt(1 - probability);
  const normal = roundNormalConstants(m, sigma, largestLoss);
  const yardstick = [
    row("C1 of a round normal law", normal.c1, null, "for comparison: features of N(0, s²I), in closed form"),
    row("C2 of a round normal law", normal.c2, null, "for comparison: features of N(0, s²I), in closed form"),
  ];
  if (typeof density === "string") {
    const note = `constants cannot be estimated: ${density}`;
    return [...rows, row("C1", null, null, note), row("C2", null, null, note), ...yardstick];
  }
  const { c1, c2 } = await boundConstants(density, sigma, largestLoss, seed);
  const how =
    density.kind === "known"
      ? "for the known density"
      : "for a kernel density estimate of the features, whose own bumps are in it";
  const total = flat && rate * (flat.value + c1.value + c2.value / spread);
  const error = flat && rate * Math.hypot(flat.error, c1.standardError, c2.standardError / spread);
  return [
    ...rows,
    row("C1", c1.value, c1.standardError, `bias of the density estimate, ${how}`),
    row("C2", c2.value, c2.standardError, `its variance, ${how}`),
    row("bound", total ?? null, error ?? null, `with probability ${probability}, up to higher orders`),
    ...yardstick,
  ];
}
