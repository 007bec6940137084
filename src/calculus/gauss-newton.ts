import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import {
  matMul,
  mul,
  reduceSum,
  reshape,
  scale,
  squaredNorm,
  sumBeyond,
  sumOfSquares,
  swap,
} from "../graph/operators.ts";
import { Tensor } from "../graph/tensor.ts";
import { columnProducts } from "./column-products.ts";
import { gramOf } from "./factor.ts";
import { ruleOf } from "./rules/table.ts";
import { columnsAt, featuresAt, featureWidth } from "./positions.ts";
import { scaledFeatures } from "./scaled-features.ts";

/**
 * The Gauss-Newton matrix of one layer, per sample: with γ_ct the loss columns pulled back to z_t and
 * U_c = Σ_t γ_ct φ_tᵀ, quadratic forms Σ_c ‖Aᵀ U_c‖² for A = W (relative flatness) or A = I (trace).
 */
export interface GaussNewton {
  /** Σ_c ‖Wᵀ U_c‖_F², [B]. */
  weighted(): ValueId;
  /** Σ_c ‖U_c‖_F², [B]. */
  trace(): ValueId;
}

/**
 * @param pulled the loss's K columns pulled back to every pre-activation, [K, …its dims]
 */
export function gaussNewton(b: Builder, all: Layer, pulled: ReadonlyMap<ValueId, ValueId>): GaussNewton {
  // A use that the outputs do not depend on has no columns.
  const layer = { ...all, uses: all.uses.filter((use) => pulled.has(use.preactivation)) };
  const [use] = layer.uses;
  if (use && layer.uses.length === 1 && layer.positions === 1 && use.kind === "dense")
    return onePosition(b, layer, pulled);
  const columns = columnsAt(b, layer, pulled);
  return ghostIsCheaper(b, layer, columns) ? ghost(b, layer, columns) : outer(b, layer, columns);
}

/** W as a constant of the graph: blocks of rows, one a group, [G, d/G, m/G]. */
function weightBlocks(b: Builder, layer: Layer): ValueId {
  const { d, m, groups } = layer;
  const matrix = layer.matrix();
  const values = matrix instanceof Float32Array ? matrix : Float32Array.from(matrix);
  return b.constant(Tensor.float32([groups, d / groups, m], values));
}

/** One position: U_c = γ_c φᵀ, and both forms are ‖φ‖² times a norm of the columns. */
function onePosition(b: Builder, layer: Layer, pulled: ReadonlyMap<ValueId, ValueId>): GaussNewton {
  const [use] = layer.uses as [(typeof layer.uses)[number]];
  const gamma = pulled.get(use.preactivation) as ValueId;
  const [columns, batch] = b.dims(gamma) as [number, number];
  const flat = reshape(b, gamma, [columns, batch, layer.d]);
  const features = reshape(b, scaledFeatures(b, layer, use), [batch, layer.m]);
  const normSquared = squaredNorm(b, features, 1);
  return {
    trace: () => mul(b, normSquared, scale(b, sumOfSquares(b, flat, [0, 2]), use.scale ** 2)),
    weighted: () => {
      // The layer's own pullback: Wᵀγ with the layer's scale in it, and shared with the layers below.
      const [through] =
        ruleOf(use.node)?.vjp({ b, node: use.node, lead: 1, cotangents: [gamma], varies: (index) => index === 0 }) ??
        [];
      const product = reshape(b, through as ValueId, [columns, batch, layer.m]);
      return mul(b, normSquared, sumOfSquares(b, timesScales(b, layer, product), [0, 2]));
    },
  };
}

/** Wᵀγ of the model's W made that of Wσ. */
function timesScales(b: Builder, { m, scaling }: Layer, product: ValueId): ValueId {
  return scaling ? mul(b, product, b.constant(Tensor.float32([m], scaling.scales))) : product;
}

