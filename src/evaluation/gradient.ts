import { pullBack } from "../calculus/vjp.ts";
import type { ValueId } from "../graph/graph.ts";
import { mul, reduceSum } from "../graph/operators.ts";
import { fedBatches, fedTo, sampleWeights, type Source } from "./batches.ts";
import { SAMPLE_WEIGHTS } from "./names.ts";
import { inputsOf } from "./pass.ts";
import type { Prepared } from "./prepare.ts";
import type { RunOptions } from "./run.ts";

/**
 * ∂R/∂θ of the mean loss in some constants, each of its own dims, by one pass; of those that the loss does not depend on, zeros.
 *
 * @param terms how many loss terms the samples have together
 * @throws UnsupportedOperatorError when an operator behind one of them has no rule
 */
export async function meanGradient(
  { b, batch, loss, scores, labels }: Prepared,
  constants: readonly ValueId[],
  source: Source,
  terms: number,
  options: RunOptions,
): Promise<Map<ValueId, Float64Array>> {
  const weights = b.input(SAMPLE_WEIGHTS, "float32", [batch]);
  const total = reduceSum(b, mul(b, loss.perSample(b, scores, labels), weights), [0]);
  const pulled = pullBack(b, new Map([[total, b.scalar(1)]]), constants, 0);
  const sums = new Map(constants.map((id) => [id, new Float64Array(b.constantOf(id)?.size ?? 0)]));
  if (pulled.size === 0) return sums;
  const graph = b.graph(new Map([...pulled].map(([id, value]) => [`flatness/gradient ${id}`, value])));
  const inputs = inputsOf(graph);
  const session = await options.runtime.open(graph, options.session);
  try {
    for await (const { n, feeds } of fedBatches(source, batch, options.signal)) {
      const counts = new Map([[SAMPLE_WEIGHTS, sampleWeights(n, batch)]]);
      const outputs = await session.run(fedTo(inputs, feeds, counts));
      for (const id of pulled.keys()) {
        const values = outputs.get(`flatness/gradient ${id}`)?.data as Float32Array;
        const sum = sums.get(id) as Float64Array;
        values.forEach((value, place) => (sum[place] = (sum[place] as number) + value / terms));
      }
    }
  } finally {
    await session.release();
  }
  return sums;
}
