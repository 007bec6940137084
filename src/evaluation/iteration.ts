import type { ValueId } from "../graph/graph.ts";
import type { IterativeEstimate, Iteration, Task } from "../measures/measure.ts";
import { withAccuracies } from "./accuracies.ts";
import type { Source } from "./batches.ts";
import { withOperator } from "./curvature-operator.ts";
import { meanGradient } from "./gradient.ts";
import type { PlannedRow, Refused } from "./plan.ts";
import type { Prepared } from "./prepare.ts";
import type { RunOptions } from "./run.ts";

/** What iterations run on. */
export interface Iterated {
  readonly task: Task;
  readonly source: Source;
  readonly seed: number;
  /** Loss terms of a sample. */
  readonly meanTerms: number;
  readonly running: RunOptions;
  /** Told before each pass which measure makes it. */
  note(text: string): void;
  /** The model anew, at the batch size that passes over the data run best with. */
  prepared(): Promise<Prepared>;
}

/** Runs the measures that make passes of their own, one after the other; what they share is made once. */
export async function iterate(
  rows: readonly PlannedRow[],
  of: Iterated,
): Promise<{ iterated: Map<PlannedRow, IterativeEstimate>; refused: Refused[] }> {
  let making = "";
  let passes = 0;
  const iteration = iterationOf(of, () => of.note(`${making}, pass ${++passes}`));
  const iterated = new Map<PlannedRow, IterativeEstimate>();
  const refused: Refused[] = [];
  for (const row of rows) {
    if (row.plan.kind !== "iterative") continue;
    making = `${row.measure.name} of ${row.layer?.name ?? "the network"}`;
    passes = 0;
    const found = await row.plan.run(iteration);
    if ("kind" in found) refused.push({ layer: row.layer, measure: row.measure, reason: found.reason });
    else iterated.set(row, found);
  }
  return { iterated, refused };
}

function iterationOf(
  { task, source, seed, meanTerms, running, prepared }: Iterated,
  beforePass: () => void,
): Iteration {
  const terms = source.indices.length * meanTerms;
  const made = new Map<string, Promise<unknown>>();
  const once = <T>(name: string, make: () => Promise<T>): Promise<T> => {
    const known = (made.get(name) as Promise<T> | undefined) ?? make();
    made.set(name, known);
    return known;
  };
  return {
    seed,
    once,
    async withOperator(among, run) {
      return withOperator(await prepared(), among, task.curvature, source, terms, running, ({ size, apply }) =>
        run({
          size,
          apply(vector) {
            beforePass();
            return apply(vector);
          },
        }),
      );
    },
    gradient: () =>
      once("gradient", async () => meanGradient(await prepared(), differentiable(task), source, terms, running)),
    async withAccuracies(run) {
      return withAccuracies(await prepared(), task.parameters, source, meanTerms, running, (accuracies) =>
        run((weights) => {
          beforePass();
          return accuracies(weights);
        }),
      );
    },
  };
}

/** Weights without those of layers whose derivatives cannot be had: the others can. */
function differentiable({ layers, parameters, above }: Task): ValueId[] {
  const without = layers.filter((layer) => above(layer).kind === "unsupported").map(({ initializer }) => initializer);
  const own = new Set(layers.map(({ initializer }) => initializer));
  return parameters.filter((id) => !without.includes(id) && (own.has(id) || without.length === 0));
}
