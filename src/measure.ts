import { openDataset } from "./data/open.ts";
import { chosenSamples } from "./data/samples.ts";
import { measureToAccuracy } from "./evaluation/accuracy.ts";
import { measureModel, type Measurement } from "./evaluation/measure-model.ts";
import type { MeasureOptions } from "./evaluation/options.ts";
import { readModel } from "./graph/files.ts";
import { nodeRuntime } from "./runtime/node.ts";

/** Options of {@link measure}: what is measured, and which part of the data on. */
export interface MeasureFileOptions extends MeasureOptions {
  /** `train` or `test`, where the source has parts. */
  readonly split?: string;
  /** Steps applied to the input, such as `scale=255,pad=2,channels=3`, or a .json or .yaml file of them. */
  readonly preprocess?: string;
  /**
   * Relative standard error to reach, such as 0.02: as few samples (drawn at random) and probes as reach it are taken. Without
   * it, all samples.
   */
  readonly relativeError?: number;
  /** The first N samples, or an .npy file of indices. Default: all. */
  readonly samples?: number | string;
}

/**
 * Measures a model file on a data set: relative flatness κ and its peers, for every layer, with standard errors.
 *
 * κ(W) = Σ_{s,s'} ⟨w_s, w_s'⟩ Tr(H_{s,s'}) (Petzka et al. 2021, Definition 3); small is flat; in the unit of the loss.
 *
 * Cost: one forward pass for the last layer; for the layers below about 1.3 forward passes a class when exact.
 *
 * @param model path of an .onnx file, or `example:digits-mlp`
 * @param data path of a data set (.npz, IDX files, folders of images, Parquet), or `example:digits`
 * @throws ModelError, DataError, UsageError with one sentence on what was expected, what came and what to do
 */
export async function measure(model: string, data: string, options: MeasureFileOptions = {}): Promise<Measurement> {
  const { split, preprocess, samples, relativeError, ...rest } = options;
  const subject = readModel(model);
  // Where no input is named x, the data's x still is what goes in.
  const dataset = await openDataset(data, { split, preprocess, labels: options.labels, input: onlyInput(options) });
  const chosen = await chosenSamples(samples === undefined ? undefined : String(samples), dataset.n);
  const sampled = { data: dataset, ...chosen };
  if (relativeError !== undefined) return measureToAccuracy(subject, sampled, rest, relativeError, nodeRuntime);
  return measureModel(subject, sampled, rest, nodeRuntime);
}

/** The array that --input names, when it names one. */
function onlyInput({ inputs = {} }: MeasureFileOptions): string | undefined {
  const arrays = Object.values(inputs);
  return arrays.length === 1 ? arrays[0] : undefined;
}
