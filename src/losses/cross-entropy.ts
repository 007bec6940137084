import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import {
  add,
  cast,
  div,
  matMul,
  mul,
  reduceSum,
  reshape,
  slice,
  sqrt,
  square,
  sub,
  transpose,
} from "../graph/operators.ts";
import { Tensor } from "../graph/tensor.ts";
import { classIndices } from "./labels.ts";
import type { ColumnChunk, Loss, RowDistances } from "./loss.ts";

/** Above this many classes the table of distances gives way to distances from the likeliest class. */
const LARGEST_DISTANCE_TABLE = 512;
/** Columns taken exactly by the estimate, besides the one that vanishes. */
const LARGEST_COLUMNS = 2;

/**
 * Softmax cross-entropy of class scores, ℓ = −log softmax(f)_y, mean over samples.
 *
 * Its Hessian in the scores is diag(p) − p pᵀ, whatever the label. The factor used here has C − 1 columns,
 * r_j = s_j e_j − s_j / (1 + s_1) · (p + s_1 e_1) with s = √p and 1 the likeliest class: a Householder reflection
 * of √p_c (e_c − p), without the column that it makes vanish and without cancellation in float32.
 */
export const crossEntropy: Loss = {
  name: "cross-entropy",
  source: "softmax cross-entropy of raw scores, mean over samples",
  classification: true,
  prepare: classIndices,
  perSample(b, outputs, labels) {
    const [batch] = b.dims(outputs) as [number];
    const scores = b.add("LogSoftmax", [outputs], { axis: -1 });
    const chosen = b.add("GatherElements", [scores, reshape(b, labels, [batch, 1])], { axis: 1 });
    return b.add("Neg", [reshape(b, chosen, [batch])]);
  },
  correct(b, outputs, labels) {
    return cast(b, b.add("Equal", [likeliest(b, outputs), labels]), "float32");
  },
  columnCount: (classes) => classes - 1,
  columns,
  estimatedCount: (classes) => Math.min(classes - 1, LARGEST_COLUMNS + 1),
  estimatedColumns,
  quadraticForm(b, outputs, rows) {
    const classes = b.dims(outputs)[1] as number;
    const p = softmax(b, outputs);
    if (classes > LARGEST_DISTANCE_TABLE) return distancesFromLikeliest(b, outputs, p, rows);
    // ½ Σ_jk p_j p_k ‖v_j − v_k‖²: no difference of large numbers anywhere.
    const table = b.constant(
      Tensor.float32(
        [classes, classes],
        rows.distances().map((distance) => distance / 2),
      ),
    );
    return reduceSum(b, mul(b, matMul(b, p, table), p), [1]);
  },
};

function softmax(b: Builder, outputs: ValueId): ValueId {
  return b.add("Softmax", [outputs], { axis: -1 });
}

function likeliest(b: Builder, outputs: ValueId): ValueId {
  return b.add("ArgMax", [outputs], { axis: -1, keepdims: 0 });
}

function oneHot(b: Builder, indices: ValueId, classes: number): ValueId {
  const values = b.constant(Tensor.float32([2], [0, 1]));
  return b.add("OneHot", [indices, b.constant(Tensor.int64([classes])), values], { axis: -1 });
}

/** (p + s_1 e_1) / (1 + s_1), [B, C]. */
function reflection(b: Builder, p: ValueId, s: ValueId, first: ValueId): ValueId {
  const top = b.add("ReduceMax", [s, b.integers([1])], { keepdims: 1 });
  return div(b, add(b, p, mul(b, top, first)), add(b, top, b.scalar(1)));
}

