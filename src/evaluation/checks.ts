import { ModelError, UnsupportedOperatorError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { firstNaN } from "../graph/nan.ts";
import type { PlannedRow, Refused } from "./plan.ts";
import type { Prepared } from "./prepare.ts";

/** @throws UnsupportedOperatorError or ModelError when nothing of what was asked for can be had */
export function checkMeasurable(at: Prepared, rows: readonly PlannedRow[], refused: readonly Refused[]): void {
  if (rows.some(({ plan }) => plan.kind !== "weights") || refused.length === 0) return;
  const reasons = new Map(
    refused.map(({ layer, measure, reason }) => {
      const of = layer ? `layer ${layer.name}` : `measure ${measure.name}`;
      return [of, `${of}: ${reason}`];
    }),
  );
  const message = [...reasons.values()].join("; ");
  const unsupported = refused.some(({ layer }) => layer !== null && at.above(layer).kind === "unsupported");
  throw unsupported ? new UnsupportedOperatorError(message) : new ModelError(message);
}

/** Weights that are no numbers make every result one. */
export function checkWeights(graph: Graph, file: string): void {
  for (const [name, tensor] of graph.constants) {
    const bad = firstNaN(tensor);
    if (bad !== undefined)
      throw new ModelError(
        `${file}: weight ${name} has NaN at element ${bad}; expected numbers: did training diverge?`,
      );
  }
}
