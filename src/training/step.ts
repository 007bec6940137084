import { pullBack } from "../calculus/vjp.ts";
import { followedBy } from "../graph/composition.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import { add, div, mul, sqrt } from "../graph/operators.ts";
import { ofBatch, updatedStatistics } from "./batch-statistics.ts";
import {
  COUNTED,
  GRADIENT,
  GRADIENT_NORM,
  LOSS,
  NEW_STATISTICS,
  NEW_WEIGHTS,
  newSlotName,
  numberName,
  PENALTY,
  POINT,
  slotName,
  STATISTICS,
  WEIGHTS,
} from "./names.ts";
import type { Optimizer } from "./optimizers.ts";
import { joinVector } from "./parameters.ts";
import type { Perturbation } from "./perturbation.ts";
import type { Penalty } from "./regularizers/penalty.ts";
import { type Lowering, meanOverTerms, scored, type Scored, type Task, weightedTotal } from "./scored.ts";

/** What a step does, but for its numbers. */
export interface StepDesign {
  readonly task: Task;
  readonly optimizer: Optimizer;
  readonly penalties: readonly Penalty[];
  /** Where the gradient is taken, if not at the weights. */
  readonly perturbation?: Perturbation;
  /** Whether the gradient's norm is limited, by the number `clip`. */
  readonly clips: boolean;
  readonly lower?: Lowering;
}

/** PyTorch's, in clip_grad_norm_. */
const CLIPPING_EPSILON = 1e-6;

/**
 * One training step as a graph: loss, gradient, update.
 *
 * Inputs: WEIGHTS [P], the optimizer's slots [P], STATISTICS [Q] of batch normalizations, the model's inputs and LABELS of `batch`
 * samples, numbers as scalars. Outputs: NEW_WEIGHTS, the slots and statistics after the step; LOSS, PENALTY and GRADIENT_NORM before it.
 */
export function stepGraph(design: StepDesign, batch: number): Graph {
  const { perturbation } = design;
  if (!perturbation) return descent(design, batch, WEIGHTS);
  const first = differentiated(design, batch, WEIGHTS);
  const { b, gradient, outputs } = first;
  const point = perturbation.point(b, WEIGHTS, gradient, numbersIn(b));
  const ascent = b.graph(new Map([...outputs, [POINT, point]]));
  return followedBy(ascent, descent(design, batch, POINT), new Map([[POINT, POINT]]), [...outputs.keys()]);
}

/** The gradient at a point, and the step from the weights along it. */
function descent(design: StepDesign, batch: number, point: ValueId): Graph {
  const { task, optimizer, clips } = design;
  const { b, gradient, outputs } = differentiated(design, batch, point);
  const { size } = task.layout;
  if (point !== WEIGHTS) b.input(WEIGHTS, "float32", [size]);
  const number = numbersIn(b);
  const slots = new Map(optimizer.slots.map((slot) => [slot, b.input(slotName(slot), "float32", [size])]));
  const limit = () => div(b, number("clip"), add(b, outputs.get(GRADIENT_NORM) as ValueId, b.scalar(CLIPPING_EPSILON)));
  const updated = optimizer.update(b, {
    weights: WEIGHTS,
    gradient: clips ? mul(b, gradient, b.add("Min", [limit(), b.scalar(1)])) : gradient,
    slot: (name) => slots.get(name) as ValueId,
    number,
  });
  return b.graph(
    new Map([
      [NEW_WEIGHTS, updated.weights],
      ...Object.entries(updated.slots).map(([slot, value]) => [newSlotName(slot), value] as const),
      ...outputs,
    ]),
  );
}

/** Scalars by name, each an input when it is first asked for. */
function numbersIn(b: Scored["b"]): (name: string) => ValueId {
  return (name) => (b.typeIfKnown(numberName(name)) ? numberName(name) : b.input(numberName(name), "float32", []));
}

/** Loss and penalties with their gradient [P]. */
function differentiated({ task, penalties, lower }: StepDesign, batch: number, point: ValueId) {
  const { statistics, statisticsLayout, layout } = task;
  const needed = [
    ...statistics.flatMap((entry) => [entry.node, ofBatch(entry)]),
    ...penalties.flatMap(({ reads }) => reads),
  ];
  const plain = penalties.some(({ sweeps }) => sweeps);
  const forward = scored(task, batch, { weights: point, training: true, needed, lower: plain ? undefined : lower });
  const { b, losses } = forward;
  const number = numbersIn(b);
  const loss = meanOverTerms(forward, losses);
  const added = penalties.map(({ name, value }) => mul(b, value(forward), number(name)));
  const penalty = added.length === 0 ? undefined : added.reduce((sum, each) => add(b, sum, each));
  const total = penalty === undefined ? loss : add(b, loss, penalty);
  const targets = layout.entries.map(({ name }) => name);
  const gradient = joinVector(b, layout, pullBack(b, new Map([[total, b.scalar(1)]]), targets, 0));
  const norm = sqrt(b, b.add("ReduceSumSquare", [gradient, b.integers([0])], { keepdims: 0 }));
  const outputs = new Map([
    [LOSS, loss],
    ...(penalty === undefined ? [] : [[PENALTY, penalty] as const]),
    [GRADIENT_NORM, norm],
    ...(statistics.length === 0
      ? []
      : [[NEW_STATISTICS, updatedStatistics(b, STATISTICS, statisticsLayout, statistics)] as const]),
  ]);
  return { b, gradient, outputs };
}

/**
 * The gradient of the summed loss in some parameters, one after the other, GRADIENT; SAMPLE_WEIGHTS [B] leave out what pads a batch. And
 * COUNTED [B] where terms may not count.
 */
export function gradientGraph(task: Task, names: readonly ValueId[], batch: number): Graph {
  const forward = scored(task, batch);
  const { b, loss, scores, labels } = forward;
  const gradients = pullBack(b, new Map([[weightedTotal(forward), b.scalar(1)]]), names, 0);
  const entries = task.layout.entries.filter(({ name }) => names.includes(name));
  const counted = loss.counted?.(b, scores, labels);
  return b.graph(
    new Map([
      [GRADIENT, joinVector(b, { entries, size: 0 }, gradients)],
      ...(counted === undefined ? [] : [[COUNTED, counted] as const]),
    ]),
  );
}
