import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { add, div, mul, reduceSum, reshape, scale, slice, sqrt, sub, transpose } from "../graph/operators.ts";
import { Tensor } from "../graph/tensor.ts";
import { countedTerms, likeliest, oneHot, softmax } from "./class-scores.ts";
import type { ColumnChunk, EstimatedColumns, Terms } from "./loss.ts";

// A factor of diag(p) − p pᵀ with C − 1 columns: r_j = s_j e_j − s_j / (1 + s_1) · (p + s_1 e_1) with s = √p and 1 the likeliest class,
// a Householder reflection of √p_c (e_c − p) without the column that it makes vanish and without cancellation in float32.

/** Columns that the estimate of one term takes exactly, besides the one that vanishes. */
const LARGEST_COLUMNS = 2;
/** Probes of the estimate of several terms, where no column stands out. */
const PROBES = 4;

export function estimatedCount({ terms, classes }: Pick<Terms, "terms" | "classes">): number {
  return Math.min(terms * (classes - 1), terms === 1 ? LARGEST_COLUMNS + 1 : PROBES);
}

export function signCount({ terms, classes }: Pick<Terms, "terms" | "classes">): number {
  return terms === 1 ? classes : PROBES * terms * classes;
}

/** (p + s_1 e_1) / (1 + s_1), [B, T, C]. */
function reflection(b: Builder, p: ValueId, s: ValueId, first: ValueId): ValueId {
  const top = b.add("ReduceMax", [s, b.integers([-1])], { keepdims: 1 });
  return div(b, add(b, p, mul(b, top, first)), add(b, top, b.scalar(1)));
}

interface Factor {
  readonly p: ValueId;
  readonly s: ValueId;
  /** The likeliest class as a row with a one. */
  readonly first: ValueId;
  readonly reflected: ValueId;
}

function factorOf(b: Builder, scores: ValueId): Factor {
  const p = softmax(b, scores);
  const s = sqrt(b, p);
  const first = oneHot(b, likeliest(b, scores), b.dims(scores)[2] as number);
  return { p, s, first, reflected: reflection(b, p, s, first) };
}

/** Exact columns [K, B, T, C], each in its own term. */
export function columns(b: Builder, scores: ValueId, labels: ValueId, chunk?: ColumnChunk): ValueId {
  const [batch, terms, classes] = b.dims(scores) as [number, number, number];
  const { s, first, reflected } = factorOf(b, scores);
  const each = terms * (classes - 1);
  const all = (value: (column: number) => number) =>
    b.constant(Tensor.int64(Array.from({ length: each }, (_, column) => value(column))));
  const slots = chunk?.slots ?? all((column) => column % (classes - 1));
  const places = chunk?.terms ?? all((column) => Math.floor(column / (classes - 1)));
  const count = chunk?.size ?? each;
  // What belongs to a column's term, [K, B, C]; with one term it is the same for all columns.
  const ofTerm = (value: ValueId) => {
    const byTerm = transpose(b, value, [1, 0, 2]);
    return terms === 1 ? byTerm : b.add("Gather", [byTerm, places], { axis: 0 });
  };
  // Slot j < C − 1 stands for class j, but where j is the likeliest for class C − 1: every class but the likeliest once.
  const own = reshape(b, oneHot(b, slots, classes), [count, 1, classes]);
  const last = b.constant(
    Tensor.float32(
      [classes],
      Float32Array.from({ length: classes }, (_, index) => Number(index === classes - 1)),
    ),
  );
  const replaced = reduceSum(b, mul(b, ofTerm(first), own), [2], true);
  const unit = add(b, own, mul(b, replaced, sub(b, last, own)));
  const size = reduceSum(b, mul(b, unit, ofTerm(s)), [2], true);
  const weighted = chunk ? mul(b, size, reshape(b, chunk.weights, [count, 1, 1])) : size;
  const column = reshape(b, mul(b, weighted, sub(b, unit, ofTerm(reflected))), [count, batch, 1, classes]);
  if (terms === 1) return column;
  const counted = countedTerms(b, scores, labels) as ValueId;
  const here = mul(
    b,
    reshape(b, oneHot(b, places, terms), [count, 1, terms, 1]),
    reshape(b, counted, [batch, terms, 1]),
  );
  return mul(b, column, here);
}

/**
 * Fewer columns with the same expected squares, [K, B, T, C]. One term: the two largest exact and one Rademacher probe on the
 * rest, whose share of p is the spread. Several: probes with independent signs for every column of every term.
 */
export function estimatedColumns(b: Builder, scores: ValueId, labels: ValueId, signs: ValueId): EstimatedColumns {
  const [batch, terms, classes] = b.dims(scores) as [number, number, number];
  const { p, s, first, reflected } = factorOf(b, scores);
  // Every weighting w of the classes but the likeliest is the column Σ_j w_j e_j − (Σ_j w_j) (p + s_1 e_1) / (1 + s_1).
  const weighted = (weights: ValueId) => sub(b, weights, mul(b, reduceSum(b, weights, [-1], true), reflected));
  const one = b.scalar(1);
  if (terms > 1) {
    const drawn = transpose(b, reshape(b, signs, [batch, PROBES, terms, classes]), [1, 0, 2, 3]);
    const counted = reshape(b, countedTerms(b, scores, labels) as ValueId, [batch, terms, 1]);
    const others = mul(b, mul(b, s, sub(b, one, first)), counted);
    return { columns: scale(b, weighted(mul(b, drawn, others)), 1 / Math.sqrt(PROBES)) };
  }
  const count = LARGEST_COLUMNS + 1;
  const top = b.addMany("TopK", [scores, b.constant(Tensor.int64([count]))], { axis: -1 }, 2)[1] as ValueId;
  const units = oneHot(b, transpose(b, top, [2, 0, 1]), classes);
  const exact = mul(b, slice(b, units, [0], [1], [count]), s);
  const rest = mul(b, p, sub(b, one, reduceSum(b, units, [0])));
  const drawn = mul(b, reshape(b, signs, [batch, 1, classes]), sqrt(b, rest));
  const probe = reshape(b, drawn, [1, batch, 1, classes]);
  const spread = reshape(b, reduceSum(b, rest, [2]), [batch]);
  return { columns: weighted(b.add("Concat", [exact, probe], { axis: 0 })), spread };
}
