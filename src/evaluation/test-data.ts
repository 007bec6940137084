import { DataError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import type { Source } from "./batches.ts";
import { bindInputs } from "./binding.ts";
import { labelField } from "./choice.ts";
import { columnsPass } from "./columns-pass.ts";
import { CORRECT, LOSS } from "./names.ts";
import type { PlannedRow } from "./plan.ts";
import type { Prepared } from "./prepare.ts";
import type { TestData } from "./result.ts";
import { finite } from "./rows.ts";
import { runPass, type RunOptions } from "./run.ts";
import type { Sampled } from "./sampled.ts";
import { Totals } from "./totals.ts";

/** The test data as a source of the passes that the data itself has. @throws DataError where its samples have another shape */
export function testSource(
  test: Sampled,
  graph: Graph,
  source: Source,
  inputs: Readonly<Record<string, string>> | undefined,
): Source {
  const { data, indices } = test;
  if (indices.length === 0) throw new DataError(`${data.source}: expected at least one sample to test on, have none`);
  const binding = bindInputs(graph, data, inputs);
  const shapes = (of: Source["binding"]) =>
    [...of.types(1)].map(([name, { dims }]) => `${name} [${dims.slice(1).join(", ")}]`);
  const labels = (of: Source["data"]) => `${source.labels} [${labelField(of, source.labels).dims.join(", ")}]`;
  const have = [...shapes(binding), labels(data)].join(", ");
  const expected = [...shapes(source.binding), labels(source.data)].join(", ");
  if (have !== expected) {
    throw new DataError(
      `${data.source}: expected samples of ${source.data.source}'s shape, ${expected}, have ${have}.`,
    );
  }
  return { ...source, data, indices, binding };
}

/** Loss and accuracy on the test data, and the values there of measures that ask for them, in one pass. */
export async function runTest(
  prepared: Prepared,
  rows: readonly PlannedRow[],
  source: Source,
  options: RunOptions,
): Promise<{ totals: Totals; test: TestData }> {
  const { data, indices } = source;
  const totals = new Totals(indices.length, false);
  const asked = rows.filter(({ plan }) => plan.kind === "samples" && plan.onTest);
  await runPass(columnsPass(prepared, [], asked, [], 1, 0), source, totals, options);
  const losses = totals.moments.get(LOSS);
  const correct = totals.moments.get(CORRECT);
  if (!losses || !Number.isFinite(losses.mean)) {
    throw new DataError(`${data.source}: the loss on the test data is ${losses?.mean}; expected a finite number.`);
  }
  const test: TestData = {
    source: data.source,
    sha256: data.sha256,
    n: indices.length,
    ...(data.split !== undefined && { split: data.split }),
    ...(data.preprocess !== "" && { preprocess: data.preprocess }),
    loss: {
      value: losses.mean,
      standardError: finite(losses.standardError),
      ...(correct && { accuracy: correct.mean }),
    },
  };
  return { totals, test };
}
