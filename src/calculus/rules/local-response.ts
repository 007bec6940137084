import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { float, int } from "../../graph/graph.ts";
import { add, div, matMul, mul, reshape, scale, square, sub } from "../../graph/operators.ts";
import { count, Tensor } from "../../graph/tensor.ts";
import { jetOf, productJet, sum, sumOfSquares, throughFunction, type Jet } from "../jets.ts";
import { cotangent, type Differentiated, type Rule } from "./rule.ts";

/** y = x d^(−β) with d = bias + α/size Σ x² over the channels beside each. */
interface Response {
  readonly d: ValueId;
  /** d^(−β). */
  readonly g: ValueId;
  readonly beta: number;
  /** α/size Σ over the channels beside each, of a value with x's dims behind any leading ones. Its own transpose: size is odd. */
  beside(value: ValueId): ValueId;
}

function responseOf({ b, node }: Differentiated): Response {
  const x = node.inputs[0] as ValueId;
  const [, channels = 1, ...spatial] = b.dims(x);
  const size = int(node, "size", 1);
  const beta = float(node, "beta", 0.75);
  const band = neighbours(b, channels, (size - 1) / 2);
  const beside = (value: ValueId) => {
    const dims = b.dims(value);
    const rows = reshape(b, value, [...dims.slice(0, dims.length - spatial.length), count(spatial)]);
    return scale(b, reshape(b, matMul(b, band, rows), dims), float(node, "alpha", 1e-4) / size);
  };
  const d = add(b, beside(square(b, x)), b.scalar(float(node, "bias", 1)));
  return { d, g: b.add("Pow", [d, b.scalar(-beta)]), beta, beside };
}

/** 1 where two channels are at most `reach` apart. */
function neighbours(b: Builder, channels: number, reach: number): ValueId {
  const near = Float32Array.from({ length: channels ** 2 }, (_, flat) =>
    Math.abs(Math.floor(flat / channels) - (flat % channels)) <= reach ? 1 : 0,
  );
  return b.constant(Tensor.float32([channels, channels], near));
}

const localResponse: Rule = {
  linearity: "smooth",
  vjp: (at) => {
    const { b, node } = at;
    const x = node.inputs[0] as ValueId;
    const { d, g, beta, beside } = responseOf(at);
    const pulled = mul(b, cotangent(at), g);
    const throughSum = beside(mul(b, pulled, div(b, x, d)));
    return [sub(b, pulled, mul(b, scale(b, x, 2 * beta), throughSum))];
  },
  taylor: (at) => {
    const { b, node } = at;
    const x = node.inputs[0] as ValueId;
    const { d, g, beta, beside } = responseOf(at);
    const jet = at.jet(0) as Jet;
    const twice = (value: ValueId) => scale(b, beside(value), 2);
    const bent = sum(b, jet.second && mul(b, x, jet.second), sumOfSquares(b, jet.first)) as ValueId;
    const sums: Jet = { first: twice(mul(b, x, jet.first)), second: at.order === 2 ? twice(bent) : undefined };
    const slope = scale(b, div(b, g, d), -beta);
    const bend = at.order === 2 ? scale(b, div(b, slope, d), -beta - 1) : undefined;
    const powers = jetOf(b, throughFunction(b, { root: sums }, slope, bend));
    return [{ root: productJet(b, (u, v) => mul(b, u, v), b.rank(x), [x, jet], [g, powers]) }];
  },
};

export const localResponseRules: Readonly<Record<string, Rule>> = { LRN: localResponse };
