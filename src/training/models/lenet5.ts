import { UsageError } from "../../errors.ts";
import { type Model, Network, type Signature } from "./network.ts";

const KERNEL = 5;

/**
 * LeNet5 with ReLU and max-pooling, as in the paper's experiments: convolutions of 6 and 16 kernels of 5×5, each with ReLU and a
 * 2×2 maximum, then fully connected layers of 120, 84 and the outputs.
 *
 * @throws UsageError for an input that is no image of 16×16 or more
 */
export function lenet5({ input, outputs }: Signature): Model {
  const [channels = 0, height = 0, width = 0] = input;
  const pooled = (size: number) => Math.floor((size - KERNEL + 1) / 2);
  const [rows, columns] = [pooled(pooled(height)), pooled(pooled(width))];
  if (input.length !== 3 || rows < 1 || columns < 1) {
    throw new UsageError(
      `model lenet5: expected images [channels, height, width] of 16×16 or more, the data has samples of shape [${input.join(", ")}]; preprocess: shape=1x8x8 gives them one, pad=P makes them larger`,
    );
  }
  const net = new Network();
  let x = "x";
  for (const [index, [inputs, kernels]] of [
    [channels, 6],
    [6, 16],
  ].entries()) {
    const at = index + 1;
    x = net.convolution(`conv${at}`, x, { inputs: inputs as number, outputs: kernels as number, kernel: KERNEL });
    x = net.activation(`relu${at}`, "relu", x);
    x = net.op("MaxPool", `pool${at}`, [x], { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] });
  }
  x = net.op("Flatten", "flatten", [x], { axis: 1 });
  x = net.activation("relu3", "relu", net.linear("fc1", x, 16 * rows * columns, 120));
  x = net.activation("relu4", "relu", net.linear("fc2", x, 120, 84));
  return net.done("lenet5", net.linear("fc3", x, 84, outputs), [outputs], input);
}
