import { openDataset } from "./data/open.ts";
import { chosenSamples } from "./data/samples.ts";
import { FlatnessError, UsageError } from "./errors.ts";
import { measureToAccuracy } from "./evaluation/accuracy.ts";
import { measureWithTwins } from "./evaluation/invariance.ts";
import { measureModel, type Measurement, type Sampled } from "./evaluation/measure-model.ts";
import type { MeasureOptions } from "./evaluation/options.ts";
import { type ModelFile, readModel } from "./graph/files.ts";
import { localData, localModel } from "./remote/local-path.ts";
import { nodeRuntime } from "./runtime/node.ts";
import { type WeightedModel, withWeights } from "./weights.ts";

/** Options of {@link measureRuns}: what is measured, and which part of the data on. */
export interface MeasureRunsOptions extends Omit<MeasureOptions, "init" | "test"> {
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
  /** A model, or a file of weights for this one, that squared distances of weights are from: what training began with. */
  readonly init?: string;
  /** A data set to test on: `generalization-gap` is the loss there less the loss on the data. */
  readonly test?: string;
  /** Its split. Default: `test`, where the source has one. */
  readonly testSplit?: string;
  /** `done` of `total` bytes of a file are there, where the model or the data has to be fetched. */
  readonly onDownload?: (file: string, done: number, total: number) => void;
}

/** Options of {@link measure}. */
export interface MeasureFileOptions extends MeasureRunsOptions {
  /** A file whose weights are put in place of the model's own: .safetensors, .pt, .pth or .npz; `file#part` for a part of one. */
  readonly weights?: string;
  /** So many random networks of the same function are measured too, of each kind that the model has. */
  readonly invariance?: number;
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
  const { weights, invariance, ...rest } = options;
  if (invariance !== undefined && rest.relativeError !== undefined) {
    throw new UsageError("invariance is measured on the same samples for all: expected no relative error with it");
  }
  const subject = await subjectOf({ model, weights }, readModel, rest);
  const sampled = await sampledFrom(data, rest);
  const init = await initOf(model, rest);
  return measureOn(subject, sampled, { init, test: await testFrom(sampled, rest) }, rest, invariance);
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
 * What is compared should have the same layers: κ of one layer says nothing of another's, whose features are others.
 *
 * @param runs each a model with its own weights, or with those of a file
 * @param onRun told as each of the runs begins
 * @throws ModelError, DataError, UsageError as {@link measure} does, naming the run
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
  const test = await testFrom(sampled, rest);
  const measurements: Measurement[] = [];
  for (const [index, run] of runs.entries()) {
    onRun?.(run, index);
    try {
      const init = await initOf(run.model, rest);
      measurements.push(await measureOn(await subjectOf(run, read, rest), sampled, { init, test }, rest));
    } catch (error) {
      throw named(error, run);
    }
  }
  return measurements;
}

/** An error that says which of several runs it is of. */
function named(error: unknown, { model, weights }: Run): unknown {
  const name = weights ?? model;
  if (error instanceof FlatnessError && !error.message.includes(name)) error.message = `${name}: ${error.message}`;
  return error;
}

export async function subjectOf(
  { model, weights }: Run,
  read: (path: string, name: string) => ModelFile,
  { signal, onDownload }: MeasureRunsOptions,
): Promise<ModelFile | WeightedModel> {
  const { path, name } = await localModel(model, { signal, onDownload });
  const subject = read(path, name);
  return weights === undefined ? subject : withWeights(subject, weights);
}

export async function sampledFrom(data: string, options: MeasureRunsOptions): Promise<Sampled> {
  const { split, preprocess, labels, samples, signal, onDownload } = options;
  const { path, name } = await localData(data, { signal, onDownload, split });
  // Where no input is named x, the data's x still is what goes in.
  const opened = await openDataset(path, { split, preprocess, labels, input: onlyInput(options) });
  const dataset = name === path ? opened : { ...opened, source: name };
  return { data: dataset, ...(await chosenSamples(samples === undefined ? undefined : String(samples), dataset.n)) };
}

/** The samples to test on: the part `test` of a source that has one, else all of it. @throws UsageError where they are the data's own */
async function testFrom(sampled: Sampled, options: MeasureRunsOptions): Promise<Sampled | undefined> {
  const { test, testSplit, samples: _, split: __, ...rest } = options;
  if (test === undefined) return undefined;
  const part = (split?: string) => sampledFrom(test, { ...rest, split });
  const found = await (testSplit === undefined ? part("test").catch(whole) : part(testSplit));
  const { sha256, split } = sampled.data;
  const apart = split !== undefined && found.data.split !== undefined && split !== found.data.split;
  if (found.data.sha256 !== sha256 || apart) return found;
  throw new UsageError(
    `--test ${test}: expected other samples than those measured on; --split and --test-split name parts of a source.`,
  );

  /** Where there is no such part; what else is amiss with the options is amiss here too. */
  function whole(error: unknown): Promise<Sampled> {
    if (error instanceof UsageError) return part();
    throw error;
  }
}

/** The graph whose weights distances are from: of a model, or of this one with a file of weights in place of its own. */
async function initOf(model: string, options: MeasureRunsOptions): Promise<MeasureOptions["init"]> {
  const { init } = options;
  if (init === undefined) return undefined;
  const isModel = /\.onnx(@[^/]*)?$/.test(init) || init.startsWith("example:");
  const { graph } = await subjectOf(isModel ? { model: init } : { model, weights: init }, readModel, options);
  return { file: init, graph };
}

async function measureOn(
  subject: ModelFile | WeightedModel,
  sampled: Sampled,
  besides: Pick<MeasureOptions, "init" | "test">,
  { split: _, preprocess: __, samples: ___, onDownload: ____, relativeError, ...rest }: MeasureRunsOptions,
  invariance?: number,
): Promise<Measurement> {
  const { init: _____, test: ______, testSplit: _______, ...own } = rest;
  const options: MeasureOptions = { ...own, ...besides };
  const measured = await (invariance !== undefined
    ? measureWithTwins(subject, sampled, options, invariance, nodeRuntime)
    : relativeError !== undefined
      ? measureToAccuracy(subject, sampled, options, relativeError, nodeRuntime)
      : measureModel(subject, sampled, options, nodeRuntime));
  return "weights" in subject ? withOrigin(measured, subject) : measured;
}

function withOrigin({ result, perSample }: Measurement, { weights, warnings }: WeightedModel): Measurement {
  const model = { ...result.model, weights };
  return { result: { ...result, model, warnings: [...warnings, ...result.warnings] }, perSample };
}

/** The array that --input names, when it names one. */
function onlyInput({ inputs = {} }: Pick<MeasureOptions, "inputs">): string | undefined {
  const arrays = Object.values(inputs);
  return arrays.length === 1 ? arrays[0] : undefined;
}
