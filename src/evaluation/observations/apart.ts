import { sampleWeights } from "../batches.ts";
import { SAMPLE_WEIGHTS } from "../names.ts";
import { inputsOf, type Pass } from "../pass.ts";
import type { Prepared } from "../prepare.ts";
import { RandomStream } from "../../statistics/random.ts";
import type { Observation } from "./observation.ts";

/** Enough to tell a network that was not trained on the data from one that was: a gradient of a third of the samples' scatter. */
const SAMPLES = 128;

/** A pass for observations alone. */
export function observationPass({ b, batch }: Prepared, observations: readonly Observation[]): Pass {
  const graph = b.graph(new Map(observations.flatMap(({ values }) => [...values])));
  return {
    graph,
    inputs: inputsOf(graph),
    batch,
    random: new Set(),
    observe(outputs, n) {
      for (const observation of observations) observation.add(outputs, n);
    },
    *runs(n) {
      yield { feeds: new Map([[SAMPLE_WEIGHTS, sampleWeights(n, batch)]]), takes: new Map() };
    },
  };
}

/** Some of the samples, one at a random place of each of equal stretches; all where they are few. */
export function spreadSamples(indices: Int32Array, seed: number): Int32Array {
  if (indices.length <= SAMPLES) return indices;
  const stream = new RandomStream(seed, "observed samples");
  return Int32Array.from({ length: SAMPLES }, (_, stretch) => {
    const start = Math.floor((stretch * indices.length) / SAMPLES);
    const end = Math.floor(((stretch + 1) * indices.length) / SAMPLES);
    return indices[start + stream.below(end - start)] as number;
  });
}
