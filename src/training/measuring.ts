import { measureModel } from "../evaluation/measure-model.ts";
import type { Graph } from "../graph/graph.ts";
import { generalizationGap } from "../measures/generalization-gap.ts";
import type { Runtime } from "../runtime/session.ts";
import type { MeasuredRow } from "./history.ts";
import type { Prepared } from "./prepare.ts";
import type { Recipe } from "./recipe.ts";

/** Measures a network that is being trained, on its training samples with the labels that it is trained with. */
export async function measured(
  graph: Graph,
  recipe: Recipe,
  { train, test, task }: Prepared,
  runtime: Runtime,
): Promise<MeasuredRow[]> {
  const { measure } = recipe;
  if (!measure) return [];
  const { samples, every: _, ...asked } = measure;
  const subject = { graph, file: recipe.model.name, sha256: "", opset: graph.opset };
  const indices = train.indices.slice(0, samples);
  const { result } = await measureModel(
    subject,
    { data: train.data, indices, description: `${indices.length} training samples` },
    {
      ...asked,
      loss: task.loss.name,
      labels: recipe.data.labels,
      seed: recipe.seed,
      threads: recipe.threads,
      ...(test && measure.measures.includes(generalizationGap.name) && { test: { ...test, description: "" } }),
      provider: recipe.provider,
    },
    runtime,
  );
  return result.results.map(({ layer, measure: name, value, standardError, method }) => ({
    layer,
    measure: name,
    value,
    standardError,
    method,
  }));
}
