import type { Node } from "../../graph/graph.ts";
import { arithmeticRules } from "./arithmetic.ts";
import { batchNormalizationRules } from "./batch-normalization.ts";
import { constantRules } from "./constants.ts";
import { convolutionRules } from "./convolution.ts";
import { einsumRules } from "./einsum.ts";
import { elementwiseRules } from "./elementwise.ts";
import { gaussianRules } from "./gaussian.ts";
import { gatheringRules } from "./gathering.ts";
import { linearRules } from "./linear.ts";
import { localResponseRules } from "./local-response.ts";
import { maxPoolingRules } from "./max-pooling.ts";
import { movementRules } from "./movement.ts";
import { normalizationRules } from "./normalization.ts";
import { poolingRules } from "./pooling.ts";
import { slicingRules } from "./slicing.ts";
import { productRules } from "./product.ts";
import { reductionRules } from "./reduction.ts";
import { powerRules } from "./powers.ts";
import { resizeRules } from "./resize.ts";
import type { Rule } from "./rule.ts";
import { selectionRules } from "./selection.ts";
import { smoothRules } from "./smooth.ts";
import { transposedConvolutionRules } from "./transposed-convolution.ts";
import { trigonometricRules } from "./trigonometric.ts";
import { softmaxRules } from "./softmax.ts";

/** Every operator that can be differentiated, a family a file. */
export const rules: Readonly<Record<string, Rule>> = {
  ...linearRules,
  ...einsumRules,
  ...convolutionRules,
  ...transposedConvolutionRules,
  ...arithmeticRules,
  ...constantRules,
  ...elementwiseRules,
  ...selectionRules,
  ...powerRules,
  ...smoothRules,
  ...gaussianRules,
  ...trigonometricRules,
  ...poolingRules,
  ...maxPoolingRules,
  ...normalizationRules,
  ...batchNormalizationRules,
  ...localResponseRules,
  ...softmaxRules,
  ...reductionRules,
  ...productRules,
  ...movementRules,
  ...slicingRules,
  ...gatheringRules,
  ...resizeRules,
};

export function ruleOf(node: Node): Rule | undefined {
  return node.domain === "" ? rules[node.op] : undefined;
}
