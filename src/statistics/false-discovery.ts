/**
 * Benjamini and Hochberg's (1995) adjusted p values: q_(i) = min over j ≥ i of p_(j)·N/j, at most 1. Calling all with q ≤ α
 * significant makes at most a share α of false discoveries, for independent or positively dependent tests. NaN stays NaN and
 * does not count.
 */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  const known = [...pValues.keys()].filter((index) => !Number.isNaN(pValues[index]!));
  known.sort((a, b) => pValues[b]! - pValues[a]!);
  const adjusted = pValues.map(() => Number.NaN);
  let least = 1;
  for (const [place, index] of known.entries()) {
    least = Math.min(least, (pValues[index]! * known.length) / (known.length - place));
    adjusted[index] = least;
  }
  return adjusted;
}
