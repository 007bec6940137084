import type { Above } from "../calculus/above.ts";
import type { Scored } from "../calculus/hessian-form.ts";
import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { Terms } from "../losses/loss.ts";

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

/** What features are divided by before a layer is measured: their standard deviation (Theorem 4), or their variance. */
export type Normalization = "std" | "variance";

/** Gaussian noise on the weights: of one size for all, or of each weight's own. */
export type Noise = "uniform" | "magnitude-aware";

/** Other weights of the same network, which its own are compared with: those that training began with. */
export interface Initial {
  readonly file: string;
  /** As the initializer stores them. @throws ModelError where there are none of that name and size */
  values(initializer: ValueId): ArrayLike<number>;
}

/** What a measure knows of the network and of what the user asked for. */
export interface Task extends Scored {
  readonly b: Builder;
  readonly terms: Terms;
  /** All layers of the network, asked for or not. */
  readonly layers: readonly Layer[];
  readonly method: Method;
  readonly curvature: Curvature;
  /** How many samples are measured on. */
  readonly samples: number;
  /** Every weight of the network once: the layers' and, where they are asked for, the biases. */
  readonly parameters: readonly ValueId[];
  /** Whether biases are among them. */
  readonly biases: boolean;
  readonly initial: Initial | undefined;
  /** Whether there are samples to test on. */
  readonly tested: boolean;
  /** Factor of the Fisher-Rao norm's closed form; undefined for the number of layers with weights. */
  readonly prefactor: number | undefined;
  /** Whether relative flatness is divided by the number of features m. */
  readonly perFeature: boolean;
  readonly noise: Noise;
  /** How often noise is drawn. */
  readonly noiseDraws: number;
  above(layer: Layer): Above;
  /** Whether the network above the layer mixes its positions. */
  mixes(layer: Layer): boolean;
  /** Predicted cost of the exact columns for all layers that take them, in forward passes of the model. */
  readonly columnCost: number;
  /** Predicted cost of a sweep along so many directions of a layer, in forward passes of the model. */
  sweepCost(layer: Layer, directions: number): number;
}

/** Why a measure cannot be had for a layer. */
export interface Refusal {
  readonly kind: "refusal";
  readonly reason: string;
}

/** How a measure is computed: measures describe, evaluation plans and runs. */
export type Plan = (WeightsPlan | CurvaturePlan | SamplesPlan | IterativePlan) & {
  /** What the number was got under, where it could be otherwise. */
  readonly options?: Readonly<Record<string, unknown>>;
};

/** A number of the weights alone. */
export interface WeightsPlan {
  readonly kind: "weights";
  value(): number;
}

/** `factor` times a form of the layer's curvature, the mean of a value per sample. */
export interface CurvaturePlan {
  readonly kind: "curvature";
  readonly form: Form;
  readonly factor: number;
  readonly method: CurvatureMethod;
  readonly curvature: Curvature;
}

/** A function of the mean of a value per sample, which is emitted into the pass that every measurement has. */
export interface SamplesPlan {
  readonly kind: "samples";
  readonly method: string;
  /** The value of each sample, [B]; where a sample has several loss terms, the sum over them. */
  emit(b: Builder, scored: Scored): ValueId;
  /**
   * The number and its standard error.
   *
   * @param test of the same value on the test data, where the plan asks for it
   */
  finish(data: SampleMean, test: SampleMean | undefined): { value: number; standardError: number };
  /** Whether it wants the value of the test data's samples too. */
  readonly onTest?: boolean;
}

/** The mean of a value per sample over loss terms: Σ x_i / Σ T_i. */
export interface SampleMean {
  readonly n: number;
  readonly mean: number;
  readonly standardError: number;
  /** Loss terms of a sample. */
  readonly meanTerms: number;
}

/** A number found by passes over the data: products with the curvature matrix, a gradient, other weights. */
export interface IterativePlan {
  readonly kind: "iterative";
  readonly method: string;
  readonly curvature: Curvature | null;
  run(iteration: Iteration): Promise<IterativeEstimate | Refusal>;
}

