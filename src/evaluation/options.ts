import type { Graph } from "../graph/graph.ts";
import type { Curvature, Method, Noise, Normalization } from "../measures/measure.ts";
import type { Sampled } from "./sampled.ts";

/** What is asked of a measurement; the command line's options, under the same names. */
export interface MeasureOptions {
  /** Layers by name (with or without `.weight`), initializer or node; `last` is the one nearest to the outputs. */
  readonly layers?: "all" | "last" | readonly string[];
  readonly measures?: "all" | readonly string[];
  /** `auto` is exact unless that is predicted to cost more than 32 forward passes. */
  readonly method?: Method;
  readonly curvature?: Curvature;
  /** Default: cross-entropy for integer labels, squared-error-mean else. */
  readonly loss?: string;
  /** Of all that is random. The same seed gives the same numbers. */
  readonly seed?: number;
  /** Samples run at once. Default: what the method runs fastest with. */
  readonly batch?: number;
  /** Threads of the runtime. Default: the machine's cores. */
  readonly threads?: number;
  /** Execution provider; default cpu. */
  readonly provider?: string;
  /** Model input → array of the data. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** The output that is the network's scores, where there are several. */
  readonly output?: string;
  /** Array of the labels; default y. */
  readonly labels?: string;
  /** Label of loss terms that do not count, where a sample has several; default −100. */
  readonly ignoreIndex?: number;
  /** Random directions a sample, where the Hessian is estimated; default 4. */
  readonly probes?: number;
  /** About so many samples have random quantities drawn twice, with as many probes again, from which the probe error is known; default 160. */
  readonly pairedSamples?: number;
  /**
   * Divide the features of every measured layer by their standard deviation and multiply its weights with it, so that measures do not
   * change with the scale of single features (Theorem 4); `variance`, which is not invariant, for comparison with published numbers.
   */
  readonly normalize?: Normalization;
  /** Count biases as weights of the network: in its norm and gradient, the Fisher-Rao norm, and under noise. */
  readonly biases?: boolean;
  /** Factor of the Fisher-Rao norm's closed form. Default: the number of layers with weights. */
  readonly prefactor?: number;
  /** Divide relative flatness by the layer's number of features m, as some publications do; the row's options say so. */
  readonly perFeature?: boolean;
  /** Noise of PAC-Bayes measures: of one size (default), or in proportion to each weight. */
  readonly noise?: Noise;
  /** How often noise is drawn; default 10. */
  readonly noiseDraws?: number;
  /** The network with the weights that distances are from. */
  readonly init?: { readonly file: string; readonly graph: Graph };
  /** Data to test on. With it the generalization gap is among the default measures. */
  readonly test?: Sampled;
  /** Keep every sample's value. */
  readonly perSample?: boolean;
  /** Told after each batch how many of the samples are done; the note says what iterates, whose passes are not known beforehand. */
  readonly onProgress?: (done: number, total: number, note?: string) => void;
  /** Stops between batches. */
  readonly signal?: AbortSignal;
}
