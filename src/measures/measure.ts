import type { Above } from "../calculus/above.ts";
import type { GaussNewton } from "../calculus/gauss-newton.ts";
import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { Loss } from "../losses/loss.ts";

export type Method = "auto" | "exact" | "probes";
export type Curvature = "hessian" | "gauss-newton";
/** Columns of the loss Hessian's factor: all of them, or the estimate's few. */
export type Columns = "exact" | "estimated";

/** What a measure knows of the network and of what the user asked for. */
export interface Task {
  readonly b: Builder;
  readonly loss: Loss;
  /** The network's raw outputs, [B, C]. */
  readonly outputs: ValueId;
  readonly method: Method;
  readonly curvature: Curvature;
  above(layer: Layer): Above;
  /** Predicted cost of the exact columns for all requested layers, in forward passes of the model. */
  readonly exactCost: number;
}

/** What is built once for all measures of a pass. */
export interface Shared {
  readonly b: Builder;
  readonly loss: Loss;
  readonly outputs: ValueId;
  /** The loss's columns pulled back to a layer, and what is made of them. */
  gaussNewton(layer: Layer, columns: Columns): GaussNewton;
}

/** Why a measure cannot be had for a layer. */
export interface Refusal {
  readonly kind: "refusal";
  readonly reason: string;
}

/** How a measure is computed: measures describe, evaluation plans and runs. */
export type Plan =
  /** A number of the weights alone. */
  | { readonly kind: "weights"; value(): number }
  /** A number per sample, emitted into the pass's graph as a value [B]; the measure is its mean. */
  | {
      readonly kind: "per-sample";
      readonly method: string;
      readonly curvature: Curvature;
      /** Which columns the value is made of, where it is made of columns: estimates carry a probe error. */
      readonly columns?: Columns;
      readonly layer: Layer;
      emit(shared: Shared): ValueId;
    };

/** One quantity: a name, where it comes from, what leaves it unchanged, and how it is had. */
export interface Measure {
  readonly name: string;
  readonly symbol: string;
  readonly title: string;
  readonly source: string;
  readonly scope: "layer" | "network";
  /** Rewritings of the network, without change of its function, that leave the measure as it is. */
  readonly invariances: readonly string[];
  plan(layer: Layer, task: Task): Plan | Refusal;
}
