import type { Batch, NamedArray } from "../data/dataset.ts";
import { DataError, ModelError, UsageError } from "../errors.ts";
import { fuse } from "../graph/fusion.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { withOwnWeight } from "../graph/own-weight.ts";
import { withInput } from "../graph/part-after.ts";
import { count } from "../graph/tensor.ts";
import type { Labels } from "../losses/loss.ts";
import type { Runtime, RuntimeArray, Session } from "../runtime/session.ts";
import { feedsOf, type Source } from "./batches.ts";
import { bindInputs, padded } from "./binding.ts";
import { checkWeights } from "./checks.ts";
import { chooseLayers, chooseLoss, labelField } from "./choice.ts";
import { copyCount } from "./copy-count.ts";
import { evenChunk, largestValue } from "./cost.ts";
import type { Subject } from "./measure-model.ts";
import type { LayerBatch, LayerOptions, OpenedLayer } from "./layer-changes.ts";
import { LABELS, LOSS } from "./names.ts";
import { prepare, type Preparation, type Prepared } from "./prepare.ts";
import { checkRewriting } from "./rewriting.ts";
import type { Sampled } from "./sampled.ts";
import { SplitSession } from "./split-session.ts";
import { UnknownShapes } from "./unknown-shapes.ts";
import { weightSlopes } from "./weight-slopes.ts";

const FEATURES: ValueId = "flatness/features";
const DIRECTION: ValueId = "flatness/weight-direction";
const FIRST = "flatness/first-order";
const SECOND = "flatness/second-order";

/** Elements of the largest value of one run that the caches bear. */
const CACHED = 1e6;
const IGNORED = -100;

/**
 * Opens a layer for runs with changed weights or features. What lies below it runs once a batch, and only what lies above again for
 * each change.
 *
 * @param name of the layer, or `last`
 * @throws ModelError, DataError, UsageError as a measurement does
 */
export async function openLayer(
  subject: Subject,
  sampled: Sampled,
  name: string,
  options: LayerOptions,
  runtime: Runtime,
): Promise<OpenedLayer> {
  const { data, indices } = sampled;
  const { provider = "cpu", threads = runtime.cores, labels = "y", ignoreIndex = IGNORED } = options;
  if (indices.length === 0) throw new DataError(`${data.source}: expected at least one sample, have none`);
  checkWeights(subject.graph, subject.file);
  const session = { provider, threads };
  const model = fuse(subject.graph);
  const binding = bindInputs(model, data, options.inputs);
  const field = labelField(data, labels);
  const loss = chooseLoss(field, options.loss);
  const shapes = new UnknownShapes();
  const prepared = async (graph: Graph, batch: number) => {
    await shapes.find(graph, binding, data, indices, batch, runtime, session);
    const known = (size: number) => shapes.get(size);
    const { output } = options;
    const preparation: Preparation = { graph, loss, labels: field.dims, output, types: binding.types, known };
    return prepare(preparation, batch);
  };
  const sketch = await prepared(model, 1);
  const [chosen] = chooseLayers(sketch, name === "last" ? "last" : [name]) as [Layer];
  const { graph, initializer } = withOwnWeight(model, chosen, sketch.b.nodes);
  const limit = Math.max(1, Math.floor(CACHED / largestValue(sketch)));
  const at = await prepared(graph, Math.min(indices.length, options.batch ?? evenChunk(indices.length, limit)));
  const layer = at.layers.find((each) => each.initializer === initializer && each.d === chosen.d);
  if (!layer) throw new ModelError(`layer ${chosen.name}: its weight cannot be changed alone`);
  if (at.b.type(initializer).type !== "float32")
    throw new ModelError(`layer ${chosen.name}: expected weights in float32, has ${at.b.type(initializer).type}`);
  if (at.rewritten.length > 0) await checkRewriting(graph, at, binding, data, indices, runtime, session);
  const source: Source = { data, indices, binding, loss, terms: at.terms, labels, ignoreIndex };
  const named = { ...layer, name: chosen.name };
  return new Opened(at, named, source, (part) => runtime.open(part, session), options.signal);
}

type PartName = "weights" | "many-weights" | "features" | "slopes";

