import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { add, pad, reduceSum, reshape, slice } from "../../graph/operators.ts";

// Maps along one axis that copy elements: position i of the output is position sources[i] of the input. Slices, pads that mirror
// and gathers at constant places are such maps; their transposes are made of strided pieces.

/** Outputs from, from + 1, … that read the input at begin, begin + step, … */
export interface Run {
  readonly from: number;
  readonly length: number;
  readonly begin: number;
  readonly step: number;
}

/** A map along an axis, cut where its step changes. */
export function runsOf(sources: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (let from = 0; from < sources.length;) {
    const begin = sources[from] as number;
    const step = (sources[from + 1] ?? begin) - begin;
    let length = 1;
    while (from + length < sources.length && sources[from + length] === begin + length * step) length++;
    runs.push({ from, length, begin, step });
    from += length;
  }
  return runs;
}

/** The transpose of a map along an axis: what the outputs hold is added up where they read it, zero elsewhere. */
export function transposedRuns(b: Builder, value: ValueId, axis: number, runs: readonly Run[], size: number): ValueId {
  const length = b.dims(value)[axis] as number;
  const parts = runs.map((run) => {
    const whole = run.from === 0 && run.length === length;
    const part = whole ? value : slice(b, value, [axis], [run.from], [run.from + run.length]);
    return spread(b, part, axis, run, size);
  });
  return parts.reduce((total, part) => add(b, total, part));
}

/** The transpose of a strided slice: element i goes to begin + i · step of an axis of `size` zeros. */
export function spread(
  b: Builder,
  value: ValueId,
  axis: number,
  { begin, step, length }: Omit<Run, "from">,
  size: number,
): ValueId {
  if (length > 1 && step === 0) {
    return spread(b, reduceSum(b, value, [axis], true), axis, { begin, step: 1, length: 1 }, size);
  }
  if (length > 1 && step < 0) {
    const last = begin + (length - 1) * step;
    return spread(b, flip(b, value, axis), axis, { begin: last, step: -step, length }, size);
  }
  const stride = length > 1 ? step : 1;
  const apart = stuffed(b, value, axis, stride);
  // Behind the last element stand stride − 1 zeros, for which there may be no room.
  return padAxis(b, apart, axis, begin, size - begin - length * stride);
}

/** Elements with stride − 1 zeros behind each. */
function stuffed(b: Builder, value: ValueId, axis: number, stride: number): ValueId {
  if (stride === 1) return value;
  const dims = b.dims(value);
  const single = reshape(b, value, dims.toSpliced(axis + 1, 0, 1));
  const together = dims.with(axis, (dims[axis] as number) * stride);
  return reshape(b, padAxis(b, single, axis + 1, 0, stride - 1), together);
}

function flip(b: Builder, value: ValueId, axis: number): ValueId {
  const size = b.dims(value)[axis] as number;
  return slice(b, value, [axis], [size - 1], [-size - 1], [-1]);
}

/** Zeros before and behind along one axis; negative widths cut. */
function padAxis(b: Builder, value: ValueId, axis: number, before: number, behind: number): ValueId {
  const none = b.dims(value).map(() => 0);
  return pad(b, value, [...none.with(axis, before), ...none.with(axis, behind)]);
}
