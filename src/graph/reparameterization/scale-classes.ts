/** The scale of what is zero: it is itself at every scale, and binds none. */
export const ANY = -1;
/** The scale that is 1. */
export const ONE = 0;

/**
 * Which scales must be equal, and which must be 1. A scale is a number; scales that were joined are a class, and one of a
 * class that was fixed is 1. Union-find, with the reasons kept for messages: who joined them, `node /Add (Add)` say.
 */
export class ScaleClasses {
  readonly #parents: number[] = [ONE];
  readonly #fixed = new Map<number, string>([[ONE, "it stays as it is"]]);
  readonly #links: { readonly left: number; readonly right: number; readonly who: string }[] = [];

  /** A new scale, bound to nothing. */
  fresh(): number {
    return this.#parents.push(this.#parents.length) - 1;
  }

  /** `count` new scales. */
  several(count: number): Int32Array {
    return Int32Array.from({ length: count }, () => this.fresh());
  }

  /** What stands for the class of a scale; ANY is its own. */
  find(scale: number): number {
    if (scale === ANY) return ANY;
    const parents = this.#parents;
    let at = scale;
    for (;;) {
      const parent = parents[at] as number;
      if (parent === at) return at;
      // Halves the way for those who come after.
      at = parents[at] = parents[parent] as number;
    }
  }

  /** Two scales are to be equal. */
  join(left: number, right: number, who: string): void {
    if (left === right || left === ANY || right === ANY) return;
    const [one, other] = [this.find(left), this.find(right)];
    if (one === other) return;
    if (one === ONE || other === ONE) return this.fix(Math.max(one, other), `${who} joins it with what is not scaled`);
    const [kept, gone] = one < other ? [one, other] : [other, one];
    this.#parents[gone] = kept;
    this.#links.push({ left, right, who });
    const why = this.#fixed.get(kept) ?? this.#fixed.get(gone);
    if (why !== undefined) this.#fixed.set(kept, why);
  }

  /** A scale is to be 1. @param why a clause, of which the first is kept: `node /Tanh (Tanh) is not positively homogeneous` */
  fix(scale: number, why: string): void {
    if (scale === ANY) return;
    const root = this.find(scale);
    if (!this.#fixed.has(root)) this.#fixed.set(root, why);
  }

  /** Whether nothing is scaled: the scale is 1, or is that of a zero. */
  isFixed(scale: number): boolean {
    return scale === ANY || this.#fixed.has(this.find(scale));
  }

  /** Why a scale is 1; undefined where it is free. */
  whyFixed(scale: number): string | undefined {
    return this.#fixed.get(this.find(scale));
  }

  /** Who made two scales equal: the first on the way from one to the other. */
  whoJoined(from: number, to: number): string | undefined {
    const neighbours = new Map<number, { scale: number; who: string }[]>();
    for (const { left, right, who } of this.#links) {
      neighbours.set(left, [...(neighbours.get(left) ?? []), { scale: right, who }]);
      neighbours.set(right, [...(neighbours.get(right) ?? []), { scale: left, who }]);
    }
    const reached = new Map<number, string | undefined>([[from, undefined]]);
    for (const [scale, first] of reached) {
      if (scale === to) return first;
      for (const next of neighbours.get(scale) ?? []) {
        if (!reached.has(next.scale)) reached.set(next.scale, first ?? next.who);
      }
    }
    return undefined;
  }
}
