import { count } from "../../graph/tensor.ts";
import { type Activation, type Model, Network, type Signature } from "./network.ts";

/** Fully connected layers fc1, fc2, … with an activation between each two; an input of several axes is flattened. */
export function mlp(
  { input, outputs }: Signature,
  { hidden, activation }: { hidden: readonly number[]; activation: Activation },
): Model {
  const net = new Network();
  let x = input.length === 1 ? "x" : net.op("Flatten", "flatten", ["x"], { axis: 1 });
  let width = count(input);
  for (const [index, next] of [...hidden, outputs].entries()) {
    x = net.linear(`fc${index + 1}`, x, width, next);
    if (index < hidden.length) x = net.activation(`${activation}${index + 1}`, activation, x);
    width = next;
  }
  return net.done("mlp", x, [outputs], input);
}
