import type { Dataset } from "../data/dataset.ts";
import { ModelError } from "../errors.ts";
import { bindInputs } from "../evaluation/binding.ts";
import type { Subject } from "../evaluation/measure-model.ts";
import { randomTwins } from "../graph/reparameterization/random-twins.ts";
import { RandomStream } from "../statistics/random.ts";

/**
 * A network of the same function: each layer that can be scaled is, by a random factor of the range (uniform in its logarithm), and what
 * follows is scaled back. Factors follow from the seed and the network.
 *
 * @throws ModelError where no layer can be scaled
 */
export function randomTwin(subject: Subject, data: Dataset, range: readonly [number, number], seed: number): Subject {
  const { types } = bindInputs(subject.graph, data);
  const { twins, obstacle } = randomTwins(subject.graph, types(1), range, false);
  const layerWise = twins.find(({ rewriting }) => rewriting === "layer-wise");
  if (!layerWise) throw new ModelError(`${subject.file}: cannot be reparameterized: ${obstacle ?? "no layer can be"}`);
  // Of the network's own: networks of one seed would all be scaled alike, and keep their order in every measure.
  return { ...subject, graph: layerWise.draw(new RandomStream(seed, `study twin ${subject.sha256}`)) };
}
