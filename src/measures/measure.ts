import type { Above } from "../calculus/above.ts";
import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { Loss, Terms } from "../losses/loss.ts";

export type Method = "auto" | "exact" | "probes";
export type Curvature = "hessian" | "gauss-newton";

/** A quadratic form of a layer's curvature: over W Wᵀ (relative flatness) or over the identity (trace). */
export type Form = "weighted" | "trace";

/** How such a form is had. */
export type CurvatureMethod =
  /** The scores are z plus a constant. */
  | "closed-form"
  /** All columns of the loss's factor pulled back, or an estimate's few. */
  | "gauss-newton-exact"
  | "gauss-newton-probes"
  /** Forward sweeps of second order along all directions, or along random ones. */
  | "taylor-exact"
  | "taylor-probes";

/** What a measure knows of the network and of what the user asked for. */
export interface Task {
  readonly b: Builder;
  readonly loss: Loss;
  readonly terms: Terms;
  readonly scores: ValueId;
  /** All layers of the network, asked for or not. */
  readonly layers: readonly Layer[];
  readonly method: Method;
  readonly curvature: Curvature;
  /** How many samples are measured on. */
  readonly samples: number;
  above(layer: Layer): Above;
  /** Whether the network above the layer mixes its positions. */
  mixes(layer: Layer): boolean;
  /** Predicted cost of the exact columns for all layers that take them, in forward passes of the model. */
  readonly columnCost: number;
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
  /** `factor` times a form of the layer's curvature, the mean of a value per sample. */
  | {
      readonly kind: "curvature";
      readonly form: Form;
      readonly factor: number;
      readonly method: CurvatureMethod;
      readonly curvature: Curvature;
    }
  /** A number found by products with the curvature matrix, each a pass over the data. */
  | {
      readonly kind: "iterative";
      readonly method: string;
      readonly curvature: Curvature;
      run(iteration: Iteration): Promise<IterativeEstimate>;
    };

/** The Hessian (or Gauss-Newton matrix) of the mean loss in some layers' weights together, as an operator. */
export interface CurvatureOperator {
  /** Number of weights; each layer's stand together, in the order of its rows. */
  readonly size: number;
  /** H v, by one pass over the data. */
  apply(vector: Float64Array): Promise<Float64Array>;
}

/** What an iterative measure may ask for. */
export interface Iteration {
  readonly seed: number;
  /** Opens the operator of some layers, runs, and closes it again. */
  withOperator<T>(layers: readonly Layer[], run: (operator: CurvatureOperator) => Promise<T>): Promise<T>;
}

export interface IterativeEstimate {
  readonly value: number;
  /** Eigenvalues and their weights, where the measure is a density. */
  readonly density?: { readonly values: readonly number[]; readonly weights: readonly number[] };
  readonly warning?: string;
}

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
  /** The same of all layers' weights together, where that is a quantity too. */
  planNetwork?(layers: readonly Layer[], task: Task): Plan | Refusal;
}
