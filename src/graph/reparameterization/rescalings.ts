import { fromNumbers } from "../fold.ts";
import type { Graph, ValueId, ValueType } from "../graph.ts";
import { asExported } from "../instantiate.ts";
import { findLayers } from "../layers.ts";
import type { Tensor } from "../tensor.ts";
import { withMatrix } from "./layer-weight.ts";
import { layerScales, type LayerScales } from "./layer-scales.ts";
import { ScaleClasses } from "./scale-classes.ts";
import { ScaleFlow } from "./scale-flow.ts";
import type { ScaleMap } from "./scale-map.ts";

/**
 * All ways to multiply weights by positive numbers without changing the network's function. Every value of the network may be
 * scaled, element by element, where each operator that reads it passes the scale on (ReLU), takes it up (a layer, whose
 * columns are divided by it), or demands that it be 1 (Tanh, the outputs). What must be equal is one class; each free class is one
 * direction of the group of rescalings.
 */
export interface Rescalings {
  readonly graph: Graph;
  readonly classes: ScaleClasses;
  readonly layers: readonly LayerScales[];
  /** Constants that go along with what they are added to: biases, means, positions. */
  readonly constants: ReadonlyMap<ValueId, ScaleMap>;
}

/** What a rescaling leaves uniform: nothing, or each layer, whose weights then get a single factor. */
export type Granularity = "neuron" | "layer";

/**
 * @param graph in the canonical operator set
 * @param types of the inputs, at a batch size that the model takes
 * @param original the model as it stands in its file: constants that it does not have are not scaled
 */
export function findRescalings(
  graph: Graph,
  types: ReadonlyMap<ValueId, ValueType>,
  granularity: Granularity,
  original: Graph = graph,
): Rescalings {
  const builder = asExported(graph, types);
  const classes = new ScaleClasses();
  const layers = layerScales(graph, original, findLayers(builder), classes);
  const flow = new ScaleFlow(graph, original, builder, classes, layers);
  for (const node of graph.nodes) flow.pass(node);
  for (const { name } of graph.outputs) flow.fix(name, `it goes to output ${name}, which has to stay as it is`);
  if (granularity === "layer") for (const scales of layers) joinLayer(scales, classes);
  return { graph: original, classes, layers, constants: flow.constants };
}

function joinLayer({ layer, rows, columns }: LayerScales, classes: ScaleClasses): void {
  for (const list of [rows, columns]) {
    const [first] = list;
    for (const scale of list) if (first !== undefined) classes.join(first, scale, `layer ${layer.name}`);
  }
}

/** The factor of each class, by what stands for it; 1 where there is none. */
export type Factors = ReadonlyMap<number, number>;

/**
 * The same function with other weights: W_sj is multiplied by the scale of its row over that of its column, and what is added to
 * a scaled value by the value's scale.
 */
export function rescaled({ graph, classes, layers, constants: along }: Rescalings, factors: Factors): Graph {
  const factor = (scale: number) => factors.get(classes.find(scale)) ?? 1;
  const constants = new Map(graph.constants);
  for (const scales of layers) {
    const { layer } = scales;
    const ratio = ratioOf(scales, factor);
    if (!ratio) continue;
    const tensor = constants.get(layer.initializer) as Tensor;
    const change = (value: number, row: number, column: number) => value * ratio(row, column);
    constants.set(layer.initializer, withMatrix(tensor, layer, change));
  }
  for (const [name, { scales }] of along) {
    const factorsOf = Float64Array.from(scales, factor);
    if (factorsOf.every((value) => value === 1)) continue;
    const tensor = constants.get(name) as Tensor;
    const values = tensor.numbers();
    const scaled = factorsOf.map((value, index) => value * (values[index] as number));
    constants.set(name, fromNumbers(tensor.type, tensor.dims, scaled));
  }
  return { ...graph, constants };
}

/** By what the weights of a layer were multiplied, none of them by more or less. */
export interface LayerFactors {
  readonly layer: string;
  readonly smallest: number;
  readonly largest: number;
}

/** The layers that a rescaling changes. */
export function factorsOfLayers({ classes, layers }: Rescalings, factors: Factors): LayerFactors[] {
  const factor = (scale: number) => factors.get(classes.find(scale)) ?? 1;
  return layers.flatMap((scales) => {
    const ratio = ratioOf(scales, factor);
    if (!ratio) return [];
    const { d, m, name } = scales.layer;
    let [smallest, largest] = [Infinity, 0];
    for (let row = 0; row < d; row++) {
      for (let column = 0; column < m; column++) {
        smallest = Math.min(smallest, ratio(row, column));
        largest = Math.max(largest, ratio(row, column));
      }
    }
    return smallest === 1 && largest === 1 ? [] : [{ layer: name, smallest, largest }];
  });
}

/** Why nothing can be rescaled: what holds the first layer. */
export function whyNone({ classes, layers }: Rescalings): string {
  const [first] = layers;
  return (first && classes.whyFixed(first.rows[0] as number)) ?? "it has no layer with weights";
}

/** By what an element of a layer's matrix is multiplied; undefined where all stay. */
function ratioOf(
  { layer, rows, columns }: LayerScales,
  factor: (scale: number) => number,
): ((row: number, column: number) => number) | undefined {
  const [ofRows, ofColumns] = [Float64Array.from(rows, factor), Float64Array.from(columns, factor)];
  if (ofRows.every((value) => value === 1) && ofColumns.every((value) => value === 1)) return undefined;
  const rowsOfGroup = layer.d / layer.groups;
  return (row, column) => {
    const group = Math.floor(row / rowsOfGroup);
    return (ofRows[row] as number) / (ofColumns[group * layer.m + column] as number);
  };
}
