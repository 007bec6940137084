import { ModelError } from "../errors.ts";
import type { Graph, ValueId, ValueInfo } from "../graph/graph.ts";
import type { Accuracies } from "../measures/measure.ts";
import type { RuntimeArray } from "../runtime/session.ts";
import { fedBatches, fedTo, type Source } from "./batches.ts";
import { CORRECT } from "./names.ts";
import { inputsOf } from "./pass.ts";
import type { Prepared } from "./prepare.ts";
import type { RunOptions } from "./run.ts";

/**
 * Opens the network with some of its constants as inputs, so that it runs with other values for them, and closes it again.
 *
 * @param meanTerms loss terms of a sample
 */
export async function withAccuracies<T>(
  { b, batch, loss, scores, labels }: Prepared,
  constants: readonly ValueId[],
  source: Source,
  meanTerms: number,
  options: RunOptions,
  run: (accuracies: Accuracies) => Promise<T>,
): Promise<T> {
  const correct = loss.correct?.(b, scores, labels);
  if (correct === undefined) throw new TypeError(`loss ${loss.name} has no accuracy`);
  const graph = withInputs(b.graph(new Map([[CORRECT, correct]])), constants);
  const inputs = inputsOf(graph);
  const session = await options.runtime.open(graph, options.session);
  try {
    return await run(async (weights) => {
      const given = new Map<ValueId, RuntimeArray>(
        [...weights].map(([id, data]) => [id, { type: "float32", dims: b.dims(id), data }]),
      );
      const values = new Float64Array(source.indices.length);
      for await (const { start, n, feeds } of fedBatches(source, batch, options.signal)) {
        const found = (await session.run(fedTo(inputs, feeds, given))).get(CORRECT)?.data as Float32Array;
        for (let index = 0; index < n; index++) values[start + index] = (found[index] as number) / meanTerms;
      }
      return values;
    });
  } finally {
    await session.release();
  }
}

/** The graph that reads these constants as inputs. @throws ModelError for one that is not float32, or not there */
function withInputs(graph: Graph, constants: readonly ValueId[]): Graph {
  const infos = constants.flatMap((name): ValueInfo[] => {
    const tensor = graph.constants.get(name);
    if (!tensor) return [];
    if (tensor.type !== "float32") {
      throw new ModelError(`weight ${name}: expected float32 to put noise on, have ${tensor.type}`);
    }
    return [{ name, type: tensor.type, dims: tensor.dims }];
  });
  const turned = new Set(infos.map(({ name }) => name));
  return {
    ...graph,
    inputs: [...graph.inputs, ...infos],
    constants: new Map([...graph.constants].filter(([name]) => !turned.has(name))),
  };
}
