import type { RuntimeArray, Session } from "../runtime/session.ts";
import { CORRECT, COUNTED, GRADIENT, LOSSES, SAMPLE_WEIGHTS } from "./names.ts";
import { range, type Samples } from "./samples.ts";

/** Mean loss over all terms that count, and the share of them that are right. */
export interface Score {
  readonly loss: number;
  readonly accuracy?: number;
}

/** Weights and statistics as the graphs read them. */
export type Vectors = ReadonlyMap<string, RuntimeArray>;

/**
 * Evaluates weights on samples, sums in float64.
 *
 * @param session of an evaluation graph for batches of `batch`
 * @param terms of a sample, where all count
 */
export async function evaluate(
  session: Session,
  vectors: Vectors,
  samples: Samples,
  batch: number,
  terms: number,
): Promise<Score> {
  let [losses, correct, counted] = [0, 0, 0];
  let classifies = false;
  for (let start = 0; start < samples.n; start += batch) {
    const n = Math.min(batch, samples.n - start);
    const outputs = await session.run(new Map([...vectors, ...range(samples, start, n, batch)]));
    const values = (name: string) => outputs.get(name)?.data as Float32Array | undefined;
    const [lossOf, correctOf, countedOf] = [values(LOSSES), values(CORRECT), values(COUNTED)];
    classifies = correctOf !== undefined;
    for (let index = 0; index < n; index++) {
      losses += lossOf?.[index] ?? 0;
      correct += correctOf?.[index] ?? 0;
      counted += countedOf ? (countedOf[index] as number) : terms;
    }
  }
  return { loss: losses / counted, ...(classifies && { accuracy: correct / counted }) };
}

/** ‖∇‖ of the mean loss over samples, in the parameters that a gradient graph is of; sums in float64. */
export async function gradientNorm(
  session: Session,
  vectors: Vectors,
  samples: Samples,
  batch: number,
  terms: number,
): Promise<number> {
  let sum: Float64Array | undefined;
  let counted = 0;
  for (let start = 0; start < samples.n; start += batch) {
    const n = Math.min(batch, samples.n - start);
    const weights = Float32Array.from({ length: batch }, (_, index) => Number(index < n));
    const feeds = new Map([...vectors, ...range(samples, start, n, batch)]);
    feeds.set(SAMPLE_WEIGHTS, { type: "float32", dims: [batch], data: weights });
    const outputs = await session.run(feeds);
    const gradient = outputs.get(GRADIENT)?.data as Float32Array;
    sum ??= new Float64Array(gradient.length);
    for (let index = 0; index < gradient.length; index++) {
      sum[index] = (sum[index] as number) + (gradient[index] as number);
    }
    const countedOf = outputs.get(COUNTED)?.data as Float32Array | undefined;
    for (let index = 0; index < n; index++) counted += countedOf ? (countedOf[index] as number) : terms;
  }
  let squares = 0;
  for (const value of sum ?? []) squares += value * value;
  return Math.sqrt(squares) / counted;
}
