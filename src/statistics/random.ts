import { mersenne } from "pure-rand/generator/mersenne";

/**
 * A stream of independent random bits, the same on every machine for the same seed and name. Streams of different names
 * are independent.
 */
export class RandomStream {
  readonly #generator: ReturnType<typeof mersenne>;
  #word = 0;
  #bits = 0;

  constructor(seed: number, name: string) {
    this.#generator = mersenne(mix(seed, name));
  }

  /** ±1 with equal probability. */
  sign(): number {
    if (this.#bits === 0) {
      this.#word = this.#generator.next();
      this.#bits = 32;
    }
    const bit = this.#word & 1;
    this.#word >>>= 1;
    this.#bits -= 1;
    return bit === 1 ? 1 : -1;
  }

  /** A whole number from 0 to n − 1, each as likely, for n up to 2^32. */
  below(n: number): number {
    // What does not fill a whole round of n is drawn again.
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const word = this.#generator.next() >>> 0;
      if (word < limit) return word % n;
    }
  }

  /** Uniform on the open interval from 0 to 1. */
  uniform(): number {
    return ((this.#generator.next() >>> 0) + 0.5) / 2 ** 32;
  }

  /** Of the standard normal distribution (Box and Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Fills a range of an array with Rademacher variables. */
  fillSigns(target: Float32Array, start: number, end: number): void {
    for (let index = start; index < end; index++) target[index] = this.sign();
  }
}

/** Two independent draws for each sample of a data set, the same whatever the batches. */
export class SampleStreams {
  readonly #seed: number;
  readonly #name: string;
  readonly #first: RandomStream;

  constructor(seed: number, name: string) {
    this.#seed = seed;
    this.#name = name;
    this.#first = new RandomStream(seed, name);
  }

  /** The next sample of the first draw; or the sample at `place` of the second, which few samples have. */
  next(place?: number): RandomStream {
    if (place === undefined) return this.#first;
    return new RandomStream(this.#seed, `${this.#name}, second draw, sample ${place}`);
  }
}

/** The same numbers in an order drawn from a seed (Fisher and Yates). */
export function shuffled(values: Int32Array, seed: number, name = "shuffle"): Int32Array {
  const stream = new RandomStream(seed, name);
  const result = values.slice();
  for (let index = result.length - 1; index > 0; index--) {
    const other = stream.below(index + 1);
    [result[index], result[other]] = [result[other] as number, result[index] as number];
  }
  return result;
}

/**
 * 32 bits that seed a generator: FNV-1a of a seed and a name, then MurmurHash3's finalizer. Without it, seeds that differ in a digit have
 * hashes that lie in a lattice, and the repetitions of a study with seeds 0 to 99 were no independent samples.
 */
function mix(seed: number, name: string): number {
  let hash = 0x811c9dc5;
  for (const character of `${seed}/${name}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