/** Σ_c U_c U_cᵀ, then its product with W Wᵀ or I: U is d×m, and WᵀU is never formed. */
function outer(b: Builder, layer: Layer, columns: ValueId): GaussNewton {
  const { d, groups } = layer;
  const [count, batch] = b.dims(columns) as [number, number];
  const stacked = reshape(b, columnProducts(b, layer, columns), [
    batch,
    groups,
    d / groups,
    count * featureWidth(layer),
  ]);
  let known: ValueId | undefined;
  const gram = () => (known ??= matMul(b, stacked, swap(b, stacked)));
  const along = (matrix: ValueId) => sumBeyond(b, mul(b, gram(), matrix), 1);
  return {
    trace: () => (d / groups <= LARGEST_SHARED_GRAM ? along(unitBlocks(b, layer)) : squaredNorm(b, stacked, 1)),
    weighted: () => along(weightGram(b, layer)),
  };
}

/** Rows up to which U Uᵀ is hardly dearer than the squares of U, and of use to both forms. */
const LARGEST_SHARED_GRAM = 32;

/** The identity of each group, [G, d/G, d/G]. */
function unitBlocks(b: Builder, { d, groups }: Layer): ValueId {
  const rows = d / groups;
  const values = Float32Array.from({ length: d * rows }, (_, place) =>
    Number(Math.floor(place / rows) % rows === place % rows),
  );
  return b.constant(Tensor.float32([groups, rows, rows], values));
}

/** Up to so many multiplications W Wᵀ is made in float64; above, the runtime makes it when the session opens. */
const LARGEST_OWN_GRAM = 2e7;

/** W Wᵀ of each group, [G, d/G, d/G]. */
function weightGram(b: Builder, layer: Layer): ValueId {
  const { d, m, groups } = layer;
  const rows = d / groups;
  if (d * rows * m > LARGEST_OWN_GRAM) {
    const blocks = weightBlocks(b, layer);
    return matMul(b, blocks, swap(b, blocks));
  }
  const matrix = layer.matrix();
  const gram = new Float32Array(d * rows);
  for (let group = 0; group < groups; group++) {
    const block = matrix.subarray(group * rows * m, (group + 1) * rows * m);
    gram.set(gramOf(block, rows, m), group * rows * rows);
  }
  return b.constant(Tensor.float32([groups, rows, rows], gram));
}

/** Σ_c Σ_tt' ⟨φ_t, φ_t'⟩ ⟨Aᵀγ_ct, Aᵀγ_ct'⟩: cheaper where positions are few. */
function ghost(b: Builder, layer: Layer, columns: ValueId): GaussNewton {
  const features = featuresAt(b, layer);
  const likeness = matMul(b, swap(b, features), features);
  const form = (left: ValueId, right: ValueId) => {
    const [, , , rows, positions] = b.dims(left) as [number, number, number, number, number];
    // The smaller of rows × T and T × T is what is multiplied element by element.
    if (rows < positions) return sumOfColumns(b, mul(b, matMul(b, left, likeness), right));
    return sumOfColumns(b, mul(b, matMul(b, swap(b, left), right), likeness));
  };
  return {
    trace: () => form(columns, columns),
    // Through W where that is the smaller product, else through W Wᵀ.
    weighted: () => {
      if (layer.m > layer.d / layer.groups) return form(columns, matMul(b, weightGram(b, layer), columns));
      const through = matMul(b, swap(b, weightBlocks(b, layer)), columns);
      return form(through, through);
    },
  };
}

/** [K, B, …] summed to [B]. */
function sumOfColumns(b: Builder, value: ValueId): ValueId {
  return sumBeyond(b, reduceSum(b, value, [0]), 1);
}

/** Multiplications of either form for one sample and group, K columns. */
function ghostIsCheaper(b: Builder, layer: Layer, columns: ValueId): boolean {
  const dims = b.dims(columns);
  const [count, positions] = [dims[0] as number, dims[4] as number];
  const d = layer.d / layer.groups;
  const m = featureWidth(layer);
  const byOuter = count * (positions * d * m + d * d * m);
  const byGhost = count * (positions * d * Math.min(layer.m, d) + 2 * positions ** 2 * d) + positions ** 2 * m;
  return byGhost < byOuter;
}
