import { ModelError } from "../../errors.ts";
import type { Node } from "../graph.ts";
import { describe, float, int } from "../graph.ts";
import { filled } from "./filled.ts";
import type { Rewriting } from "./rewriting.ts";
import { revise, without } from "./rewriting.ts";

/**
 * Before 14 further outputs are statistics of the batch, and having them is what makes a runtime use those and
 * not the model's: they go. Before 9 `spatial: 0` has a scale and a mean for each activation and not for each
 * channel: the same over rows of C·H·W.
 */
export function batchNormalization(node: Node, rewriting: Rewriting): Node | Node[] {
  const [y = "", ...statistics] = node.outputs;
  refuseTraining(node, statistics, rewriting);
  if (statistics.length === 0 && !node.attributes.spatial) return node;
  const attributes = without(node, "spatial");
  const inference = revise(node, { outputs: [y], attributes });
  const [data = "", ...parameters] = node.inputs;
  if (int(node, "spatial", 1) !== 0 || rewriting.rank(parameters[0]) === 1) return inference;

  const row = rewriting.integers(node, "row", [-1]);
  const expansion = rewriting.expansion(inference);
  const rows = parameters.map((parameter) => expansion.add("Reshape", [parameter, row]));
  const shape = expansion.add("Shape", [data]);
  const flat = expansion.add("Flatten", [data]);
  return expansion.end("Reshape", [expansion.add(node.op, [flat, ...rows], attributes), shape]);
}

/** Before 12 the ratio is an attribute, which inference does not need, and the mask is not specified. */
export function dropout(node: Node, rewriting: Rewriting): Node {
  const [y = "", ...mask] = node.outputs;
  refuseTraining(node, mask, rewriting);
  if (mask.length === 0 && !node.attributes.ratio) return node;
  return revise(node, { outputs: [y], attributes: without(node, "ratio") });
}

function refuseTraining(node: Node, outputs: readonly string[], rewriting: Rewriting): void {
  const read = outputs.find((output) => output !== "" && rewriting.isRead(output));
  if (read === undefined) return;
  throw new ModelError(
    `${describe(node)}: expected inference, but its training output ${read} is used: ` +
      "export the model in evaluation mode",
  );
}

/**
 * y = scale · (x − mean) / √(variance + ε) + bias, the statistics those of a group of channels, scale and bias
 * those of a channel (in opset 18, where the operator is deprecated, of a group). For any rank: [N, C, …] is
 * [N, C, ·] while it is scaled. `stash_type`, the precision of the statistics, matters to half precision only.
 */
export function groupNormalization(node: Node, rewriting: Rewriting): Node[] {
  const [x = "", scale = "", bias = ""] = node.inputs;
  const groups = int(node, "num_groups", 1);
  const type = rewriting.floatType(x);
  const ones = rewriting.constant(node, "ones", filled(type, [groups], 1));
  const zeros = rewriting.constant(node, "zeros", filled(type, [groups], 0));
  const toGroups = rewriting.integers(node, "groups", [0, groups, -1]);
  const toChannels = rewriting.integers(node, "channels", [0, 0, -1]);
  const last = rewriting.integers(node, "last", [1]);

  const expansion = rewriting.expansion(node);
  const shape = expansion.add("Shape", [x]);
  const grouped = expansion.add("Reshape", [x, toGroups]);
  const normalized = expansion.add("InstanceNormalization", [grouped, ones, zeros], {
    epsilon: { kind: "float", value: float(node, "epsilon", 1e-5) },
  });
  const channels = expansion.add("Reshape", [expansion.add("Reshape", [normalized, shape]), toChannels]);
  const scaled = expansion.add("Mul", [channels, expansion.add("Unsqueeze", [scale, last])]);
  const shifted = expansion.add("Add", [scaled, expansion.add("Unsqueeze", [bias, last])]);
  return expansion.end("Reshape", [shifted, shape]);
}
