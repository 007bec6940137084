import type { TopLevelSpec } from "vega-lite";
import type { ResultRow } from "../evaluation/result.ts";
import { intervals } from "./intervals.ts";
import { measureLabel } from "./labels.ts";

/**
 * A figure of one measure over the layers of a network, each with its 95 % interval.
 *
 * @param rows rows of one measure; those of the whole network are left out
 * @param unit what the axis states in brackets; empty for none
 */
export function layerOverview(rows: readonly ResultRow[], unit: string): TopLevelSpec {
  const ofLayers = rows.flatMap((row) => (row.layer === null ? [] : [{ name: row.layer, row }]));
  const title = `${measureLabel(rows[0]?.measure ?? "relative-flatness")} of each layer`;
  return intervals(ofLayers, { title, things: "layers", unit });
}
