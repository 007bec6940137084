/** The setting of each sample on each axis of a grid: `{ optimizer: ["sgd", "adam", …], batch: ["16", "16", …] }`. */
export type Settings = Readonly<Record<string, readonly string[]>>;

/** Samples that agree on all axes but one: a line through the grid along that axis. */
export interface GridLine {
  readonly axis: string;
  /** What the samples have in common: `batch=16 seed=3`. */
  readonly others: string;
  /** The samples at each value of the axis. */
  readonly at: ReadonlyMap<string, readonly number[]>;
}

/** Every line along an axis that has samples at two values or more. */
export function gridLines(settings: Settings, axis: string, n: number): GridLine[] {
  const axes = Object.keys(settings).filter((name) => name !== axis);
  const lines = new Map<string, Map<string, number[]>>();
  for (let sample = 0; sample < n; sample++) {
    const others = axes.map((name) => `${name}=${settings[name]![sample]}`).join(" ");
    const line = lines.get(others) ?? new Map<string, number[]>();
    lines.set(others, line);
    const value = settings[axis]![sample]!;
    line.set(value, [...(line.get(value) ?? []), sample]);
  }
  return [...lines].filter(([, at]) => at.size > 1).map(([others, at]) => ({ axis, others, at }));
}
