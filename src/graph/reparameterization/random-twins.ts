import { UsageError } from "../../errors.ts";
import type { Graph, ValueId, ValueType } from "../graph.ts";
import { asExported } from "../instantiate.ts";
import { findLayers } from "../layers.ts";
import { everywhere, type FactorRange } from "./neuron-wise.ts";
import { findRescalings, rescaled, whyNone } from "./rescalings.ts";
import { softmaxShift } from "./softmax-shift.ts";

/** A way to draw networks of the same function. */
export type Rewriting = "layer-wise" | "neuron-wise" | "softmax-shift";

/** What random numbers come from. */
export interface Draws {
  /** Uniform on the interval from 0 to 1. */
  uniform(): number;
  /** Of the standard normal distribution. */
  normal(): number;
}

export interface RandomTwins {
  readonly rewriting: Rewriting;
  /** The next twin. */
  draw(stream: Draws): Graph;
}

/**
 * The kinds of random twins that a network has: every layer that can be scaled times a factor of its own, every neuron that can
 * be, and, where a softmax follows, all scores moved alike.
 *
 * Cost: a pass over the graph; a twin is a copy of the weights that change.
 *
 * @param graph in the canonical operator set
 * @param types of the inputs, at a batch size that the model takes
 * @param range of factors, uniform in their logarithm
 * @param shifted whether outputs go into a softmax
 * @returns the kinds, and why nothing can be rescaled, where nothing can
 */
export function randomTwins(
  graph: Graph,
  types: ReadonlyMap<ValueId, ValueType>,
  range: FactorRange,
  shifted: boolean,
): { readonly twins: readonly RandomTwins[]; readonly obstacle?: string } {
  const twins: RandomTwins[] = [];
  let obstacle: string | undefined;
  for (const [rewriting, granularity] of [
    ["layer-wise", "layer"],
    ["neuron-wise", "neuron"],
  ] as const) {
    const rescalings = findRescalings(graph, types, granularity);
    const draw = (stream: Draws) =>
      rescaled(
        rescalings,
        everywhere(rescalings, range, () => stream.uniform()),
      );
    if (everywhere(rescalings, range, () => 0).size > 0) twins.push({ rewriting, draw });
    else obstacle = whyNone(rescalings);
  }
  const layer = shifted ? shiftableLayer(graph, types) : undefined;
  if (layer !== undefined) {
    const draw = (stream: Draws) => softmaxShift(graph, types, layer, () => stream.normal()).graph;
    twins.push({ rewriting: "softmax-shift", draw });
  }
  const none = !twins.some(({ rewriting }) => rewriting !== "softmax-shift");
  return { twins, ...(none && { obstacle }) };
}

/** The layer nearest to the outputs whose own outputs are class scores, before a softmax in the model or without one. */
function shiftableLayer(graph: Graph, types: ReadonlyMap<ValueId, ValueType>): string | undefined {
  const layers = findLayers(asExported(graph, types)).toReversed();
  return layers.find(({ name }) => {
    try {
      softmaxShift(graph, types, name, () => 0);
      return true;
    } catch (error) {
      if (error instanceof UsageError) return false;
      throw error;
    }
  })?.name;
}
