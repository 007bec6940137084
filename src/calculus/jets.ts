import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { add, expand, mul, reduceSum, reshape, scale, square } from "../graph/operators.ts";

/**
 * Taylor coefficients of a value along R directions: x + ε x'_r + ε²/2 x''_r, with the second order collapsed to the one
 * coefficient that a sum over the directions needs.
 */
export interface Jet {
  /** x'_r, [R, …dims of the value]. */
  readonly first: ValueId;
  /** Σ_r x''_r, dims of the value; undefined stands for zero. */
  readonly second?: ValueId;
}

/**
 * The jet of an elementwise function of a root, y = f(x): y' = c1 x', y'' = c1 x'' + c2 Σ_r x'_r². A chain of elementwise operators
 * is carried as two coefficients of the value's own size; only what reads it otherwise makes the R-sized product.
 */
export interface Chain {
  readonly root: Jet;
  /** f'(x), dims of the value; undefined stands for 1. */
  readonly c1?: ValueId;
  /** f''(x), dims of the value; undefined stands for 0. */
  readonly c2?: ValueId;
}

/** The jet of a chain, its products made. */
export function jetOf(b: Builder, { root, c1, c2 }: Chain): Jet {
  const first = c1 === undefined ? root.first : mul(b, root.first, c1);
  const through = root.second === undefined || c1 === undefined ? root.second : mul(b, root.second, c1);
  const bent = c2 === undefined ? undefined : mul(b, c2, sumOfSquares(b, root.first));
  return { first, second: sum(b, through, bent) };
}

/** y = f(x) for an elementwise f with derivatives at x. */
export function throughFunction(b: Builder, { root, c1, c2 }: Chain, slope: ValueId, bend: ValueId | undefined): Chain {
  const inner = c2 === undefined ? undefined : mul(b, slope, c2);
  const outer = bend === undefined ? undefined : c1 === undefined ? bend : mul(b, bend, square(b, c1));
  return { root, c1: c1 === undefined ? slope : mul(b, slope, c1), c2: sum(b, inner, outer) };
}

/** Σ_r x'_r², dims of the value. */
export function sumOfSquares(b: Builder, first: ValueId): ValueId {
  return b.add("ReduceSumSquare", [first, b.integers([0])], { keepdims: 0 });
}

/** The sum of what is there. */
export function sum(b: Builder, ...terms: (ValueId | undefined)[]): ValueId | undefined {
  const present = terms.filter((term) => term !== undefined);
  return present.length === 0 ? undefined : present.reduce((total, term) => add(b, total, term));
}

/** A first-order coefficient with axes of size 1 put behind the directions, so that values of `rank` axes broadcast. */
export function lifted(b: Builder, first: ValueId, rank: number): ValueId {
  const [directions = 1, ...own] = b.dims(first);
  const ones = Array.from({ length: rank - own.length }, () => 1);
  return reshape(b, first, [directions, ...ones, ...own]);
}

/**
 * A product of jets of different roots, elementwise or of matrices: y'' = u''v + u v'' + 2 Σ_r u'_r v'_r.
 *
 * @param rank of the result
 */
export function productJet(
  b: Builder,
  times: (u: ValueId, v: ValueId) => ValueId,
  rank: number,
  [u, jetU]: readonly [ValueId, Jet | undefined],
  [v, jetV]: readonly [ValueId, Jet | undefined],
): Jet {
  const firstU = jetU && lifted(b, jetU.first, rank);
  const firstV = jetV && lifted(b, jetV.first, rank);
  const first = sum(b, firstU && times(firstU, v), firstV && times(u, firstV)) as ValueId;
  const cross = firstU && firstV && scale(b, reduceSum(b, times(firstU, firstV), [0]), 2);
  const second = sum(b, jetU?.second && times(jetU.second, v), jetV?.second && times(u, jetV.second), cross);
  return { first, second };
}

/** A jet whose value is broadcast to larger dims. */
export function broadcastJet(b: Builder, jet: Jet, dims: readonly number[]): Jet {
  const [directions = 1] = b.dims(jet.first);
  return {
    first: expand(b, lifted(b, jet.first, dims.length), [directions, ...dims]),
    second: jet.second === undefined ? undefined : expand(b, jet.second, dims),
  };
}

export function sumOfJets(b: Builder, left: Jet, right: Jet): Jet {
  return { first: add(b, left.first, right.first), second: sum(b, left.second, right.second) };
}
