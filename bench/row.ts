/** One line of the benchmark: a measured number and, where there is one, the goal it is held against. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The largest value that is good. */
  readonly goal?: number;
  readonly holds?: boolean;
}

export function row(name: string, value: number, unit: string, goal?: number): Row {
  return { name, value, unit, ...(goal !== undefined && { goal, holds: value <= goal }) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
