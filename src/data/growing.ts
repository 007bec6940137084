type Numbers = Float32Array | Float64Array | Int32Array;

const firstBlock = 2 ** 12;
const longestBlock = 2 ** 20;

/** A typed array whose length is not known beforehand: kept in blocks, so that it is copied once, when it is finished. */
export class Growing<T extends Numbers> {
  readonly #make: new (length: number) => T;
  readonly #full: T[] = [];
  #block: T;
  #used = 0;
  /** Elements so far. */
  length = 0;

  constructor(make: new (length: number) => T) {
    this.#make = make;
    this.#block = new make(firstBlock);
  }

  push(value: number): void {
    if (this.#used === this.#block.length) {
      this.#full.push(this.#block);
      this.#block = new this.#make(Math.min(longestBlock, 2 * this.#block.length));
      this.#used = 0;
    }
    this.#block[this.#used++] = value;
    this.length++;
  }

  /** All of them in one array; nothing can be pushed any more. */
  finish(): T {
    const whole = new this.#make(this.length);
    let at = 0;
    for (let block = this.#full.shift(); block; block = this.#full.shift()) {
      whole.set(block, at);
      at += block.length;
    }
    whole.set(this.#block.subarray(0, this.#used) as T, at);
    return whole;
  }
}
