/** The p-quantile of a sample, linear between order statistics (type 7 of Hyndman and Fan 1996: numpy's and R's default). */
export function quantile(values: ArrayLike<number>, p: number): number {
  return sortedQuantile(Float64Array.from(values).sort(), p);
}

/** As {@link quantile}, of values that stand in ascending order. */
export function sortedQuantile(sorted: ArrayLike<number>, p: number): number {
  const place = Math.max(0, Math.min(1, p)) * (sorted.length - 1);
  const below = Math.floor(place);
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return low + (place - below) * (high - low);
}

/** The p-quantile of a law on some values: the first in ascending order up to which the weights sum to p; they sum to 1 in all. */
export function weightedQuantile(sorted: ArrayLike<number>, weights: ArrayLike<number>, p: number): number {
  let sum = 0;
  for (let place = 0; place < sorted.length; place++) {
    sum += weights[place]!;
    // A sum of many shares may end a hair below what they are together.
    if (sum >= p * (1 - Number.EPSILON * sorted.length)) return sorted[place]!;
  }
  return sorted[sorted.length - 1]!;
}
