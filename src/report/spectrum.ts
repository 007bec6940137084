import type { Result, ResultRow } from "../evaluation/result.ts";

/** A row with a spectral density. */
export type SpectrumRow = ResultRow & Required<Pick<ResultRow, "density">>;

export function spectraOf({ results }: Pick<Result, "results">): SpectrumRow[] {
  return results.filter((row): row is SpectrumRow => row.density !== undefined);
}

/** The mean eigenvalue, Tr(H) over the number of weights. */
export function meanEigenvalue({ density: { values, weights } }: SpectrumRow): number {
  return values.reduce((sum, value, place) => sum + value * weights[place]!, 0);
}
