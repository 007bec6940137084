import { Moments } from "../runtime/moments.ts";

/** A mean over samples and draws, and the parts of its standard error. */
export interface Average {
  readonly mean: number;
  /** Over draws; null for fewer than two. */
  readonly drawError: number | null;
  /** Over samples, the draws given; null for a single sample. */
  readonly dataError: number | null;
}

/** Collects one quantity of samples under several draws. */
export interface Collector {
  /** Values [n] of the samples from `start` on, sums over their loss terms, under one draw; each draw may come in parts. */
  add(draw: number, start: number, values: ArrayLike<number>, terms: Float64Array, share: number): void;
  average(): Average;
}

/** Of one draw: memory does not grow with the samples. */
export class OneDraw implements Collector {
  readonly #moments = new Moments();

  add(_draw: number, _start: number, values: ArrayLike<number>, terms: Float64Array): void {
    for (let index = 0; index < values.length; index++) this.#moments.add(values[index]!, terms[index]!);
  }

  average(): Average {
    return { mean: this.#moments.mean, drawError: null, dataError: finite(this.#moments.standardError) };
  }
}

/** Of several draws that all samples share, as random matrices are: the mean of a draw over the samples is one observation. */
export class SharedDraws implements Collector {
  readonly #draws: Float64Array;
  readonly #samples: Float64Array;
  readonly #terms: Float64Array;

  constructor(draws: number, samples: number) {
    this.#draws = new Float64Array(draws);
    this.#samples = new Float64Array(samples);
    this.#terms = new Float64Array(samples);
  }

  /** @param share of the draw that these values are: ½ for each of a pair ±A */
  add(draw: number, start: number, values: ArrayLike<number>, terms: Float64Array, share: number): void {
    let sum = 0;
    for (let index = 0; index < values.length; index++) {
      sum += values[index]!;
      this.#samples[start + index]! += (share * values[index]!) / this.#draws.length;
      this.#terms[start + index] = terms[index]!;
    }
    this.#draws[draw]! += share * sum;
  }

  average(): Average {
    const total = this.#terms.reduce((sum, value) => sum + value, 0);
    const draws = new Moments();
    for (const sum of this.#draws) draws.add(sum / total);
    const samples = new Moments();
    this.#samples.forEach((value, index) => samples.add(value, this.#terms[index]!));
    return { mean: draws.mean, drawError: finite(draws.standardError), dataError: finite(samples.standardError) };
  }
}

/** Of several draws that each sample has for itself, as vectors ξ_i are. */
export class OwnDraws {
  #variance = 0;
  readonly #samples = new Moments();

  /** A sample's mean over its draws, the variance of that mean, and how many terms it has. */
  add(mean: number, variance: number, terms: number): void {
    this.#samples.add(mean, terms);
    this.#variance += variance;
  }

  average(): Average {
    const total = this.#samples.n * this.#samples.meanTerms;
    return {
      mean: this.#samples.mean,
      drawError: finite(Math.sqrt(this.#variance) / total),
      dataError: finite(this.#samples.standardError),
    };
  }
}

/** What JSON cannot hold is null. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