class Opened implements OpenedLayer {
  readonly layer: Layer;
  readonly matrix: Float64Array;
  readonly n: number;
  readonly noVector: string | undefined;
  readonly #at: Prepared;
  readonly #source: Source;
  readonly #open: (graph: Graph) => Promise<Session>;
  readonly #signal: AbortSignal | undefined;
  readonly #places: Int32Array;
  readonly #parts = new Map<PartName, Promise<SplitSession>>();
  #features: Promise<Session> | undefined;

  constructor(
    at: Prepared,
    layer: Layer,
    source: Source,
    open: (graph: Graph) => Promise<Session>,
    signal: AbortSignal | undefined,
  ) {
    this.#at = at;
    this.#source = source;
    this.#open = open;
    this.#signal = signal;
    this.layer = layer;
    this.matrix = Float64Array.from(layer.matrix());
    this.n = source.indices.length;
    this.noVector = whyNoVector(at, layer);
    this.#places = layer.places();
  }

  get arrays() {
    return this.#source.binding.arrays;
  }

  get loss() {
    const { name, classification } = this.#source.loss;
    return { name, classification };
  }

  async *batches(): AsyncGenerator<LayerBatch> {
    const { data, indices, binding, labels } = this.#source;
    const { batch } = this.#at;
    for (let start = 0; start < indices.length; start += batch) {
      this.#signal?.throwIfAborted();
      const chosen = indices.subarray(start, start + batch);
      const read = await data.read(chosen, [...binding.arrays, labels]);
      yield this.#batch(start, chosen, read);
    }
  }

