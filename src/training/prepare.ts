import type { Dataset, Field } from "../data/dataset.ts";
import type { ArrayOptions } from "../data/array-dataset.ts";
import { openDataset } from "../data/open.ts";
import { chosenSamples } from "../data/samples.ts";
import { DataError, UsageError } from "../errors.ts";
import { bindInputs } from "../evaluation/binding.ts";
import { chooseLoss, labelField } from "../evaluation/choice.ts";
import { readModel } from "../graph/files.ts";
import { replaceWeights } from "../graph/replace-weights.ts";
import { count } from "../graph/tensor.ts";
import type { Loss } from "../losses/loss.ts";
import { localData, localModel } from "../remote/local-path.ts";
import { shuffled } from "../statistics/random.ts";
import { type Augmentation, augmentationOf } from "./augmentation.ts";
import { runningStatistics } from "./batch-statistics.ts";
import { initialized } from "./initialization.ts";
import { withLabelNoise } from "./label-noise.ts";
import { weightsOfLayers } from "./layers.ts";
import { builtIn } from "./models/catalog.ts";
import { fromFile } from "./models/from-file.ts";
import type { Model } from "./models/network.ts";
import { layoutOf } from "./parameters.ts";
import type { Recipe } from "./recipe.ts";
import { readSamples, type Samples } from "./samples.ts";
import { scored, type Task } from "./scored.ts";

/** Data that is in memory, in place of a recipe's sources. */
export interface GivenData {
  readonly train: Dataset;
  readonly test?: Dataset;
}

/** Some samples of a data set, as it is read and as the graphs read it. */
export interface Portion {
  readonly data: Dataset;
  readonly indices: Int32Array;
  readonly samples: Samples;
}

/** A recipe with its model made and its data read. */
export interface Prepared {
  readonly task: Task;
  /** Loss terms of a sample. */
  readonly terms: number;
  readonly train: Portion;
  readonly test: Portion | undefined;
  readonly augmentation: Augmentation | undefined;
  /** Tells this model and data from others. */
  readonly origin: string;
}

/** @throws ModelError, DataError, UsageError where model, data and loss do not fit each other */
export async function prepared(recipe: Recipe, given: GivenData | undefined): Promise<Prepared> {
  const { data: settings, seed } = recipe;
  const drawn = settings.seed ?? seed;
  const opened = given?.train ?? (await openSource(settings.source, settings));
  const all = await chosen(opened, settings, drawn);
  const held = Math.round(settings.holdOut * all.length);
  const mixed = held === 0 ? all : shuffled(all, drawn, "hold out");
  const indices = mixed.slice(held).sort();
  if (indices.length === 0) throw new UsageError(`holdOut ${settings.holdOut}: leaves no sample to train on`);
  const field = labelField(opened, settings.labels);
  const loss = chooseLoss(field, recipe.loss);
  const classes = loss.classification ? await classesOf(opened, settings.labels) : 0;
  const data = await withLabelNoise(opened, settings.labels, indices, {
    share: settings.labelNoise,
    classes: loss.classification ? classes : 0,
    seed: drawn,
  });
  const { task, input } = await taskOf(recipe, opened, field, loss, classes);
  const { terms } = scored(task, 1);
  const portion = async (from: Dataset, among: Int32Array): Promise<Portion> => {
    const samples = await readSamples(task.graph, from, among, { labels: settings.labels, loss, terms });
    return { data: from, indices: among, samples };
  };
  const test = held > 0 ? await portion(opened, mixed.slice(0, held).sort()) : await testPortion();
  return {
    task,
    terms: terms.terms,
    train: await portion(data, indices),
    test,
    augmentation: augmentationOf(settings.augmentation, input.dims),
    origin: JSON.stringify([task.key, opened.sha256, test?.data.sha256]),
  };

  async function testPortion(): Promise<Portion | undefined> {
    const { test } = recipe;
    const { source, preprocess, labels } = settings;
    const from =
      given?.test ??
      (test && !given ? await openSource(test.source ?? source, { preprocess, labels, split: test.split }) : undefined);
    if (!from) return undefined;
    const among = await chosen(from, test ?? {}, drawn);
    if (!given) refuseTrainedOn({ data: from, indices: among }, { data: opened, indices });
    const made = await portion(from, among);
    if (recipe.model.name === "gpt-tiny") refuseUnknownTokens(made, task);
    return made;
  }
}

