import type { QuantityKey } from "./pass.ts";

/** Share of the second draws that samples with a large random part have. */
const HEAVY = 0.5;
/**
 * Quantities with a random part: one draw of every sample and, of some, a second one, independent of the first. Their
 * difference tells how large the random part is, and their mean has less of it.
 *
 * Where it is known beforehand which samples have the largest random part (`spread`), half of the second draws are theirs, which
 * leaves little to be guessed from the other half, spread evenly over the rest.
 */
export class Draws {
  readonly #n: number;
  readonly #pairs: number;
  readonly #first = new Map<QuantityKey, Float64Array>();
  readonly #second = new Map<QuantityKey, Float64Array>();
  #spread: Float64Array | undefined;
  #twice: Int32Array | undefined;
  /** How many of those drawn twice were taken for their large random part. */
  #heavy = 0;

  /** @param pairs about so many samples are drawn twice */
  constructor(keys: Iterable<QuantityKey>, n: number, pairs: number) {
    this.#n = n;
    this.#pairs = Math.min(n, Math.max(2, pairs));
    for (const key of keys) {
      this.#first.set(key, new Float64Array(n));
      this.#second.set(key, new Float64Array(this.#pairs));
    }
  }

  /** The first draw of `count` samples from `start` on. @param spread predicted size of their random part */
  add(values: ReadonlyMap<QuantityKey, Float64Array>, start: number, count: number, spread?: Float64Array): void {
    for (const [key, all] of this.#first) all.set((values.get(key) as Float64Array).subarray(0, count), start);
    if (spread) (this.#spread ??= new Float64Array(this.#n)).set(spread.subarray(0, count), start);
  }

  /** Places, ascending, of the samples that are to be drawn again. */
  get twice(): Int32Array {
    return (this.#twice ??= this.#choose());
  }

  /** The second draw of `count` of them, from the `start`th on. */
  addAgain(values: ReadonlyMap<QuantityKey, Float64Array>, start: number, count: number): void {
    for (const [key, all] of this.#second) all.set((values.get(key) as Float64Array).subarray(0, count), start);
  }

  /** Every sample's value, and the mean over samples of the variance that its random part has left. */
  estimate(key: QuantityKey): { values: Float64Array; variance: number } {
    const values = (this.#first.get(key) as Float64Array).slice();
    const second = this.#second.get(key) as Float64Array;
    const heavy = this.#heaviest();
    // A few samples with a large random part may make all of it: what the first draw has of it stays in the value then, so that a
    // value that is far off has a large difference beside it, and its error bar is as wide.
    const averaged = this.#spread === undefined;
    let [left, light, lightPairs] = [0, 0, 0];
    this.twice.forEach((place, pair) => {
      const [one, other] = [values[place] as number, second[pair] as number];
      if (averaged) values[place] = Math.fround((one + other) / 2);
      const variance = (one - other) ** 2 / 2;
      left += averaged ? variance / 2 : variance;
      if (heavy.has(place)) return;
      light += variance;
      lightPairs += 1;
    });
    const once = this.#n - this.twice.length;
    if (once > 0) left += once * (light / lightPairs);
    return { values, variance: left / this.#n };
  }

  #choose(): Int32Array {
    if (this.#pairs === this.#n) return Int32Array.from({ length: this.#n }, (_, place) => place);
    this.#heavy = this.#spread ? Math.floor(HEAVY * this.#pairs) : 0;
    const heavy = this.#heaviest();
    const others = Array.from({ length: this.#n }, (_, place) => place).filter((place) => !heavy.has(place));
    const light = this.#pairs - this.#heavy;
    const even = Array.from(
      { length: light },
      (_, pair) => others[Math.floor((pair * others.length) / light)] as number,
    );
    return Int32Array.from([...heavy, ...even]).sort();
  }

  #heaviest(): ReadonlySet<number> {
    if (this.#heavy === 0) return new Set();
    const spread = this.#spread as Float64Array;
    const order = Int32Array.from(spread, (_, place) => place);
    order.sort((one, other) => (spread[other] as number) - (spread[one] as number) || one - other);
    return new Set(order.subarray(0, this.#heavy));
  }
}
