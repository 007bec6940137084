import type { Node } from "../../graph/graph.ts";
import { arithmeticRules } from "./arithmetic.ts";
import { convolutionRules } from "./convolution.ts";
import { elementwiseRules } from "./elementwise.ts";
import { linearRules } from "./linear.ts";
import { movementRules } from "./movement.ts";
import { normalizationRules } from "./normalization.ts";
import { poolingRules } from "./pooling.ts";
import type { Rule } from "./rule.ts";

/** Every operator that can be differentiated, a family a file. */
export const rules: Readonly<Record<string, Rule>> = {
  ...linearRules,
  ...convolutionRules,
  ...arithmeticRules,
  ...elementwiseRules,
  ...poolingRules,
  ...normalizationRules,
  ...movementRules,
};

export function ruleOf(node: Node): Rule | undefined {
  return node.domain === "" ? rules[node.op] : undefined;
}
