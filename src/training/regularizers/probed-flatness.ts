import { pushForward } from "../../calculus/taylor.ts";
import { UsageError } from "../../errors.ts";
import type { Layer } from "../../graph/layers.ts";
import { matMul, mul, reshape } from "../../graph/operators.ts";
import { Tensor } from "../../graph/tensor.ts";
import { RandomStream } from "../../statistics/random.ts";
import { meanOverTerms } from "../scored.ts";
import { orientedWeight } from "./oriented-weight.ts";
import type { Penalty } from "./penalty.ts";

/**
 * Relative flatness of an inner layer on the batch, estimated along one random direction a step, as a function of all weights:
 * ⟨V, H[V]⟩ with V = W D A D', A one fixed matrix of ±1, D and D' diagonals of the step's random signs; its mean over the signs is κ,
 * and the mean of its gradient the gradient of κ, as V moves with W. A groups' rows have signs of their own.
 *
 * Cost: a forward sweep of second order and the gradient of it; the step takes as long as two to three plain ones.
 */
export function probedFlatness(
  name: string,
  layer: Layer,
  seed: number,
  curvature: "hessian" | "gauss-newton",
): Penalty {
  const { d, m, groups, initializer } = layer;
  const weight = orientedWeight(layer);
  const [rows, columns] = [`training/signs ${name} in`, `training/signs ${name} out`];
  const stream = new RandomStream(seed, "mixing");
  const mixing = Float32Array.from({ length: m * m }, () => stream.sign());
  return {
    name,
    key: JSON.stringify(["flatness", initializer, seed, curvature]),
    reads: [],
    sweeps: true,
    signs: new Map([
      [rows, groups * m],
      [columns, groups * m],
    ]),
    value(forward) {
      const { b, loss, scores, labels } = forward;
      const signs = (input: string) => reshape(b, b.input(input, "float32", [groups * m]), [groups, 1, m]);
      const flipped = mul(b, reshape(b, weight.matrix(b), [groups, d / groups, m]), signs(rows));
      const mixed = mul(b, matMul(b, flipped, b.constant(Tensor.float32([m, m], mixing))), signs(columns));
      const direction = weight.asStored(b, reshape(b, mixed, [d, m]), b.dims(initializer));
      const first = reshape(b, direction, [1, ...b.dims(initializer)]);
      const jet = pushForward(b, new Map([[initializer, { first }]]), [scores], 2).get(scores);
      if (!jet) throw new UsageError(`regularizer flatness: the outputs do not depend on layer ${layer.name}`);
      const forms = loss.secondOrder(b, scores, labels, jet);
      return meanOverTerms(forward, curvature === "hessian" ? forms.hessian : forms.gaussNewton);
    },
  };
}
