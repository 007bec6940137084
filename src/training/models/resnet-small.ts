import type { ValueId } from "../../graph/graph.ts";
import { UsageError } from "../../errors.ts";
import { type Model, Network, type Signature } from "./network.ts";

/**
 * A residual network for small images (He et al. 2016): a 3×3 convolution, then stages of residual blocks of two 3×3 convolutions each
 * with batch normalization and ReLU; each further stage halves the image and doubles the channels, its first shortcut
 * a strided 1×1 convolution with batch normalization. Then the mean over the image and a fully connected layer.
 *
 * @throws UsageError for an input that is no image
 */
export function resnetSmall(
  { input, outputs }: Signature,
  { width, stages, blocks }: { width: number; stages: number; blocks: number },
): Model {
  const [channels = 0] = input;
  if (input.length !== 3) {
    throw new UsageError(
      `model resnet-small: expected images [channels, height, width], the data has samples of shape [${input.join(", ")}]; preprocess: shape=1x8x8 gives them one`,
    );
  }
  const net = new Network();
  const normalized = (name: string, x: ValueId, from: number, to: number, kernel: number, stride: number) => {
    const padding = (kernel - 1) / 2;
    const settings = { inputs: from, outputs: to, kernel, stride, padding, bias: false };
    return net.batchNormalization(`${name.replace("conv", "bn")}`, net.convolution(name, x, settings), to);
  };
  let x = net.activation("relu", "relu", normalized("conv", "x", channels, width, 3, 1));
  let from = width;
  for (let stage = 1; stage <= stages; stage++) {
    const to = width * 2 ** (stage - 1);
    for (let block = 1; block <= blocks; block++) {
      const at = `stage${stage}.block${block}`;
      const stride = stage > 1 && block === 1 ? 2 : 1;
      const first = net.activation(`${at}.relu1`, "relu", normalized(`${at}.conv1`, x, from, to, 3, stride));
      const second = normalized(`${at}.conv2`, first, to, to, 3, 1);
      const kept = from === to && stride === 1 ? x : normalized(`${at}.shortcut.conv`, x, from, to, 1, stride);
      x = net.activation(`${at}.relu2`, "relu", net.op("Add", `${at}.add`, [second, kept]));
      from = to;
    }
  }
  const pooled = net.op("Flatten", "flatten", [net.op("GlobalAveragePool", "pool", [x])], { axis: 1 });
  return net.done("resnet-small", net.linear("fc", pooled, from, outputs), [outputs], input);
}
