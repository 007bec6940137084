import type { Dataset } from "./data/dataset.ts";
import { openDataset } from "./data/open.ts";
import { chosenSamples } from "./data/samples.ts";
import { ModelError, UsageError } from "./errors.ts";
import { bindInputs } from "./evaluation/binding.ts";
import { generatedInputs } from "./evaluation/generated-inputs.ts";
import { proveTwin, type OutputDifference } from "./evaluation/twin-proof.ts";
import { inCanonicalForm, readModelAsWritten } from "./graph/files.ts";
import type { Graph, ValueId, ValueType } from "./graph/graph.ts";
import { decodeModel, encodeModel } from "./graph/onnx.ts";
import { foldBatchNorm } from "./graph/reparameterization/batch-norm-folding.ts";
import { layerWise } from "./graph/reparameterization/layer-wise.ts";
import { everywhere, neuronWise, type FactorRange } from "./graph/reparameterization/neuron-wise.ts";
import {
  factorsOfLayers,
  findRescalings,
  rescaled,
  whyNone,
  type LayerFactors,
} from "./graph/reparameterization/rescalings.ts";
import { softmaxShift } from "./graph/reparameterization/softmax-shift.ts";
import { elementSize } from "./graph/tensor.ts";
import type { Dims } from "./graph/tensor.ts";
import { localData, localModel, type LocalPathOptions } from "./remote/local-path.ts";
import { nodeRuntime } from "./runtime/node.ts";
import { RandomStream } from "./statistics/random.ts";

/** A way to write the same function with other weights. */
export type Reparameterization =
  /** Layers times factors, whose product along every path to the outputs is 1. */
  | { readonly kind: "layer-wise"; readonly factors: Readonly<Record<string, number>> }
  /** Each neuron of some layers times a random factor, what reads it divided by it; `all` takes every neuron that can be. */
  | { readonly kind: "neuron-wise"; readonly layers: "all" | readonly string[]; readonly range?: FactorRange }
  /** All class scores moved alike: W + 1vᵀ. */
  | { readonly kind: "softmax-shift"; readonly layer: string }
  /** Layers that do what the BatchNormalization behind them did. */
  | { readonly kind: "fold-batch-norm" };

export interface ReparameterizeOptions extends Pick<LocalPathOptions, "signal" | "onDownload"> {
  /** Of random factors, shifts and samples. */
  readonly seed?: number;
  /** Samples that the twin is proven on: a data set as for measuring. Default: random ones of the model's input shapes. */
  readonly data?: string;
  readonly split?: string;
  readonly preprocess?: string;
  readonly samples?: number | string;
  /** Model input → array of the data. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Model input → shape of one sample, for random samples where the model leaves sizes open. */
  readonly shapes?: Readonly<Record<string, Dims>>;
  readonly threads?: number;
}

/** What was done, and that it changes nothing. */
export interface ReparameterizationReport {
  readonly schema: 1;
  readonly model: { readonly file: string; readonly sha256: string; readonly opset: number };
  readonly reparameterization: Reparameterization;
  readonly seed: number;
  /** By what the weights of each changed layer were multiplied. */
  readonly layers: readonly LayerFactors[];
  /** Nodes that were folded, and those that could not be. */
  readonly folded?: readonly { readonly node: string; readonly layer: string }[];
  readonly left?: readonly { readonly node: string; readonly reason: string }[];
  readonly proof: {
    readonly data: string;
    readonly n: number;
    readonly outputs: readonly OutputDifference[];
  };
}

export interface Reparameterized {
  /** The twin as an ONNX file: all but its weights as in the model's. */
  readonly bytes: Uint8Array;
  readonly report: ReparameterizationReport;
}

/** Factors of --neuron-wise and of random twins. */
export const defaultRange: FactorRange = [0.2, 5];
const GENERATED_SAMPLES = 64;
/** A message of protocol buffers, and with it an ONNX file, ends here. */
const LARGEST_FILE = 2 ** 31 - 1;

/**
 * Writes a network's function with other weights, and proves on data that it is the same function.
 *
 * Cost: a pass over the graph, and two forward passes over the samples.
 *
 * @param model path of an .onnx file, `hf://owner/model/file.onnx@revision`, or `example:digits-mlp`
 * @throws UsageError naming the node where the rewriting would change the function; ModelError, DataError for the files
 */