  #batch(start: number, chosen: Int32Array, read: Batch): LayerBatch {
    const { loss, terms, labels: field, ignoreIndex } = this.#source;
    const { batch } = this.#at;
    const n = chosen.length;
    const feeds = feedsOf(this.#source, read, chosen, batch);
    const given = read.get(field) as NamedArray;
    const below = new Map<PartName, Promise<ReadonlyMap<ValueId, RuntimeArray>>>();
    const run = async (name: PartName, changes: readonly (readonly [ValueId, RuntimeArray])[]) => {
      const part = await this.#part(name);
      const known = below.get(name) ?? part.below(feeds);
      below.set(name, known);
      this.#signal?.throwIfAborted();
      return part.run(new Map([...(await known), ...changes]));
    };
    const changedLabels = (labels: Labels | undefined) => {
      if (!labels) return [];
      const { type, dims, data } = loss.prepare(labels, terms, { ignoreIndex, sample: (index) => start + index });
      return [[LABELS, { type, dims: [batch, ...dims.slice(1)], data: padded(data, n, batch) }] as const];
    };
    const taken = (outputs: ReadonlyMap<string, RuntimeArray>, name: string) =>
      (outputs.get(name) as RuntimeArray).data.subarray(0, n) as Float32Array;
    return {
      start,
      n,
      labels: given,
      terms: countedTerms(feeds.get(LABELS) as RuntimeArray, n, terms.terms),
      features: () => this.#featuresOf(feeds, n),
      losses: async (matrix = this.matrix, labels) => {
        const weight = this.#stored(matrix);
        return taken(await run("weights", [[this.layer.initializer, weight], ...changedLabels(labels)]), LOSS);
      },
      lossesOfEach: async (matrices) => {
        const part = await this.#part("many-weights");
        const losses: Float32Array[] = [];
        for (let first = 0; first < matrices.length; first += part.copies) {
          const chunk = matrices.slice(first, first + part.copies);
          const stacked = [this.layer.initializer, this.#stacked(chunk, part.copies)] as const;
          const all = (await run("many-weights", [stacked])).get(LOSS)?.data as Float32Array;
          chunk.forEach((_, index) => losses.push(all.subarray(index * batch, index * batch + n)));
        }
        return losses;
      },
      lossesAt: async (features, labels) => {
        const { dims } = this.#at.b.type((this.layer.uses[0] as Use).features);
        const data = padded(features, n, batch);
        return taken(
          await run("features", [[FEATURES, { type: "float32", dims, data }], ...changedLabels(labels)]),
          LOSS,
        );
      },
      slopes: async (direction) => {
        const outputs = await run("slopes", [[DIRECTION, this.#stored(direction)]]);
        return { first: taken(outputs, FIRST), second: taken(outputs, SECOND) };
      },
    };
  }

  /** A matrix as the initializer holds it. */
  #stored(matrix: Float64Array): RuntimeArray {
    const data = new Float32Array(this.#places.length);
    this.#write(matrix, data);
    return { type: "float32", dims: this.#at.b.dims(this.layer.initializer), data };
  }

  #write(matrix: Float64Array, target: Float32Array): void {
    const places = this.#places;
    for (let index = 0; index < places.length; index++) target[places[index] as number] = matrix[index] as number;
  }

  /** Several matrices one after another, then zeros. */
  #stacked(matrices: readonly Float64Array[], copies: number): RuntimeArray {
    const size = this.#places.length;
    const data = new Float32Array(copies * size);
    matrices.forEach((matrix, index) => this.#write(matrix, data.subarray(index * size, (index + 1) * size)));
    return { type: "float32", dims: [copies, ...this.#at.b.dims(this.layer.initializer)], data };
  }

  async #featuresOf(feeds: ReadonlyMap<ValueId, RuntimeArray>, n: number): Promise<Float32Array> {
    if (this.noVector !== undefined) throw new UsageError(this.noVector);
    const { features } = this.layer.uses[0] as Use;
    const given = feeds.get(features);
    const all = given ? given : await this.#runFeatures(features, feeds);
    return (all.data as Float32Array).slice(0, n * this.layer.m);
  }

  async #runFeatures(features: ValueId, feeds: ReadonlyMap<ValueId, RuntimeArray>): Promise<RuntimeArray> {
    const graph = this.#at.b.graph(new Map([[features, features]]));
    this.#features ??= this.#open(graph);
    const session = await this.#features;
    const needed = new Set(graph.inputs.map((input) => input.name));
    const outputs = await session.run(new Map([...feeds].filter(([name]) => needed.has(name))));
    return outputs.get(features) as RuntimeArray;
  }

  #part(name: PartName): Promise<SplitSession> {
    const known = this.#parts.get(name) ?? this.#openPart(name);
    this.#parts.set(name, known);
    return known;
  }

  #openPart(name: PartName): Promise<SplitSession> {
    const { layer } = this;
    const { b, scores, labels, loss } = this.#at;
    const typed = (...values: ValueId[]) => new Map(values.map((value) => [value, b.type(value)]));
    if (name === "slopes") {
      const direction = b.input(DIRECTION, "float32", b.dims(layer.initializer));
      const { first, second } = weightSlopes(this.#at, layer.initializer, direction);
      const graph = b.graph(
        new Map([
          [FIRST, first],
          [SECOND, second],
        ]),
      );
      return SplitSession.open(b, graph, typed(DIRECTION), this.#open);
    }
    const whole = b.graph(new Map([[LOSS, loss.perSample(b, scores, labels)]]));
    const weights = typed(layer.initializer, LABELS);
    if (name === "weights") return SplitSession.open(b, whole, weights, this.#open);
    if (name === "many-weights") {
      const copies = (part: Graph) => copyCount(b, part, CACHED);
      return SplitSession.open(b, whole, weights, this.#open, { value: layer.initializer, copies });
    }
    if (this.noVector !== undefined) throw new UsageError(this.noVector);
    const [use] = layer.uses as [Use];
    const replaced = withInput(whole, use.node.outputs[0] as ValueId, use.features, FEATURES);
    const varying = typed(LABELS).set(FEATURES, b.type(use.features));
    return SplitSession.open(b, replaced, varying, this.#open);
  }

  async close(): Promise<void> {
    for (const opened of [...this.#parts.values(), this.#features]) {
      const part = await opened?.catch(() => undefined);
      await part?.release();
    }
  }
}

/** Why a layer's features are not one vector a sample. */
function whyNoVector({ b }: Prepared, { name, uses, positions, groups, m }: Layer): string | undefined {
  const [use] = uses as [Use];
  const vector = uses.length === 1 && positions === 1 && groups === 1 && use.kind.startsWith("dense");
  if (vector && count(b.dims(use.features).slice(1)) === m && b.type(use.features).type === "float32") return undefined;
  const why = positions === 1 ? "its features are not one vector a sample" : `it has ${positions} positions a sample`;
  return `layer ${name}: ${why}; expected a fully connected layer that reads one vector of ${m} features`;
}

/** How many labels of each sample are not the −1 of a term that is ignored. */
function countedTerms({ type, data }: RuntimeArray, n: number, terms: number): Float64Array {
  return Float64Array.from({ length: n }, (_, sample) => {
    if (type !== "int64") return terms;
    return (data as BigInt64Array).subarray(sample * terms, (sample + 1) * terms).filter((label) => label >= 0n).length;
  });
}
