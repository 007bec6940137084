import type { Node } from "../../src/graph/graph.ts";
import { float, int } from "../../src/graph/graph.ts";
import { product, taken, walk, type Array64 } from "../float64-array.ts";
import { run, type Decisions } from "../float64-reference.ts";
import { normalDistribution } from "../calculus/normal-distribution.ts";
import { withBatchStatistics } from "../../src/training/batch-statistics.ts";
import type { SmallTask } from "./small-tasks.ts";

/** The mean loss of a small task in float64, by plain loops, with the decisions at kinks kept from the first call. */
export function float64Loss({ task, batch, x, labels, terms }: SmallTask) {
  const graph = withBatchStatistics(task.graph, task.statistics);
  const kept: Decisions = new Map();
  let first = true;
  const input: Array64 = { dims: x.dims, data: Float64Array.from(x.data as ArrayLike<number | bigint>, Number) };
  return {
    /** All values of the model at these weights. */
    values(weights: Float64Array): ReadonlyMap<string, Array64> {
      const given = new Map<string, Array64>([[graph.inputs[0]!.name, input]]);
      for (const { name, dims, offset } of task.layout.entries) {
        given.set(name, { dims, data: weights.slice(offset, offset + product(dims)) });
      }
      const values = run(graph, given, first ? { made: kept, more } : { kept, more });
      first = false;
      return values;
    },
    loss(weights: Float64Array): number {
      const scores = this.values(weights).get(graph.outputs[0]!.name)!;
      const classes = scores.dims.at(-1)!;
      let sum = 0;
      for (let term = 0; term < batch * terms; term++) {
        const row = scores.data.subarray(term * classes, (term + 1) * classes);
        const largest = Math.max(...row);
        const total = row.reduce((all, value) => all + Math.exp(value - largest), 0);
        sum += Math.log(total) + largest - row[Number(labels[term])]!;
      }
      return sum / (batch * terms);
    },
  };
}

/** Operators that training needs besides those of the reference. */
function more(node: Node, [x, y, z]: readonly (Array64 | undefined)[]): Array64 | undefined {
  switch (node.op) {
    case "Softmax":
      return rows(x!, x!.dims.at(-1)!, (row) => {
        const largest = Math.max(...row);
        const powers = row.map((value) => Math.exp(value - largest));
        const total = powers.reduce((sum, value) => sum + value, 0);
        return powers.map((value) => value / total);
      });
    case "LayerNormalization":
      return rows(x!, x!.dims.at(-1)!, (row) =>
        standardized(row, float(node, "epsilon", 1e-5)).map(
          (value, index) => value * y!.data[index]! + z!.data[index]!,
        ),
      );
    case "Erf":
      return { dims: x!.dims, data: x!.data.map((value) => 2 * normalDistribution(Math.SQRT2 * value) - 1) };
    case "ReduceMean": {
      // Over the tokens of [N, T, d].
      const [n = 1, tokens = 1, width = 1] = x!.dims;
      const data = Float64Array.from({ length: n * width }, (_, index) => {
        const [sample, feature] = [Math.floor(index / width), index % width];
        let sum = 0;
        for (let token = 0; token < tokens; token++) sum += x!.data[(sample * tokens + token) * width + feature]!;
        return sum / tokens;
      });
      return { dims: [n, width], data };
    }
    case "BatchNormalization": {
      if (int(node, "training_mode", 0) === 0) return undefined;
      const [n = 1, channels = 1, ...spatial] = x!.dims;
      const size = product(spatial);
      // Channels in front, so that each is a row.
      const front = walk([channels, n, size], [size, channels * size, 1]);
      const turned = taken(x!, [channels, n * size], front);
      const epsilon = float(node, "epsilon", 1e-5);
      let channel = 0;
      const normal = rows(turned, n * size, (row) => {
        const at = channel++;
        return standardized(row, epsilon).map((value) => value * y!.data[at]! + z!.data[at]!);
      });
      return taken(normal, x!.dims, walk([n, channels, size], [size, n * size, 1]));
    }
    default:
      return undefined;
  }
}

function rows({ dims, data }: Array64, width: number, map: (row: Float64Array) => Float64Array): Array64 {
  const result = new Float64Array(data.length);
  for (let start = 0; start < data.length; start += width) {
    result.set(map(data.slice(start, start + width)), start);
  }
  return { dims, data: result };
}

function standardized(row: Float64Array, epsilon: number): Float64Array {
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
  return row.map((value) => (value - mean) / Math.sqrt(variance + epsilon));
}
