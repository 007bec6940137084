// Names that training graphs have and no model has.

/** All trained parameters, [P], before and after a step. */
export const WEIGHTS = "training/weights";
export const NEW_WEIGHTS = "training/new weights";
/** Running statistics of batch normalizations, [Q], before and after a step. */
export const STATISTICS = "training/statistics";
export const NEW_STATISTICS = "training/new statistics";
/** A vector that the optimizer keeps, [P], before and after a step. */
export const slotName = (slot: string) => `training/slot ${slot}`;
export const newSlotName = (slot: string) => `training/new slot ${slot}`;
/** A hyperparameter, a scalar. */
export const numberName = (number: string) => `training/number ${number}`;

export const LABELS = "training/labels";
/** 1 for each sample of a batch, 0 for one that pads it, [B]. */
export const SAMPLE_WEIGHTS = "training/sample weights";

/** Mean loss of the batch before the step; what regularizers add to it; ‖gradient‖ of the sum. Scalars. */
export const LOSS = "training/loss";
export const PENALTY = "training/penalty";
export const GRADIENT_NORM = "training/gradient norm";
/** Loss of each sample, and how many of its terms are right and count, [B]. */
export const LOSSES = "training/losses";
export const CORRECT = "training/correct";
export const COUNTED = "training/counted";
export const GRADIENT = "training/gradient";
/** Weights at which the gradient is taken, where those are others than the step starts from, [P]. */
export const POINT = "training/point";

/** How many steps a loop takes, and the samples of each, [steps, batch]. */
export const STEPS = "training/steps";
export const ORDER = "training/order";
