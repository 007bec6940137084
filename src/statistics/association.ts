import type { Correlation } from "./correlation.ts";
import { bootstrapInterval, type Interval, permutationTest, type Resampling } from "./resampling.ts";

/** A correlation with what is known of its error. NaN where a list is constant or too short. */
export interface Association {
  readonly n: number;
  readonly value: number;
  /** Bootstrap interval. */
  readonly interval: Interval;
  /** Of a permutation test. */
  readonly pValue: number;
  /** Where the value lies when the two have nothing to do with each other. */
  readonly null: Interval;
}

/** A correlation of two lists with its bootstrap interval and permutation test. Cost: some 4 000 correlations. */
export function association(
  correlation: Correlation,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  options: Resampling = {},
): Association {
  const n = x.length;
  const [takenX, takenY] = [new Float64Array(n), new Float64Array(n)];
  const both = (indices: Int32Array) => {
    for (const [place, index] of indices.entries()) [takenX[place], takenY[place]] = [x[index]!, y[index]!];
    return correlation(takenX.subarray(0, indices.length), takenY.subarray(0, indices.length));
  };
  const fixed = Float64Array.from(x);
  const permuted = (order: Int32Array) => {
    for (const [place, index] of order.entries()) takenY[place] = y[index]!;
    return correlation(fixed, takenY);
  };
  const test = permutationTest(n, permuted, options);
  return {
    n,
    value: correlation(x, y),
    interval: bootstrapInterval(n, both, options),
    pValue: test.pValue,
    null: test.null,
  };
}

/** One group of a stratified correlation. */
export interface Stratum {
  readonly name: string;
  readonly n: number;
  readonly value: number;
}

export interface Stratification {
  readonly strata: readonly Stratum[];
  /** Mean of the strata's correlations, each weighted with its n; NaN where none has a value. */
  readonly within: number;
  /** Of a permutation test of that mean, each group's samples put in random orders among themselves. */
  readonly pValue: number;
  /** Strata whose sign is the other than the whole's. */
  readonly reversed: readonly string[];
  /** Whether the correlation within the strata has the other sign than that of the whole (Simpson's paradox). */
  readonly signDiffers: boolean;
}

/** Fewer samples have a correlation of ±1 or of little meaning. */
const SMALLEST_STRATUM = 4;

/**
 * A correlation group by group. Where the groups differ in x and y for a common reason (an optimiser, where training stopped), the
 * whole can have the other sign than every one of its parts.
 *
 * Cost: some 2 000 correlations of every group.
 *
 * @param groups the group of each sample; groups of fewer than 4 samples are listed with a value of NaN
 */
export function stratified(
  correlation: Correlation,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  groups: readonly string[],
  options: Resampling = {},
): Stratification {
  const members = new Map<string, number[]>();
  for (const [index, group] of groups.entries()) members.set(group, [...(members.get(group) ?? []), index]);
  const at = (values: ArrayLike<number>, indices: readonly number[]) => indices.map((index) => values[index]!);
  const strata = [...members].map(([name, indices]): Stratum => {
    const value = indices.length < SMALLEST_STRATUM ? Number.NaN : correlation(at(x, indices), at(y, indices));
    return { name, n: indices.length, value };
  });
  const known = strata.filter(({ value }) => !Number.isNaN(value));
  const weight = known.reduce((sum, { n }) => sum + n, 0);
  const within = known.reduce((sum, { n, value }) => sum + n * value, 0) / weight;
  const parts = known.map(({ name }) => {
    const indices = members.get(name)!;
    return { indices, x: Float64Array.from(at(x, indices)) };
  });
  // A random order of all samples puts those of each group in a random order of their own.
  const place = new Int32Array(groups.length);
  const permuted = (order: Int32Array) => {
    for (const [index, sample] of order.entries()) place[sample] = index;
    const sum = parts.reduce((total, part) => {
      const moved = part.indices.toSorted((one, other) => place[one]! - place[other]!);
      return total + moved.length * correlation(part.x, at(y, moved));
    }, 0);
    return sum / weight;
  };
  const whole = correlation(x, y);
  return {
    strata,
    within,
    pValue: parts.length === 0 ? Number.NaN : permutationTest(groups.length, permuted, options).pValue,
    reversed: known.filter(({ value }) => value * whole < 0).map(({ name }) => name),
    signDiffers: within * whole < 0,
  };
}

/** Groups of about the same size by the quantiles of a number, named by their range. Equal values stay together. */
export function quantileGroups(values: ArrayLike<number>, count: number): string[] {
  const sorted = Float64Array.from(values).sort();
  const starts = [
    ...new Set(Array.from({ length: count }, (_, k) => sorted[Math.floor((k * sorted.length) / count)]!)),
  ];
  const groupOf = (value: number) => starts.findLastIndex((start) => value >= start);
  const short = (value: number) => String(Number(value.toPrecision(3)));
  const spans = starts.map((_, group) => {
    const inside = sorted.filter((value) => groupOf(value) === group);
    return `${short(inside[0]!)} … ${short(inside.at(-1)!)}`;
  });
  return Array.from(values, (value) => `${groupOf(value) + 1}: ${spans[groupOf(value)]}`);
}
