import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { expand, mul, reshape, scale, squaredNorm, sub } from "../graph/operators.ts";
import { Tensor } from "../graph/tensor.ts";
import { targets } from "./labels.ts";
import type { Loss } from "./loss.ts";

/** Squared error of C outputs, no factor ½, mean over samples; its Hessian in the outputs is 2·weight(C)·I. */
function squaredError(name: string, source: string, weight: (outputs: number) => number): Loss {
  const width = (b: Builder, outputs: ValueId) => b.dims(outputs)[1] as number;
  return {
    name,
    source,
    classification: false,
    prepare: targets,
    perSample: (b, outputs, labels) => scale(b, squaredNorm(b, sub(b, outputs, labels), 1), weight(width(b, outputs))),
    columnCount: (outputs) => outputs,
    columns(b, outputs, chunk) {
      const [batch, classes] = b.dims(outputs) as [number, number];
      const factor = Math.sqrt(2 * weight(classes));
      const diagonal = Float32Array.from({ length: classes ** 2 }, (_, index) =>
        index % (classes + 1) === 0 ? factor : 0,
      );
      const all = b.constant(Tensor.float32([classes, 1, classes], diagonal));
      if (!chunk) return expand(b, all, [classes, batch, classes]);
      const chosen = mul(
        b,
        b.add("Gather", [all, chunk.numbers], { axis: 0 }),
        reshape(b, chunk.weights, [chunk.size, 1, 1]),
      );
      return expand(b, chosen, [chunk.size, batch, classes]);
    },
    estimatedCount: (outputs) => outputs,
    quadraticForm(b, outputs, rows) {
      const [batch, classes] = b.dims(outputs) as [number, number];
      const value = 2 * weight(classes) * rows.squaredNorm();
      return expand(b, b.constant(Tensor.float32([1], [value])), [batch]);
    },
  };
}

/** ℓ = mean over outputs of (f − y)², torch's MSELoss. */
export const squaredErrorMean = squaredError(
  "squared-error-mean",
  "mean over outputs of (f − y)², mean over samples",
  (outputs) => 1 / outputs,
);

/** ℓ = ‖f − y‖². */
export const squaredErrorSum = squaredError(
  "squared-error-sum",
  "sum over outputs of (f − y)², mean over samples",
  () => 1,
);