type Chosen = Pick<Portion, "data" | "indices">;

/** @throws UsageError for test samples that are trained on */
function refuseTrainedOn(test: Chosen, train: Chosen): void {
  if (test.data.sha256 !== train.data.sha256 || test.data.split !== train.data.split) return;
  const trained = new Set(train.indices);
  const both = test.indices.filter((index) => trained.has(index)).length;
  if (both === 0) return;
  throw new UsageError(
    `test: ${both} of its ${test.indices.length} samples are trained on: expected another source, split or samples than data has; or leave test out and set data.holdOut`,
  );
}

/** @throws DataError for tokens that the training data does not have: there is no embedding for them */
function refuseUnknownTokens({ data, samples }: Portion, { graph }: Task): void {
  const vocabulary = graph.outputs[0]?.dims?.at(-1) as number;
  for (const token of samples.arrays.get(graph.inputs[0]?.name ?? "")?.data ?? []) {
    if (Number(token) < vocabulary) continue;
    throw new DataError(
      `${data.source}: token ${token}: the largest of the training data is ${vocabulary - 1}, and the model has no more`,
    );
  }
}

/** The data of a path, of a set's name, or of an address on the hub. */
async function openSource(source: string, options: ArrayOptions): Promise<Dataset> {
  const { path, name } = await localData(source, options.split === undefined ? {} : { split: options.split });
  const { split, preprocess, labels } = options;
  return { ...(await openDataset(path, { split, preprocess, labels })), source: name };
}

/** The model with its initial weights, and its loss. */
async function taskOf(recipe: Recipe, data: Dataset, field: Field, loss: Loss, classes: number) {
  const input = data.fields.find(({ name }) => name === "x");
  if (!input) {
    const names = data.fields.map(({ name }) => name).join(", ");
    throw new UsageError(`${data.source}: expected an array x for the model's input, has ${names}`);
  }
  let model: Model;
  let key: unknown[];
  if (recipe.model.name === "onnx") {
    const { file, train } = recipe.model;
    const { path, name } = await localModel(file);
    const read = readModel(path, name);
    model = fromFile(read.graph, file, train, () => weightsOfLayers(read.graph, bindInputs(read.graph, data).types));
    key = [read.sha256, train];
  } else {
    const isLanguage = recipe.model.name === "gpt-tiny";
    const vocabulary = isLanguage ? Math.max(classes, 1 + (await largestOf(data, input.name))) : classes;
    const signature = { input: input.dims, outputs: loss.classification ? vocabulary : count(field.dims) };
    const made = builtIn(signature, recipe.model);
    const values = initialized(made.trainable, recipe.initialization, recipe.seed);
    model = { ...made, graph: replaceWeights(made.graph, values) };
    key = [recipe.model, signature];
  }
  const { graph, trainable } = model;
  const { types } = bindInputs(graph, data);
  const statistics = runningStatistics(graph);
  const task: Task = {
    key: JSON.stringify([key, loss.name, field.dims, [...types(1)]]),
    graph,
    layout: layoutOf(trainable),
    statistics,
    statisticsLayout: layoutOf(statistics),
    loss,
    labels: field.dims,
    types,
  };
  return { task, input };
}

async function chosen(
  data: Dataset,
  { samples, subset }: Pick<Recipe["data"], "samples" | "subset">,
  seed: number,
): Promise<Int32Array> {
  const { indices } = await chosenSamples(samples === undefined ? undefined : String(samples), data.n);
  if (subset === undefined) return indices;
  if (subset > indices.length) {
    throw new UsageError(
      `subset ${subset}: expected a whole number from 1 to ${indices.length}, the samples of the data`,
    );
  }
  return shuffled(indices, seed, "subset").slice(0, subset).sort();
}

/** As many as the source names, else one more than the largest label. */
async function classesOf(data: Dataset, labels: string): Promise<number> {
  return data.classes ? data.classes.length : 1 + (await largestOf(data, labels));
}

async function largestOf(data: Dataset, name: string): Promise<number> {
  const everyone = Int32Array.from({ length: data.n }, (_, index) => index);
  const batch = await data.read(everyone, [name]);
  let largest = 0;
  for (const value of batch.get(name)?.data ?? []) largest = Math.max(largest, Number(value));
  return largest;
}
