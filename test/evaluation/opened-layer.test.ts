import { describe, expect, test } from "vitest";
import { Tensor } from "../../src/graph/tensor.ts";
import { run } from "../float64-reference.ts";
import { datasetOf, modelOf, widthOf } from "../sketch-data.ts";
import { normals } from "../sketch.ts";
import { tinyEmbeddings } from "../tiny-embeddings.ts";
import { tinyNetworks } from "../tiny-networks.ts";
import { withLayer } from "../theory/opened.ts";

/** Losses of float32 networks of few operations, each to some roundings of itself and of the scores. */
const FLOAT32 = 2e-5;

/** Softmax cross-entropy of each sample's scores in float64. */
function lossesOf(scores: ArrayLike<number>, width: number): number[] {
  return Array.from({ length: scores.length / width }, (_, sample) => {
    const own = Array.from({ length: width }, (__, index) => scores[sample * width + index]!);
    const largest = Math.max(...own);
    const sum = own.reduce((total, score) => total + Math.exp(score - largest), 0);
    return largest + Math.log(sum) - own[sample % width]!;
  });
}

const networks = Object.entries({ ...tinyEmbeddings, ...tinyNetworks });

describe.each(networks)("%s", (_, make) => {
  test("each layer's losses at other weights are those of float64, one by one and many at once", async () => {
    const net = make();
    const width = widthOf(net);
    const data = datasetOf(net, "cross-entropy");
    for (const { name, weight, d, m, place } of net.layers) {
      const next = normals(d * m);
      await withLayer(modelOf(net.graph), data, weight, async (opened) => {
        const changed = Array.from({ length: 3 }, () => opened.matrix.map((value) => value + 0.3 * next()));
        const expected = changed.map((matrix) => {
          const tensor = net.graph.constants.get(weight)!;
          const stored = new Float32Array(d * m);
          for (let row = 0; row < d; row++)
            for (let column = 0; column < m; column++) stored[place(row, column)] = matrix[row * m + column]!;
          const graph = {
            ...net.graph,
            constants: new Map([...net.graph.constants, [weight, Tensor.float32(tensor.dims, stored)] as const]),
          };
          return lossesOf(run(graph, new Map([["x", net.x]])).get(graph.outputs[0]!.name)!.data, width);
        });
        for await (const batch of opened.batches()) {
          const many = await batch.lossesOfEach(changed);
          for (const [index, matrix] of changed.entries()) {
            const one = await batch.losses(matrix);
            for (let sample = 0; sample < batch.n; sample++) {
              const truth = expected[index]![batch.start + sample]!;
              const tolerance = FLOAT32 * (1 + Math.abs(truth));
              expect(Math.abs(one[sample]! - truth), name).toBeLessThan(tolerance);
              expect(Math.abs(many[index]![sample]! - truth), name).toBeLessThan(tolerance);
            }
          }
        }
      });
    }
  });
});
