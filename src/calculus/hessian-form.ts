import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { expand, matMul, mul, reshape, slice, sqrt, reduceSum, square, swap } from "../graph/operators.ts";
import { count, Tensor } from "../graph/tensor.ts";
import type { Loss } from "../losses/loss.ts";
import type { Factor } from "./factor.ts";
import type { Chain, Jet } from "./jets.ts";
import { asPreactivation, featuresAt, featureWidth, positionsFirst } from "./positions.ts";
import { pushForward } from "./taylor.ts";

// Quadratic forms of a layer's Hessian by a forward sweep of second order: Σ over directions V of ⟨V, H[V]⟩, where z' = V φ at every
// position. With V = f_r e_jᵀ for the columns f_r of a factor F Fᵀ = W Wᵀ and all features j that is relative flatness, with F = I
// the trace. Where nothing above mixes positions, the features' length stands for all of them: z'_t = f_r ‖φ_t‖.

/** The form of one run's directions, and the Gauss-Newton part of it, [B] each. */
export interface HessianForm {
  readonly hessian: ValueId;
  readonly gaussNewton: ValueId;
}

export interface Scored {
  readonly loss: Loss;
  readonly scores: ValueId;
  readonly labels: ValueId;
}

/** Inner products of a layer's features at all pairs of positions, [B, G, T, T]. */
export function positionProducts(b: Builder, layer: Layer): ValueId {
  const features = featuresAt(b, layer);
  return matMul(b, swap(b, features), features);
}

/** The features that a sweep's directions go through one by one. */
export interface SelectedFeatures {
  /** The feature of each direction as a row with a one, [R, width]. */
  readonly selectors: ValueId;
  /** [B, G, width, T]: the features, or a factor of their inner products. */
  readonly rows: ValueId;
}

/**
 * Along given directions.
 *
 * @param directions [R, d], each within one group
 * @param selected absent where lengths stand for all features
 */
export function alongDirections(
  b: Builder,
  layer: Layer,
  scored: Scored,
  directions: ValueId,
  selected: SelectedFeatures | undefined,
): HessianForm {
  const { d, groups } = layer;
  const [count] = b.dims(directions) as [number];
  if (!selected && layer.uses.every(positionsFirst)) return alongLengths(b, layer, scored, directions);
  const chosen = selected ? chosenFeatures(b, count, selected) : lengthsOfAll(b, layer);
  if (groups === 1 && layer.uses.every(positionsFirst)) {
    // Where z has its rows last they are written there at once: [R, B, T, d].
    const [first, batch, , , positions] = b.dims(chosen) as [number, number, number, number, number];
    const column = reshape(b, chosen, [first, batch, positions, 1]);
    return formOf(b, layer, scored, mul(b, column, reshape(b, directions, [count, 1, 1, d])), 2);
  }
  return formOf(b, layer, scored, mul(b, reshape(b, directions, [count, 1, groups, d / groups, 1]), chosen), 4);
}

/** z'_t = f_r ‖φ_t‖ as a chain: the R directions stay as small as they are until something other than an elementwise function reads them. */
function alongLengths(b: Builder, layer: Layer, scored: Scored, directions: ValueId): HessianForm {
  const [total] = b.dims(directions) as [number];
  const lengths = lengthsAt(b, layer);
  const seeds = new Map<ValueId, Chain>();
  eachUse(b, layer, (use, begin, positions) => {
    const [batch = 1, ...own] = b.dims(use.preactivation);
    const ones = own.slice(0, -1).map(() => 1);
    seeds.set(use.preactivation, {
      root: { first: reshape(b, directions, [total, 1, ...ones, layer.d]) },
      c1: reshape(b, between(b, lengths, 3, begin, positions), [batch, ...own.slice(0, -1), 1]),
    });
  });
  return sweep(b, layer, scored, seeds);
}

/** The feature of each direction, [R, B, G, 1, T]. */
function chosenFeatures(b: Builder, count: number, { selectors, rows }: SelectedFeatures): ValueId {
  return matMul(b, reshape(b, selectors, [count, 1, 1, 1, b.dims(selectors)[1] as number]), rows);
}

/** ‖φ_t‖ for all directions alike, [1, B, 1, 1, T]. */
function lengthsOfAll(b: Builder, layer: Layer): ValueId {
  const lengths = lengthsAt(b, layer);
  return reshape(b, lengths, [1, ...b.dims(lengths)]);
}

/** The random signs of the estimate: what one probe draws for a sample. */
export interface ProbeSigns {
  /** [K, B, G · r]. */
  readonly rows: ValueId;
  /** [K, B, m] for each group, [K, B, G · m]; absent where lengths stand for all features. */
  readonly features: ValueId | undefined;
}

