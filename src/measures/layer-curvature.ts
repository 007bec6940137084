import { obstacle, type Above } from "../calculus/above.ts";
import { rowCount } from "../calculus/positions.ts";
import type { Layer } from "../graph/layers.ts";
import type { CurvatureMethod, Form, Plan, Refusal, Task } from "./measure.ts";

/** Above this predicted cost, in forward passes, `auto` estimates with columns. */
const LARGEST_COLUMN_COST = 32;
/** Up to this many directions `auto` sweeps along all of them. */
const LARGEST_DIRECTIONS = 512;
/** Above this predicted cost, in forward passes, `auto` does not sweep where one set of directions serves many positions. */
const LARGEST_SWEEP_COST = 40;

/** Where positions are mixed and samples are more than these, more probed samples serve better than so many directions. */
const FEW_SAMPLES = 1000;
const LARGEST_DIRECTIONS_OF_MANY = 80;

/**
 * How the curvature of one layer is had, and a form of it: Tr over W Wᵀ (relative flatness) or over the identity (trace). The one
 * place where a method is chosen.
 *
 * @param factor multiplies the value
 */
export function planCurvature(layer: Layer, task: Task, form: Form, factor = 1): Plan | Refusal {
  const above = task.above(layer);
  const method = chooseMethod(layer, task, above, form);
  if (typeof method !== "string") return method;
  return { kind: "curvature", form, factor, method, curvature: task.curvature };
}

function chooseMethod(layer: Layer, task: Task, above: Above, form: Form): CurvatureMethod | Refusal {
  const reason = obstacle(above);
  if (reason !== undefined) return { kind: "refusal", reason };
  if (above.kind === "logits") return "closed-form";
  if (above.kind === "piecewise-linear" || task.curvature === "gauss-newton") return columnMethod(task);
  if (above.kind !== "reused") return sweepMethod(layer, task, form);
  return {
    kind: "refusal",
    reason: `node ${above.node} applies the same weight again to what comes of it, so that its Hessian is not the Gauss-Newton matrix; --curvature gauss-newton measures the latter`,
  };
}

/** Exact columns, unless an estimate is asked for or `auto` finds them too dear; never an estimate that saves nothing. */
function columnMethod({ loss, method, columnCost, terms }: Task): CurvatureMethod {
  if (loss.estimatedCount(terms) >= loss.columnCount(terms)) return "gauss-newton-exact";
  if (method === "probes") return "gauss-newton-probes";
  return method === "auto" && columnCost > LARGEST_COLUMN_COST ? "gauss-newton-probes" : "gauss-newton-exact";
}

function sweepMethod(layer: Layer, task: Task, form: Form): CurvatureMethod {
  if (task.method !== "auto") return task.method === "exact" ? "taylor-exact" : "taylor-probes";
  const mixes = task.mixes(layer);
  const directions = directionCount(layer, form, mixes);
  if (mixes && task.samples > FEW_SAMPLES && directions > LARGEST_DIRECTIONS_OF_MANY) return "taylor-probes";
  return isSwept(layer, mixes, directions, task.sweepCost(layer, directions)) ? "taylor-exact" : "taylor-probes";
}

/** Whether `auto` sweeps along so many directions of a layer, at such a cost in forward passes, on few samples. */
export function isSwept(layer: Layer, mixes: boolean, directions: number, cost: number): boolean {
  const atAll = mixes ? directions : directions * rowCount(layer);
  return atAll <= LARGEST_DIRECTIONS || (!mixes && directions <= LARGEST_DIRECTIONS && cost <= LARGEST_SWEEP_COST);
}

/** Directions of the exact sweep: the rank of W Wᵀ or of the identity, times the features where positions are mixed. */
export function directionCount(layer: Layer, form: Form, mixes: boolean): number {
  const { d, m, groups } = layer;
  const rank = form === "trace" ? d : Math.min(d / groups, m) * groups;
  return rank * (mixes ? rowCount(layer) : 1);
}