/** The Hessian (or Gauss-Newton matrix) of the mean loss in some layers' weights together, as an operator. */
export interface CurvatureOperator {
  /** Number of weights; each layer's stand together, in the order of its rows. */
  readonly size: number;
  /** H v, by one pass over the data. */
  apply(vector: Float64Array): Promise<Float64Array>;
}

/** Per sample, of the network with other weights: how many terms are right, over the mean number of terms. */
export type Accuracies = (weights: ReadonlyMap<ValueId, Float32Array>) => Promise<Float64Array>;

/** What an iterative measure may ask for. */
export interface Iteration {
  readonly seed: number;
  /** Opens the operator of some layers, runs, and closes it again. */
  withOperator<T>(layers: readonly Layer[], run: (operator: CurvatureOperator) => Promise<T>): Promise<T>;
  /** ∂R/∂θ of every weight of the network as its initializer stores it; one pass, whoever asks. */
  gradient(): Promise<ReadonlyMap<ValueId, Float64Array>>;
  /** Opens the network with weights of our choice, runs, and closes it again. */
  withAccuracies<T>(run: (accuracies: Accuracies) => Promise<T>): Promise<T>;
  /** What several measures are made of: made once. */
  once<T>(name: string, make: () => Promise<T>): Promise<T>;
}

export interface IterativeEstimate {
  readonly value: number;
  /** Absent for what is no average over data. */
  readonly standardError?: { readonly data: number; readonly probe: number };
  /** Eigenvalues, their weights, and how many there are, where the measure is a density. */
  readonly density?: { readonly values: readonly number[]; readonly weights: readonly number[]; readonly size: number };
  /** The noise that the measure is made of. */
  readonly noise?: NoiseScale;
  readonly warning?: string;
}

/** How much Gaussian noise on the weights costs the tolerated accuracy. */
export interface NoiseScale {
  /** Its standard deviation; of magnitude-aware noise over that of the weight. */
  readonly sigma: number;
  readonly standardError: { readonly data: number; readonly probe: number };
  /** The mean drop in accuracy at σ. */
  readonly drop: number;
  readonly draws: number;
}

/** What a measure wants besides a model and data. */
export type Need = "labels of classes" | "derivative rules" | "test data";

/** What a measure costs: nothing but the weights, its share of few passes, or many passes of its own. */
export type Cost = "weights" | "passes" | "many passes";

/** One quantity: a name, where it comes from, what leaves it unchanged, and how it is had. */
export interface Measure {
  readonly name: string;
  readonly symbol: string;
  readonly title: string;
  /** Its equation, in plain text. */
  readonly equation: string;
  readonly source: string;
  readonly scope: "layer" | "network" | "layer and network";
  readonly needs: readonly Need[];
  /** Exact, or an estimate with random numbers; some are either, by --method and the network. */
  readonly exactness: "exact" | "estimated" | "exact or estimated";
  readonly cost: Cost;
  /** Rewritings of the network, without change of its function, that leave the measure as it is. */
  readonly invariances: readonly Invariance[];
  /** Of one layer. Several plans are several rows. */
  plan?(layer: Layer, task: Task): Plan | Refusal | readonly Plan[];
  /** Of all layers' weights together. */
  planNetwork?(layers: readonly Layer[], task: Task): Plan | Refusal | readonly Plan[];
}

/** Rewritings of a network that keep its function, where what lies between is ReLU or the like. */
export type Invariance =
  /** A whole layer times α, the next over α. */
  | "layer-wise rescaling"
  /** Each neuron of the measured layer times an α of its own, what reads it over α. */
  | "neuron-wise rescaling of its outputs"
  /** Each feature that the measured layer reads times an α of its own, the layer over α. */
  | "neuron-wise rescaling of its inputs"
  /** W + 1vᵀ of the last layer, under a softmax. */
  | "softmax shift (last layer)";