/**
 * Estimate: V = F · D A D' with A one fixed matrix of ±1 and D, D' Rademacher diagonals of each sample's own, so that E⟨V, H[V]⟩ is the
 * form. The sum over the K probes; divide by K.
 *
 * @param factor F of each group, [G, d/G, r]
 */
export function alongProbes(
  b: Builder,
  layer: Layer,
  scored: Scored,
  factor: ValueId,
  mixing: ValueId,
  signs: ProbeSigns,
): HessianForm {
  const { groups } = layer;
  const [probes, batch] = b.dims(signs.rows) as [number, number];
  const rank = b.dims(factor)[2] as number;
  const rows = reshape(b, signs.rows, [probes, batch, groups, rank, 1]);
  let moved: ValueId;
  if (signs.features === undefined) {
    moved = mul(b, matMul(b, factor, rows), lengthsOfAll(b, layer));
  } else {
    const turned = mul(
      b,
      featuresAt(b, layer),
      reshape(b, signs.features, [probes, batch, groups, featureWidth(layer), 1]),
    );
    moved = matMul(b, factor, mul(b, matMul(b, mixing, turned), rows));
  }
  return formOf(b, layer, scored, moved, 4);
}

/** ‖φ_t‖ of each position, [B, 1, 1, T]. */
function lengthsAt(b: Builder, layer: Layer): ValueId {
  return sqrt(b, reduceSum(b, square(b, featuresAt(b, layer)), [2], true));
}

/**
 * The sweep from z' of all uses to the loss.
 *
 * @param moved [R, B, G, d/G, T], or [R, B, T, d]
 * @param axis of the positions
 */
function formOf(b: Builder, layer: Layer, scored: Scored, moved: ValueId, axis: 2 | 4): HessianForm {
  const seeds = new Map<ValueId, Jet>();
  eachUse(b, layer, (use, begin, positions) => {
    const dims = b.dims(use.preactivation);
    const own = between(b, moved, axis, begin, positions);
    const [total, , ...rest] = b.dims(own) as [number, number, ...number[]];
    const whole = expand(b, own, [total, dims[0] as number, ...rest]);
    const rows = () => reshape(b, whole, [total, dims[0] as number, layer.d, positions]);
    const first = axis === 2 ? reshape(b, whole, [total, ...dims]) : asPreactivation(b, use, rows());
    seeds.set(use.preactivation, { first });
  });
  return sweep(b, layer, scored, seeds);
}

/** Every use of a layer, with where its positions begin among those of all and how many they are. */
function eachUse(b: Builder, layer: Layer, visit: (use: Use, begin: number, positions: number) => void): void {
  let begin = 0;
  for (const use of layer.uses) {
    const positions = count(b.dims(use.preactivation).slice(1)) / layer.d;
    visit(use, begin, positions);
    begin += positions;
  }
}

function between(b: Builder, value: ValueId, axis: number, begin: number, length: number): ValueId {
  return b.dims(value)[axis] === length ? value : slice(b, value, [axis], [begin], [begin + length]);
}

function sweep(
  b: Builder,
  layer: Layer,
  { loss, scores, labels }: Scored,
  seeds: ReadonlyMap<ValueId, Jet | Chain>,
): HessianForm {
  const jet = pushForward(b, seeds, [scores], 2).get(scores);
  if (!jet) throw new TypeError(`layer ${layer.name}: the outputs do not depend on it`);
  return loss.secondOrder(b, scores, labels, jet);
}

/**
 * The columns of a factor as directions in all of R^d, each within its group: [rank · G, d], row-major. Columns of zeros are left out,
 * but for one where there are no others.
 */
export function directionsOf({ rows, columns, values }: Factor, groups: number): Float32Array[] {
  const size = rows / groups;
  const directions: Float32Array[] = [];
  for (let group = 0; group < groups; group++) {
    for (let column = 0; column < columns; column++) {
      const direction = new Float32Array(rows);
      for (let row = 0; row < size; row++) {
        direction[group * size + row] = values[(group * size + row) * columns + column] as number;
      }
      if (direction.some((value) => value !== 0)) directions.push(direction);
    }
  }
  return directions.length > 0 ? directions : [new Float32Array(rows)];
}

/** A fixed matrix of ±1 from a stream of signs, [r, m]. */
export function mixingMatrix(b: Builder, rank: number, m: number, fill: (target: Float32Array) => void): ValueId {
  const values = new Float32Array(rank * m);
  fill(values);
  return b.constant(Tensor.float32([rank, m], values));
}
