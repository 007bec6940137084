import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import { mul, reshape, scale, squaredNorm } from "../graph/operators.ts";
import type { Loss, RowDistances } from "../losses/loss.ts";

/**
 * The last layer's Hessian in closed form, where the outputs are Wφ + constant: ‖φ_i‖² Tr(Vᵀ G_i V) with G_i the loss's
 * Hessian in the outputs; V = W gives relative flatness, V = I the trace. [B]. No derivative rule is needed.
 */
export function lastLayerForm(b: Builder, layer: Layer, loss: Loss, outputs: ValueId, rows: RowDistances): ValueId {
  const [use] = layer.uses as [(typeof layer.uses)[number]];
  const features = reshape(b, use.features, [b.dims(use.features)[0] as number, layer.m]);
  const normSquared = scale(b, squaredNorm(b, features, 1), use.scale ** 2);
  return mul(b, normSquared, loss.quadraticForm(b, outputs, rows));
}

/** The rows of W. */
export function weightRows(layer: Layer): RowDistances {
  const { d, m } = layer;
  const matrix = layer.matrix();
  const values = matrix instanceof Float32Array ? matrix : Float32Array.from(matrix);
  return {
    rows: d,
    matrix: { width: m, values },
    squaredNorm: () => values.reduce((sum, value) => sum + value * value, 0),
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
    squaredNorm: () => rows,
    distances: () => Float32Array.from({ length: rows * rows }, (_, index) => (index % (rows + 1) === 0 ? 0 : 2)),
  };
}
