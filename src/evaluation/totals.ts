import { Moments } from "../runtime/moments.ts";
import type { Draws } from "./draws.ts";
import { COUNTED } from "./names.ts";
import type { QuantityKey } from "./pass.ts";

/** Where the numbers of all passes go. */
export class Totals {
  readonly #n: number;
  readonly #keep: boolean;
  /** Terms that count, of each sample; absent while all samples have the same number. */
  #counted: Float32Array | undefined;
  readonly moments = new Map<QuantityKey, Moments>();
  /** The variance that a quantity's random part has left, mean over samples. */
  readonly randomVariance = new Map<QuantityKey, number>();
  readonly perSample = new Map<QuantityKey, Float32Array>();

  constructor(n: number, keepSamples: boolean) {
    this.#n = n;
    this.#keep = keepSamples;
  }

  /** The values of one batch, whose first sample stands at `start`. */
  add(values: ReadonlyMap<QuantityKey, Float64Array>, start: number, n: number, terms: number): void {
    const counted = values.get(COUNTED);
    if (counted) {
      this.#counted ??= new Float32Array(this.#n).fill(terms);
      for (let index = 0; index < n; index++) this.#counted[start + index] = counted[index] as number;
    }
    for (const [key, list] of values) if (key !== COUNTED) this.#add(key, list, start, n, terms);
  }

  /** What was drawn at random, when all of it has been. */
  addDrawn(keys: Iterable<QuantityKey>, draws: Draws, terms: number): void {
    for (const key of keys) {
      const { values, variance } = draws.estimate(key);
      this.#add(key, values, 0, this.#n, terms);
      this.randomVariance.set(key, variance);
    }
  }

  #add(key: QuantityKey, list: Float64Array, start: number, n: number, terms: number): void {
    const sums = this.moments.get(key) ?? new Moments();
    this.moments.set(key, sums);
    for (let index = 0; index < n; index++) sums.add(list[index] as number, this.#counted?.[start + index] ?? terms);
    if (!this.#keep) return;
    const kept = this.perSample.get(key) ?? new Float32Array(this.#n);
    this.perSample.set(key, kept);
    for (let index = 0; index < n; index++) kept[start + index] = list[index] as number;
  }
}
