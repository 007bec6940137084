import type { ValueId } from "../../graph/graph.ts";
import { Tensor } from "../../graph/tensor.ts";
import type { Network } from "./network.ts";

/** Hidden neurons of a block's MLP, a multiple of the width. */
const EXPANSION = 4;

export interface TransformerSize {
  readonly tokens: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
}

/**
 * Blocks of a transformer with the normalization before (Xiong et al. 2020): x + attention(norm x), then x + MLP(norm x) with GELU; and
 * a last normalization. Values are [N, tokens, width].
 *
 * @param causal whether a token sees only itself and those before it
 */
export function transformer(net: Network, x: ValueId, size: TransformerSize, causal: boolean): ValueId {
  const { width, depth } = size;
  let value = x;
  for (let block = 1; block <= depth; block++) {
    const at = `block${block}`;
    const seen = attention(net, `${at}.attention`, net.layerNormalization(`${at}.norm1`, value, width), size, causal);
    value = net.op("Add", `${at}.add1`, [value, seen]);
    const normalized = net.layerNormalization(`${at}.norm2`, value, width);
    const hidden = net.tokenLinear(`${at}.mlp1`, normalized, width, EXPANSION * width);
    const active = net.activation(`${at}.gelu`, "gelu", hidden);
    value = net.op("Add", `${at}.add2`, [value, net.tokenLinear(`${at}.mlp2`, active, EXPANSION * width, width)]);
  }
  return net.layerNormalization("norm", value, width);
}

/** softmax(Q Kᵀ/√(width of a head)) V of each head, and a linear map of all heads together. */
function attention(
  net: Network,
  at: string,
  x: ValueId,
  { tokens, width, heads }: TransformerSize,
  causal: boolean,
): ValueId {
  const own = width / heads;
  const part = (name: string, order: readonly number[]) => {
    const whole = net.tokenLinear(`${at}.${name}`, x, width, width);
    const split = net.op("Reshape", `${at}.${name}.split`, [whole, net.integers(0, tokens, heads, own)]);
    return net.op("Transpose", `${at}.${name}.heads`, [split], { perm: order });
  };
  const [query, key, value] = [
    part("query", [0, 2, 1, 3]),
    part("key", [0, 2, 3, 1]),
    part("value", [0, 2, 1, 3]),
  ] as const;
  const products = net.op("MatMul", `${at}.products`, [query, key]);
  const scaled = net.op("Mul", `${at}.scaled`, [products, net.scalar(1 / Math.sqrt(own))]);
  const masked = causal ? net.op("Add", `${at}.masked`, [scaled, causalMask(net, tokens)]) : scaled;
  const weights = net.op("Softmax", `${at}.softmax`, [masked], { axis: -1 });
  const mixed = net.op("Transpose", `${at}.mixed`, [net.op("MatMul", `${at}.mix`, [weights, value])], {
    perm: [0, 2, 1, 3],
  });
  const joined = net.op("Reshape", `${at}.joined`, [mixed, net.integers(0, tokens, width)]);
  return net.tokenLinear(`${at}.output`, joined, width, width);
}

/** 0 where a token may look, −∞ where it may not. */
function causalMask(net: Network, tokens: number): ValueId {
  const values = Float32Array.from({ length: tokens * tokens }, (_, index) =>
    index % tokens > Math.floor(index / tokens) ? Number.NEGATIVE_INFINITY : 0,
  );
  return net.constant("causal mask", Tensor.float32([tokens, tokens], values));
}
