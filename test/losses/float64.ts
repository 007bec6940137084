import { dot } from "../float64-array.ts";
import { losses64, softmax, type Loss64 } from "../float64-curvature.ts";

/** A loss of one term in float64, with its slope in the scores. */
export interface Sloped64 extends Loss64 {
  readonly slope: (outputs: Float64Array, target: Float64Array) => Float64Array;
}

function slopeOf(name: string): Sloped64["slope"] {
  if (name === "cross-entropy") {
    return (outputs, [label]) => {
      const p = softmax(outputs);
      // p − 1 at the label as the share of the others, with a sign.
      const rest = p.reduce((sum, share, c) => (c === label ? sum : sum + share), 0);
      return p.map((share, c) => (c === label ? -rest : share));
    };
  }
  if (name === "binary-cross-entropy") {
    return (outputs, target) =>
      outputs.map((f, c) => {
        const [up, down] = [1 / (1 + Math.exp(-f)), 1 / (1 + Math.exp(f))];
        return ((1 - target[c]!) * up - target[c]! * down) / outputs.length;
      });
  }
  return (outputs, target) =>
    outputs.map((f, c) => (2 * (f - target[c]!)) / (name === "squared-error-mean" ? outputs.length : 1));
}

export const sloped64: readonly Sloped64[] = losses64.map((loss) => ({ ...loss, slope: slopeOf(loss.name) }));

/** G v. */
export function timesHessian(hessian: Float64Array, v: Float64Array): Float64Array {
  const size = v.length;
  return v.map((_, row) => dot(hessian.subarray(row * size, (row + 1) * size), v));
}
