import { UsageError } from "../../errors.ts";
import { type Model, Network, type Signature } from "./network.ts";
import { transformer } from "./transformer.ts";

/**
 * A small vision transformer (Dosovitskiy et al. 2021): patches become tokens by a strided convolution, learned positions are added, the
 * mean over the tokens goes into a fully connected layer.
 *
 * @throws UsageError for an input that is no image, or whose sides the patches do not divide
 */
export function vitTiny(
  { input, outputs }: Signature,
  { patch, width, depth, heads }: { patch: number; width: number; depth: number; heads: number },
): Model {
  const [channels = 0, height = 0, across = 0] = input;
  if (input.length !== 3 || height % patch !== 0 || across % patch !== 0) {
    throw new UsageError(
      `model vit-tiny: expected images [channels, height, width] with sides that patch: ${patch} divides, the data has samples of shape [${input.join(", ")}]`,
    );
  }
  checkHeads("vit-tiny", width, heads);
  const net = new Network();
  const tokens = (height / patch) * (across / patch);
  const kernel = { inputs: channels, outputs: width, kernel: patch, stride: patch };
  const grid = net.op("Reshape", "patches.flat", [net.convolution("patches", "x", kernel), net.integers(0, width, -1)]);
  const rows = net.op("Transpose", "patches.rows", [grid], { perm: [0, 2, 1] });
  const positions = net.embedding("positions", tokens, width);
  const x = transformer(net, net.op("Add", "placed", [rows, positions]), { tokens, width, depth, heads }, false);
  const mean = net.op("ReduceMean", "pool", [x, net.integers(1)], { keepdims: 0 });
  return net.done("vit-tiny", net.linear("fc", mean, width, outputs), [outputs], input);
}

/** @throws UsageError when heads do not share the width evenly */
export function checkHeads(model: string, width: number, heads: number): void {
  if (width % heads === 0) return;
  throw new UsageError(`model ${model}: expected a width that ${heads} heads share evenly, width is ${width}`);
}
