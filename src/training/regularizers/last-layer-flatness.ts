import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import type { Layer } from "../../graph/layers.ts";
import { matMul, mul, reduceSum, reshape, scale, squaredNorm, sub, swap } from "../../graph/operators.ts";
import { Tensor } from "../../graph/tensor.ts";
import { meanOverTerms, type Scored } from "../scored.ts";
import { orientedWeight } from "./oriented-weight.ts";
import type { Penalty } from "./penalty.ts";

/**
 * Relative flatness of the last layer on the batch, exact, as a function of all weights:
 * κ = mean of ‖φ‖² Tr(∂²ℓ/∂f∂f W Wᵀ), the trace taken column by column. Rows are taken from their mean first: adding
 * one vector to all changes nothing for a softmax, and the products keep their digits.
 */
export function lastLayerFlatness(name: string, layer: Layer): Penalty {
  const [use] = layer.uses as [(typeof layer.uses)[number]];
  const weight = orientedWeight(layer);
  return {
    name,
    key: `flatness of last ${layer.initializer}`,
    reads: [use.features],
    sweeps: false,
    signs: new Map(),
    value(forward) {
      const { b, scores, loss } = forward;
      const [batch, terms] = b.dims(scores) as [number, number];
      const features = reshape(b, use.features, [batch, terms, layer.m]);
      const lengths = scale(b, squaredNorm(b, features, 2), use.scale ** 2);
      const products = gram(b, weight.matrix(b), loss.ofScores && loss.name === "cross-entropy");
      return meanOverTerms(forward, reduceSum(b, mul(b, lengths, trace(forward, products)), [1]));
    },
  };
}

/** W Wᵀ, [C, C]. */
function gram(b: Builder, matrix: ValueId, centred: boolean): ValueId {
  const mean = () => b.add("ReduceMean", [matrix, b.integers([0])], { keepdims: 1 });
  const rows = centred ? sub(b, matrix, mean()) : matrix;
  return matMul(b, rows, swap(b, rows));
}

/** Tr(∂²ℓ/∂f∂f M) of each term, [B, T], for a symmetric M. */
function trace({ b, loss, scores, labels }: Scored, products: ValueId): ValueId {
  const [batch, terms, classes] = b.dims(scores) as [number, number, number];
  const columns = b.add("Expand", [
    reshape(b, products, [classes, 1, 1, classes]),
    b.integers([classes, batch, terms, classes]),
  ]);
  const bent = loss.hessianProduct(b, scores, labels, columns);
  const unit = Float32Array.from({ length: classes * classes }, (_, index) => Number(index % (classes + 1) === 0));
  const diagonal = b.constant(Tensor.float32([classes, 1, 1, classes], unit));
  return reduceSum(b, mul(b, bent, diagonal), [0, 3]);
}
