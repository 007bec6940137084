import { mixesPositions } from "../calculus/position-mixing.ts";
import type { Graph } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { Task } from "../measures/measure.ts";
import { columnCost, sweepCost } from "./cost.ts";
import type { MeasureOptions } from "./options.ts";
import type { Prepared } from "./prepare.ts";
import { initialOf, weightsOf } from "./weights.ts";

const NOISE_DRAWS = 10;

/** What measures may know of a model that is ready, and of what is asked. */
export function taskOf(
  at: Prepared,
  graph: Graph,
  layers: readonly Layer[],
  options: MeasureOptions,
  samples: number,
): Task {
  const { method = "auto", curvature = "hessian", biases = false, noise = "uniform" } = options;
  const throughColumns = layers.filter((layer) => {
    const { kind } = at.above(layer);
    return kind === "piecewise-linear" || (kind !== "logits" && curvature === "gauss-newton");
  });
  const columns = at.loss.columnCount(at.terms);
  const mixing = new Map<Layer, boolean>();
  return {
    b: at.b,
    loss: at.loss,
    terms: at.terms,
    scores: at.scores,
    labels: at.labels,
    layers: at.layers,
    method,
    curvature,
    samples,
    parameters: weightsOf(at.b, graph, at.layers, biases),
    biases,
    initial: options.init && initialOf(options.init, at.b),
    tested: options.test !== undefined,
    prefactor: options.prefactor,
    perFeature: options.perFeature ?? false,
    noise,
    noiseDraws: options.noiseDraws ?? NOISE_DRAWS,
    above: at.above,
    mixes(layer) {
      const found = mixing.get(layer) ?? (layer.positions > 1 && mixesPositions(at.b, layer, at.scores));
      mixing.set(layer, found);
      return found;
    },
    columnCost: throughColumns.length === 0 ? 1 : columnCost(at.layers, throughColumns, columns),
    sweepCost: (layer, directions) => sweepCost(at.layers, layer, directions),
  };
}
