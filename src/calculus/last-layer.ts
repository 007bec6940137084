import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import { mul, reduceSum, reshape, scale, squaredNorm } from "../graph/operators.ts";
import type { RowDistances } from "../losses/loss.ts";
import type { Scored } from "./hessian-form.ts";
import { scaledFeatures } from "./scaled-features.ts";

/**
 * The last layer's Hessian in closed form, where the scores are Wφ + constant, one position a term:
 * Σ_t ‖φ_it‖² Tr(Vᵀ G_it V) with G the loss's Hessian in the scores; V = W gives relative flatness, V = I the trace. [B]. No derivative
 * rule is needed.
 */
export function lastLayerForm(b: Builder, layer: Layer, { loss, scores, labels }: Scored, rows: RowDistances): ValueId {
  const [use] = layer.uses as [(typeof layer.uses)[number]];
  const [batch, terms] = b.dims(scores) as [number, number];
  const features = reshape(b, scaledFeatures(b, layer, use), [batch, terms, layer.m]);
  const lengths = scale(b, squaredNorm(b, features, 2), use.scale ** 2);
  return reduceSum(b, mul(b, lengths, loss.quadraticForm(b, scores, labels, rows)), [1]);
}

/** The rows of W. */
export function weightRows(layer: Layer): RowDistances {
  const { d, m } = layer;
  const matrix = layer.matrix();
  const values = matrix instanceof Float32Array ? matrix : Float32Array.from(matrix);
  return {
    rows: d,
    matrix: { width: m, values },
    norms() {
      return Float32Array.from({ length: d }, (_, row) => {
        let sum = 0;
        for (let column = 0; column < m; column++) sum += (matrix[row * m + column] as number) ** 2;
        return sum;
      });
    },
    distances() {
      const table = new Float32Array(d * d);
      for (let row = 0; row < d; row++) {
        for (let other = 0; other < row; other++) {
          let sum = 0;
          for (let column = 0; column < m; column++) {
            sum += ((matrix[row * m + column] as number) - (matrix[other * m + column] as number)) ** 2;
          }
          table[row * d + other] = table[other * d + row] = sum;
        }
      }
      return table;
    },
  };
}

/** The rows of the identity: the trace. */
export function unitRows(rows: number): RowDistances {
  return {
    rows,
    norms: () => new Float32Array(rows).fill(1),
    distances: () => Float32Array.from({ length: rows * rows }, (_, index) => (index % (rows + 1) === 0 ? 0 : 2)),
  };
}
