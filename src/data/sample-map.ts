import { count, type Dims, type TypedArray } from "../graph/tensor.ts";

/** An operation on every value, rounded to float32 as NumPy and PyTorch round it. */
interface Operation {
  readonly kind: "subtract" | "divide";
  readonly by: number;
}

/**
 * How a converted sample comes from a stored one: each element is a stored element after a chain of operations, or a
 * constant (padding). A step of the preprocessing makes a new map from the old one, before any data is read.
 */
export interface SampleMap {
  readonly dims: Dims;
  /** The stored element that each element comes from; -1 for a constant. */
  readonly from: Int32Array;
  /** The constants, 0 elsewhere. */
  readonly constant: Float32Array;
  /** The chain of operations of each element, a place in `chains`. */
  readonly chain: Int32Array;
  readonly chains: readonly (readonly Operation[])[];
}

/** The stored sample itself. */
export function identity(dims: Dims): SampleMap {
  const size = count(dims);
  const from = Int32Array.from({ length: size }, (_, element) => element);
  return {
    dims,
    from,
    constant: new Float32Array(size),
    chain: new Int32Array(size),
    chains: [[]],
  };
}

/** Elements in new places: `source(element)` is the old place of each new element, -1 for one that becomes `fill`. */
export function moved(map: SampleMap, dims: Dims, source: (element: number) => number, fill = 0): SampleMap {
  const places = Int32Array.from({ length: count(dims) }, (_, element) => source(element));
  return {
    dims,
    from: places.map((place) => (place < 0 ? -1 : map.from[place]!)),
    constant: Float32Array.from(places, (place) => (place < 0 ? fill : map.constant[place]!)),
    chain: places.map((place) => (place < 0 ? 0 : map.chain[place]!)),
    chains: map.chains,
  };
}

/** One more operation: one value for all elements, or one for each entry of the first axis (the channel). */
export function operated(map: SampleMap, kind: Operation["kind"], values: readonly number[]): SampleMap {
  const channelSize = map.from.length / values.length;
  const chains: Operation[][] = [];
  const known = new Map<number, number>();
  const chain = map.chain.map((old, element) => {
    const value = values.indexOf(values[Math.floor(element / channelSize)]!);
    const key = old * values.length + value;
    let id = known.get(key);
    if (id === undefined) {
      id = chains.push([...map.chains[old]!, { kind, by: Math.fround(values[value]!) }]) - 1;
      known.set(key, id);
    }
    return id;
  });
  const constant = map.constant.map((value, element) =>
    map.from[element]! < 0 ? operate(value, chains[chain[element]!]!.at(-1)!) : 0,
  );
  return { dims: map.dims, from: map.from, constant, chain, chains };
}

function operate(value: number, { kind, by }: Operation): number {
  return Math.fround(kind === "divide" ? value / by : value - by);
}

/** Where converted samples go: float32, or bytes where every value is one. */
export type SampleTarget = Float32Array | Uint8Array;

/** Writes the converted form of the stored sample that begins at `start` into `target` from `at` on. */
export type SampleWriter = (source: TypedArray, start: number, target: SampleTarget, at: number) => void;

/** Whether a sample of bytes stays one: nothing is computed, and what is put in are bytes. */
export function keepsBytes({ chain, chains, constant }: SampleMap): boolean {
  return (
    chains.every((operations, id) => operations.length === 0 || !chain.includes(id)) &&
    constant.every((value) => Number.isInteger(value) && value >= 0 && value <= 255)
  );
}

/** Elements evenly spaced in the target and in the source, with the same operations. */
interface Run {
  readonly to: number;
  readonly toStep: number;
  readonly from: number;
  readonly fromStep: number;
  readonly length: number;
  readonly chain: number;
}

/** The map as a fast loop over runs; bytes go through a table of their 256 converted values. */
export function compiled(map: SampleMap): SampleWriter {
  const runs = findRuns(map);
  const constant = map.from.includes(-1) ? map.constant : undefined;
  const byteValues = Float32Array.from({ length: 256 }, (_, byte) => byte);
  const tables = map.chains.map((chain) => byteValues.map((value) => chain.reduce(operate, value)));
  return (source, start, target, at) => {
    if (constant) target.set(constant, at);
    if (source instanceof Uint8Array) {
      for (const run of runs) lookUp(source, start, target, at, run, tables[run.chain]!);
    } else {
      for (const run of runs) convert(source, start, target, at, run, map.chains[run.chain]!);
    }
  };
}

function lookUp(
  source: Uint8Array,
  start: number,
  target: SampleTarget,
  at: number,
  { to, toStep, from, fromStep, length }: Run,
  table: Float32Array,
): void {
  for (let i = 0, place = at + to, stored = start + from; i < length; i++) {
    target[place] = table[source[stored]!]!;
    place += toStep;
    stored += fromStep;
  }
}

function convert(
  source: TypedArray,
  start: number,
  target: SampleTarget,
  at: number,
  { to, toStep, from, fromStep, length }: Run,
  chain: readonly Operation[],
): void {
  const first = at + to;
  const end = first + length * toStep;
  for (let place = first, stored = start + from; place < end; place += toStep, stored += fromStep) {
    target[place] = Number(source[stored]);
  }
  for (const { kind, by } of chain) {
    if (kind === "divide") for (let i = first; i < end; i += toStep) target[i] = target[i]! / by;
    else for (let i = first; i < end; i += toStep) target[i] = target[i]! - by;
  }
}

function findRuns({ from, chain, chains }: SampleMap): Run[] {
  const places = chains.map(() => [] as number[]);
  for (const [to, stored] of from.entries()) if (stored >= 0) places[chain[to]!]!.push(to);
  return places.flatMap((elements, id) => {
    const runs: Run[] = [];
    for (let first = 0; first < elements.length;) {
      const to = elements[first]!;
      const next = elements[first + 1] ?? to + 1;
      const toStep = next - to;
      const fromStep = next < from.length ? from[next]! - from[to]! : 1;
      let length = 1;
      while (
        elements[first + length] === to + length * toStep &&
        from[to + length * toStep] === from[to]! + length * fromStep
      ) {
        length++;
      }
      runs.push({ to, toStep, from: from[to]!, fromStep, length, chain: id });
      first += length;
    }
    return runs;
  });
}
