import type { WarningCode } from "../evaluation/result.ts";

/** What a reader can do about each warning, in a sentence; docs/warnings.md says more. */
export const warningAdvice: Readonly<Record<WarningCode, string>> = {
  "batch-rewritten": "Nothing needs to be done; an export with an open batch size needs no rewriting.",
  "dead-features": "Compare ‖W‖² and products with it between networks only where the dead features are as many.",
  "equal-features-different-labels":
    "Look at the samples that are named: duplicates with different labels, or features that were cut too far.",
  "features-dropped":
    "Compare normalised κ between networks on the same data, and look for the reason in the layer below.",
  "few-samples": "Measure on more samples before you compare values.",
  "gauss-newton-differs": "Do not compare with values of methods that take the one matrix for the other.",
  "gauss-newton-is-not-hessian":
    "Measure the Hessian of the definition, the default of --curvature, where it is to be had.",
  "gradient-not-small":
    "Measure on the data that the network was trained on, or train it further, before you compare it with others.",
  "half-precision-widened": "Nothing needs to be done; the weights are the same.",
  "held-out-seen": "Give held-out data that the model did not train on.",
  "iteration-not-converged": "Take the value as a lower bound of the eigenvalue’s size, and as rough.",
  "labels-unknown": "Give a --teacher where the labels of moved features are known.",
  "not-rescalable": "Invariance can be shown on networks of ReLU and other positively homogeneous operators only.",
  "regression-labels":
    "Take κ as a property of the loss surface, and not as a sign of how well the network generalizes.",
  "relative-error-not-met": "Give more samples, or ask for less.",
  "teacher-disagrees": "Check that the teacher reads these features and counts classes as the data do.",
  "trailing-activation":
    "Nothing needs to be done if the loss of the training contained the activation; else choose the loss with --loss.",
  "twin-differs": "Take changes of that size for rounding, and not for a dependence on the weights’ scale.",
  "variance-normalization": "Use --normalize std, unless published numbers that divide by the variance are to be met.",
  "weights-by-shape": "Check with --explain-weights that each tensor went to its place.",
  "weights-kept": "Check that the model’s own constants belong to these weights, too.",
};
