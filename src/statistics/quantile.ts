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