export async function reparameterize(
  model: string,
  reparameterization: Reparameterization,
  options: ReparameterizeOptions = {},
): Promise<Reparameterized> {
  const { seed = 0, threads = nodeRuntime.cores } = options;
  const place = await localModel(model, options);
  const written = readModelAsWritten(place.path, place.name);
  checkSize(written.graph, model);
  const { graph, precision } = inCanonicalForm(written);
  if (precision) {
    throw new ModelError(
      `${written.file}: it computes in ${precision}, in which a twin would be another function by its rounding; expected float32: export it in float32`,
    );
  }
  const data = await openSamples(graph, options);
  const binding = bindInputs(graph, data, options.inputs);
  const declared = graph.inputs.map((input) => input.dims?.[0]).find((size) => typeof size === "number");
  const types = binding.types(declared ?? 1);
  const { twin, scores, ...changes } = rewritten(graph, written.graph, types, reparameterization, seed);
  const bytes = encodeModel(twin);
  const { indices } = await chosenSamples(options.samples === undefined ? undefined : String(options.samples), data.n);
  const source = { data, indices, binding };
  // What is run is what the file will hold.
  const again = decodeModel(bytes, { file: model });
  const outputs = await proveTwin(written, again, scores, source, nodeRuntime, { provider: "cpu", threads });
  const { file, sha256, opset } = written;
  const proof = { data: data.source, n: indices.length, outputs };
  return { bytes, report: { schema: 1, model: { file, sha256, opset }, reparameterization, seed, ...changes, proof } };
}

interface Rewritten extends Pick<ReparameterizationReport, "layers" | "folded" | "left"> {
  readonly twin: Graph;
  /** Outputs that are equal after a softmax along an axis. */
  readonly scores: ReadonlyMap<ValueId, number>;
}

function rewritten(
  graph: Graph,
  original: Graph,
  types: ReadonlyMap<ValueId, ValueType>,
  reparameterization: Reparameterization,
  seed: number,
): Rewritten {
  const stream = new RandomStream(seed, reparameterization.kind);
  const none: ReadonlyMap<ValueId, number> = new Map();
  switch (reparameterization.kind) {
    case "layer-wise": {
      const rescalings = findRescalings(graph, types, "layer", original);
      const factors = layerWise(rescalings, reparameterization.factors);
      return { twin: rescaled(rescalings, factors), scores: none, layers: factorsOfLayers(rescalings, factors) };
    }
    case "neuron-wise": {
      const { layers, range = defaultRange } = reparameterization;
      const rescalings = findRescalings(graph, types, "neuron", original);
      const draw = () => stream.uniform();
      const factors =
        layers === "all" ? everywhere(rescalings, range, draw) : neuronWise(rescalings, layers, range, draw);
      if (factors.size === 0) throw new UsageError(`no neuron of the model can be rescaled: ${whyNone(rescalings)}.`);
      return { twin: rescaled(rescalings, factors), scores: none, layers: factorsOfLayers(rescalings, factors) };
    }
    case "softmax-shift": {
      const shifted = softmaxShift(graph, types, reparameterization.layer, () => stream.normal(), original);
      return { twin: shifted.graph, scores: shifted.scores, layers: [] };
    }
    case "fold-batch-norm": {
      const { graph: twin, folded, left } = foldBatchNorm(graph, types, original);
      if (folded.length === 0) {
        const reasons = left.map(({ node, reason }) => `node ${node}: ${reason}`);
        throw new UsageError(`no BatchNormalization can be folded: ${reasons.join("; ") || "the model has none"}.`);
      }
      return { twin, scores: none, layers: [], folded, left };
    }
  }
}

async function openSamples(graph: Graph, options: ReparameterizeOptions): Promise<Dataset> {
  const { data, split, preprocess, inputs = {}, shapes, seed = 0, signal, onDownload } = options;
  if (data === undefined) return generatedInputs(graph, GENERATED_SAMPLES, seed, shapes);
  if (shapes) throw new UsageError("shapes are those of the data; expected either data or shapes, came both.");
  const { path, name } = await localData(data, { split, signal, onDownload });
  const arrays = Object.values(inputs);
  const opened = await openDataset(path, { split, preprocess, input: arrays.length === 1 ? arrays[0] : undefined });
  return name === path ? opened : { ...opened, source: name };
}

/** @throws ModelError before anything is read, where the twin could not be one file */
function checkSize(graph: Graph, file: string): void {
  let bytes = 0;
  for (const tensor of graph.constants.values()) bytes += tensor.size * elementSize(tensor.type);
  if (bytes < LARGEST_FILE) return;
  throw new ModelError(
    `${file}: its weights are ${(bytes / 2 ** 30).toFixed(1)} GB; expected at most 2 GB, which is what one ONNX file holds.`,
  );
}
