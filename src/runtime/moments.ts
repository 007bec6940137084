/**
 * Sums of one per-sample quantity in float64. Shards of a data set merge by adding; mean and standard error follow from the
 * sums.
 *
 * A sample's value x_i is a sum over its T_i loss terms, and the quantity is the ratio Σ x_i / Σ T_i; with one term a sample it is
 * the plain mean. Squares are summed about the first value seen, so that a large mean does not swallow a small spread.
 */
export class Moments {
  n = 0;
  #originX = 0;
  #originT = 0;
  #x = 0;
  #t = 0;
  #xx = 0;
  #xt = 0;
  #tt = 0;

  add(value: number, terms = 1): void {
    if (this.n === 0) {
      this.#originX = value;
      this.#originT = terms;
    }
    const x = value - this.#originX;
    const t = terms - this.#originT;
    this.n += 1;
    this.#x += x;
    this.#t += t;
    this.#xx += x * x;
    this.#xt += x * t;
    this.#tt += t * t;
  }

  merge(other: Moments): void {
    if (other.n === 0) return;
    if (this.n === 0) [this.#originX, this.#originT] = [other.#originX, other.#originT];
    const [dx, dt] = [other.#originX - this.#originX, other.#originT - this.#originT];
    this.#xx += other.#xx + 2 * dx * other.#x + other.n * dx * dx;
    this.#xt += other.#xt + dx * other.#t + dt * other.#x + other.n * dx * dt;
    this.#tt += other.#tt + 2 * dt * other.#t + other.n * dt * dt;
    this.#x += other.#x + other.n * dx;
    this.#t += other.#t + other.n * dt;
    this.n += other.n;
  }

  /** Mean number of terms of a sample. */
  get meanTerms(): number {
    return this.#originT + this.#t / this.n;
  }

  /** Σ x_i / Σ T_i. NaN without samples or terms. */
  get mean(): number {
    if (this.n === 0) return Number.NaN;
    return (this.#originX + this.#x / this.n) / this.meanTerms;
  }

  /** Unbiased variance of one sample's share x_i / mean T about the ratio. NaN for fewer than two samples. */
  get variance(): number {
    if (this.n < 2) return Number.NaN;
    const [sxx, sxt, stt] = [
      this.#xx - (this.#x * this.#x) / this.n,
      this.#xt - (this.#x * this.#t) / this.n,
      this.#tt - (this.#t * this.#t) / this.n,
    ];
    const ratio = this.mean;
    return Math.max(0, (sxx - 2 * ratio * sxt + ratio * ratio * stt) / (this.n - 1)) / this.meanTerms ** 2;
  }

  /** Standard error of the ratio. NaN for fewer than two samples. */
  get standardError(): number {
    return Math.sqrt(this.variance / this.n);
  }
}
