import type { Builder } from "../../graph/builder.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { float } from "../../graph/graph.ts";
import { add, div, mul, reshape, sqrt } from "../../graph/operators.ts";
import type { Rule } from "./rule.ts";
import { cotangent, linear } from "./rule.ts";

/** scale / √(variance + ε) of an inference BatchNormalization, shaped [C, 1, …] to meet x. */
function batchNormalizationSlope(b: Builder, node: Node): ValueId {
  const [x = "", gain = "", , , variance = ""] = node.inputs;
  const deviation = sqrt(b, add(b, variance, b.scalar(float(node, "epsilon", 1e-5))));
  const channels = b.dims(gain)[0] as number;
  const spatial = b
    .dims(x)
    .slice(2)
    .map(() => 1);
  return reshape(b, div(b, gain, deviation), [channels, ...spatial]);
}

const batchNormalization = linear(
  ({ b, node }, value) => mul(b, value, batchNormalizationSlope(b, node)),
  (at) => mul(at.b, cotangent(at), batchNormalizationSlope(at.b, at.node)),
);

export const normalizationRules: Readonly<Record<string, Rule>> = { BatchNormalization: batchNormalization };