function columns(b: Builder, outputs: ValueId, chunk?: ColumnChunk): ValueId {
  const [batch, classes] = b.dims(outputs) as [number, number];
  const p = softmax(b, outputs);
  const s = sqrt(b, p);
  const first = oneHot(b, likeliest(b, outputs), classes);
  // Slot j < C − 1 stands for class j, but where j is the likeliest for class C − 1: every class but the likeliest once.
  const all = b.constant(Tensor.int64(Array.from({ length: classes - 1 }, (_, slot) => slot)));
  const slots = chunk?.numbers ?? all;
  const count = chunk?.size ?? classes - 1;
  const replaced = reshape(b, b.add("Gather", [transpose(b, first, [1, 0]), slots], { axis: 0 }), [count, batch, 1]);
  const own = reshape(b, oneHot(b, slots, classes), [count, 1, classes]);
  const last = b.constant(
    Tensor.float32(
      [classes],
      Float32Array.from({ length: classes }, (_, index) => Number(index === classes - 1)),
    ),
  );
  const unit = add(b, own, mul(b, replaced, sub(b, last, own)));
  const size = reduceSum(b, mul(b, unit, s), [2], true);
  const weighted = chunk ? mul(b, size, reshape(b, chunk.weights, [count, 1, 1])) : size;
  return mul(b, weighted, sub(b, unit, reflection(b, p, s, first)));
}

function estimatedColumns(b: Builder, outputs: ValueId, signs: ValueId): ValueId {
  const [batch, classes] = b.dims(outputs) as [number, number];
  const p = softmax(b, outputs);
  const s = sqrt(b, p);
  const count = LARGEST_COLUMNS + 1;
  const top = b.addMany("TopK", [outputs, b.constant(Tensor.int64([count]))], { axis: -1 }, 2)[1] as ValueId;
  const units = oneHot(b, transpose(b, top, [1, 0]), classes);
  const first = reshape(b, slice(b, units, [0], [0], [1]), [batch, classes]);
  const exact = slice(b, units, [0], [1], [count]);
  const rest = sub(b, b.scalar(1), reduceSum(b, units, [0]));
  const probe = reshape(b, mul(b, mul(b, signs, s), rest), [1, batch, classes]);
  // Every weighting w of the classes but the likeliest is the column Σ_j w_j e_j − (Σ_j w_j) (p + s_1 e_1) / (1 + s_1).
  const weights = b.add("Concat", [mul(b, exact, s), probe], { axis: 0 });
  return sub(b, weights, mul(b, reduceSum(b, weights, [2], true), reflection(b, p, s, first)));
}

/**
 * Σ_j p_j ‖v_j − v_k‖² − ‖Σ_j p_j (v_j − v_k)‖² with k the likeliest class. At most a factor 1/p_k of precision is lost,
 * and the table of all distances is not needed.
 */
function distancesFromLikeliest(b: Builder, outputs: ValueId, p: ValueId, rows: RowDistances): ValueId {
  const classes = b.dims(outputs)[1] as number;
  const index = likeliest(b, outputs);
  const others = mul(b, p, sub(b, b.scalar(1), oneHot(b, index, classes)));
  const mass = reduceSum(b, others, [1]);
  if (!rows.matrix) return add(b, sub(b, mass, square(b, mass)), sub(b, mass, reduceSum(b, square(b, others), [1])));
  const { width, values } = rows.matrix;
  const norms = Float32Array.from({ length: classes }, (_, row) => {
    let sum = 0;
    for (let column = 0; column < width; column++) sum += (values[row * width + column] as number) ** 2;
    return sum;
  });
  const v = b.constant(Tensor.float32([classes, width], values));
  const n = b.constant(Tensor.float32([classes], norms));
  const centre = b.add("Gather", [v, index], { axis: 0 });
  const centreNorm = b.add("Gather", [n, index], { axis: 0 });
  const products = matMul(b, centre, transpose(b, v, [1, 0]));
  const distances = sub(
    b,
    add(b, n, reshape(b, centreNorm, [b.dims(index)[0] as number, 1])),
    mul(b, b.scalar(2), products),
  );
  const second = reduceSum(b, mul(b, others, distances), [1]);
  const mean = sub(b, matMul(b, others, v), mul(b, reshape(b, mass, [b.dims(index)[0] as number, 1]), centre));
  return sub(b, second, reduceSum(b, square(b, mean), [1]));
}
