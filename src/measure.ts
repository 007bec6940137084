import { openDataset } from "./data/open.ts";
import { chosenSamples } from "./data/samples.ts";
import { measureToAccuracy } from "./evaluation/accuracy.ts";
import { measureModel, type Measurement, type Sampled } from "./evaluation/measure-model.ts";
import type { MeasureOptions } from "./evaluation/options.ts";
import { type ModelFile, readModel } from "./graph/files.ts";
import { localData, localModel } from "./remote/local-path.ts";
import { nodeRuntime } from "./runtime/node.ts";
import { type WeightedModel, withWeights } from "./weights.ts";

/** Options of {@link measureRuns}: what is measured, and which part of the data on. */
export interface MeasureRunsOptions extends MeasureOptions {
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
  /** `done` of `total` bytes of a file are there, where the model or the data has to be fetched. */
  readonly onDownload?: (file: string, done: number, total: number) => void;
}

/** Options of {@link measure}. */
export interface MeasureFileOptions extends MeasureRunsOptions {
  /** A file whose weights are put in place of the model's own: .safetensors, .pt, .pth or .npz; `file#part` for a part of one. */
  readonly weights?: string;
}

/**
 * Measures a model file on a data set: relative flatness κ and its peers, for every layer, with standard errors.
 *
 * κ(W) = Σ_{s,s'} ⟨w_s, w_s'⟩ Tr(H_{s,s'}) (Petzka et al. 2021, Definition 3); small is flat; in the unit of the loss.
 *
 * Cost: one forward pass for the last layer; for the layers below about 1.3 forward passes a class when exact.
 *
 * @param model path of an .onnx file, `hf://owner/model/file.onnx@revision`, or `example:digits-mlp`
 * @param data path of a data set (.npz, IDX files, folders of images, Parquet), the name of a set that was fetched (`mnist`),
 *   `hf://datasets/owner/name@revision`, or `example:digits`
 * @throws ModelError, DataError, UsageError with one sentence on what was expected, what came and what to do
 */
export async function measure(model: string, data: string, options: MeasureFileOptions = {}): Promise<Measurement> {
  const { weights, ...rest } = options;
  const subject = await subjectOf({ model, weights }, readModel, rest);
  return measureOn(subject, await sampledFrom(data, rest), rest);
}

/** A model to measure, with its own weights or those of a file. */
export interface Run {
  readonly model: string;
  readonly weights?: string;
}

/**
 * Measures several models, or one model with the weights of several files, on the same data: {@link measure} for each, with the
 * data opened once. All files are read and checked before the first is measured; one model at a time is in memory.
 *
 * @param onRun told as each of the runs begins
 */
export async function measureRuns(
  runs: readonly Run[],
  data: string,
  options: MeasureRunsOptions & { readonly onRun?: (run: Run, index: number) => void } = {},
): Promise<Measurement[]> {
  const { onRun, ...rest } = options;
  // Runs of one model follow each other.
  let latest: ModelFile | undefined;
  const read = (path: string, name: string) => (latest = latest?.file === name ? latest : readModel(path, name));
  for (const run of runs) await subjectOf(run, read, rest);
  const sampled = await sampledFrom(data, rest);
  const measurements: Measurement[] = [];
  for (const [index, run] of runs.entries()) {
    onRun?.(run, index);
    measurements.push(await measureOn(await subjectOf(run, read, rest), sampled, rest));
  }
  return measurements;
}

async function subjectOf(
  { model, weights }: Run,
  read: (path: string, name: string) => ModelFile,
  { signal, onDownload }: MeasureRunsOptions,
): Promise<ModelFile | WeightedModel> {
  const { path, name } = await localModel(model, { signal, onDownload });
  const subject = read(path, name);
  return weights === undefined ? subject : withWeights(subject, weights);
}

async function sampledFrom(data: string, options: MeasureRunsOptions): Promise<Sampled> {
  const { split, preprocess, labels, samples, signal, onDownload } = options;
  const { path, name } = await localData(data, { signal, onDownload, split });
  // Where no input is named x, the data's x still is what goes in.
  const opened = await openDataset(path, { split, preprocess, labels, input: onlyInput(options) });
  const dataset = name === path ? opened : { ...opened, source: name };
  return { data: dataset, ...(await chosenSamples(samples === undefined ? undefined : String(samples), dataset.n)) };
}

async function measureOn(
  subject: ModelFile | WeightedModel,
  sampled: Sampled,
  { split: _, preprocess: __, samples: ___, onDownload: ____, relativeError, ...options }: MeasureRunsOptions,
): Promise<Measurement> {
  const measured = await (relativeError === undefined
    ? measureModel(subject, sampled, options, nodeRuntime)
    : measureToAccuracy(subject, sampled, options, relativeError, nodeRuntime));
  return "weights" in subject ? withOrigin(measured, subject) : measured;
}

function withOrigin({ result, perSample }: Measurement, { weights, warnings }: WeightedModel): Measurement {
  const model = { ...result.model, weights };
  return { result: { ...result, model, warnings: [...warnings, ...result.warnings] }, perSample };
}

/** The array that --input names, when it names one. */
function onlyInput({ inputs = {} }: MeasureOptions): string | undefined {
  const arrays = Object.values(inputs);
  return arrays.length === 1 ? arrays[0] : undefined;
}
