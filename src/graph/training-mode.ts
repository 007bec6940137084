import { ModelError } from "../errors.ts";
import type { Graph } from "./graph.ts";
import { describe, int } from "./graph.ts";

/**
 * Refuses a model that was exported while it trained: with the statistics of the batch it normalizes by, what it makes of a sample
 * depends on the others, and what is dropped out is random.
 *
 * @throws ModelError naming the node
 */
export function refuseTraining({ nodes, constants }: Graph): void {
  for (const node of nodes) {
    if (node.domain !== "") continue;
    const why =
      node.op === "BatchNormalization" && int(node, "training_mode", 0) === 1
        ? "normalizes by the statistics of each batch"
        : node.op === "Dropout" && constants.get(node.inputs[2] ?? "")?.numbers()[0]
          ? "drops values at random"
          : undefined;
    if (why === undefined) continue;
    throw new ModelError(
      `${describe(node)}: expected inference, but the node is in training mode and ${why}: export the model in evaluation mode`,
    );
  }
}
