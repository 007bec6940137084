import { expect, test } from "vitest";
import { Tensor } from "../../src/graph/tensor.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { runningStatistics } from "../../src/training/batch-statistics.ts";
import { Network } from "../../src/training/models/network.ts";
import { NEW_STATISTICS } from "../../src/training/names.ts";
import { attributes } from "../../src/graph/builder.ts";
import { sam } from "../../src/training/perturbation.ts";
import { smallTask, stepOf } from "./small-tasks.ts";

/** Float32 rounding of numbers of order 10. */
const DIGITS = 5;

/** Batch normalization of the inputs themselves, [2, 1, 3], then a linear layer; running means 5 and 7, variances 2 and 3. */
function normalized(momentum?: number) {
  const net = new Network();
  const y = net.batchNormalization("bn", "x", 2);
  const flat = net.op("Flatten", "flatten", [y], { axis: 1 });
  const model = net.done("normalized", net.linear("fc", flat, 6, 3), [3], [2, 1, 3]);
  const constants = new Map(model.graph.constants)
    .set("bn.running_mean", Tensor.float32([2], [5, 7]))
    .set("bn.running_var", Tensor.float32([2], [2, 3]));
  const nodes = model.graph.nodes.map((node) =>
    node.op === "BatchNormalization" && momentum !== undefined
      ? { ...node, attributes: attributes({ momentum: { float: momentum } }) }
      : node,
  );
  return { ...model, graph: { ...model.graph, constants, nodes } };
}

// Channel 0 of the two samples: 1 2 3 and 4 5 9: mean 4, Σ(x − 4)² = 40, variance 40/6, unbiased 8.
// Channel 1: 0 0 0 and 6 6 6: mean 3, Σ(x − 3)² = 54, variance 9, unbiased 54/5.
const x = { type: "float32" as const, dims: [2, 2, 1, 3], data: Float32Array.of(1, 2, 3, 0, 0, 0, 4, 5, 9, 6, 6, 6) };

test.each([
  ["by PyTorch's momentum, a tenth", undefined, 0.1],
  ["by the momentum of the model's own operator", 0.75, 0.25],
])("running statistics after a step %s, variance without bias", async (_, momentum, share) => {
  const small = { ...smallTask(normalized(momentum), [2, 1, 3], 3, 2, 1), x };
  const { outputs } = await stepOf(small);
  const found = [...(outputs.get(NEW_STATISTICS)!.data as Float32Array)];
  const expected = [
    [5, 4],
    [7, 3],
    [2, 8],
    [3, 54 / 5],
  ].map(([running, batch]) => (1 - share) * running! + share * batch!);
  found.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, DIGITS));
  expect(found).toHaveLength(4);
  // A sharpness-aware step passes the batch twice and counts it once, at the weights themselves.
  const sharp = await stepOf(small, { perturbation: sam }, { "sam radius": 0.5 });
  expect([...(sharp.outputs.get(NEW_STATISTICS)!.data as Float32Array)]).toEqual(found);
});

test("statistics are in the order of the graph, and no parameters", () => {
  const { graph, trainable } = normalized() as { graph: Graph; trainable: readonly { name: string }[] };
  expect(runningStatistics(graph).map(({ name, kind }) => [name, kind])).toEqual([
    ["bn.running_mean", "mean"],
    ["bn.running_var", "variance"],
  ]);
  expect(trainable.map(({ name }) => name)).toEqual(["bn.weight", "bn.bias", "fc.weight", "fc.bias"]);
});
