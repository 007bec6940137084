/**
 * Sums of one per-sample quantity in float64. Shards of a data set merge by adding; the mean and the standard error
 * follow from the sums.
 *
 * Squares are summed about the first value seen, so that a large mean does not swallow a small spread.
 */
export class Moments {
  n = 0;
  #origin = 0;
  #sum = 0;
  #squares = 0;

  add(value: number): void {
    if (this.n === 0) this.#origin = value;
    const centred = value - this.#origin;
    this.n += 1;
    this.#sum += centred;
    this.#squares += centred * centred;
  }

  merge(other: Moments): void {
    if (other.n === 0) return;
    if (this.n === 0) this.#origin = other.#origin;
    const shift = other.#origin - this.#origin;
    this.#squares += other.#squares + 2 * shift * other.#sum + other.n * shift * shift;
    this.#sum += other.#sum + other.n * shift;
    this.n += other.n;
  }

  get mean(): number {
    return this.n === 0 ? Number.NaN : this.#origin + this.#sum / this.n;
  }

  /** Unbiased variance of one sample. NaN for fewer than two. */
  get variance(): number {
    if (this.n < 2) return Number.NaN;
    return Math.max(0, (this.#squares - (this.#sum * this.#sum) / this.n) / (this.n - 1));
  }

  /** Standard error of the mean. NaN for fewer than two samples. */
  get standardError(): number {
    return Math.sqrt(this.variance / this.n);
  }
}
