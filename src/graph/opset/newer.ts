import { ModelError } from "../../errors.ts";
import type { Node } from "../graph.ts";
import { describe, ints, string } from "../graph.ts";
import type { Rewriting } from "./rewriting.ts";
import { integer, revise, without } from "./rewriting.ts";

/** An operator that opset 18 does not have, and that is not written with others. */
export function refuseNewer(node: Node, { opset }: Rewriting): never {
  throw new ModelError(
    `${describe(node)}: operator ${node.op} of opset ${opset} is not supported: export the model with opset 18`,
  );
}

/** Scan of opset 8 runs over batches of sequences with lengths; that of 9 over one. */
export function refuseScan8(node: Node): never {
  throw new ModelError(`${describe(node)}: Scan of opset 8 is not supported: export the model with opset 9 or later`);
}

/** Dilations came in 19. */
export function averagePool(node: Node): Node {
  const dilations = ints(node, "dilations");
  if (!dilations) return node;
  if (dilations.some((dilation) => dilation !== 1)) {
    throw new ModelError(
      `${describe(node)}: expected dilations of 1, found ${dilations.join(", ")}: opset 18 has no dilated average`,
    );
  }
  return revise(node, { attributes: without(node, "dilations") });
}

/** `saturate` came in 19 and is about eight-bit floats only. */
export function cast(node: Node): Node {
  return node.attributes.saturate ? revise(node, { attributes: without(node, "saturate") }) : node;
}

/** The axis was an attribute, by default the first after the batch; since 20 it is an input, by default the last. */
export function dft(node: Node, rewriting: Rewriting): Node {
  const [data = "", length = "", input] = node.inputs;
  const axis = input ? rewriting.constants.get(input)?.numbers()[0] : -2;
  if (axis === undefined) {
    throw new ModelError(`${describe(node)}: expected a constant axis, found one that is computed (${input})`);
  }
  return revise(node, { inputs: [data, length], attributes: { ...node.attributes, axis: integer(axis) } });
}

/** Mode wrap came in 19. */
export function padMode(node: Node, { opset }: Rewriting): Node {
  if (string(node, "mode", "constant") !== "wrap") return node;
  throw new ModelError(
    `${describe(node)}: mode wrap of opset ${opset} is not supported: export the model with opset 18`,
  );
}
