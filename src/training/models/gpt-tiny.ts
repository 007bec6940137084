import { UsageError } from "../../errors.ts";
import { type Model, Network, type Signature } from "./network.ts";
import { transformer } from "./transformer.ts";
import { checkHeads } from "./vit-tiny.ts";

/**
 * A small language model (Radford et al. 2019): embeddings of tokens and learned positions, causal blocks, scores of the next
 * token by a layer of its own. Input: tokens [N, T], int64; output [N, T, vocabulary].
 *
 * @param signature the outputs are the vocabulary
 * @throws UsageError for an input that is no sequence
 */
export function gptTiny(
  { input, outputs }: Signature,
  { width, depth, heads }: { width: number; depth: number; heads: number },
): Model {
  const [tokens = 0] = input;
  if (input.length !== 1) {
    throw new UsageError(
      `model gpt-tiny: expected sequences of tokens, the data has samples of shape [${input.join(", ")}]`,
    );
  }
  checkHeads("gpt-tiny", width, heads);
  const net = new Network();
  const looked = net.op("Gather", "tokens", [net.embedding("tokens.weight", outputs, width), "x"], { axis: 0 });
  const placed = net.op("Add", "placed", [looked, net.embedding("positions", tokens, width)]);
  const x = transformer(net, placed, { tokens, width, depth, heads }, true);
  return net.done("gpt-tiny", net.tokenLinear("head", x, width, outputs, false), [tokens, outputs], input, "int64");
}
