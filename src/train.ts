import { DivergenceError, UsageError } from "./errors.ts";
import { nodeRuntime } from "./runtime/node.ts";
import type { RunFolder } from "./training/files.ts";
import type { Recipe, RecipeInput } from "./training/recipe.ts";
import type { TrainingResult } from "./training/result.ts";
import type { Trained, TrainOptions } from "./training/train.ts";

/** Options of {@link train}. */
export interface TrainFileOptions extends Pick<TrainOptions, "data" | "signal" | "onEpoch" | "onProgress"> {
  /** The folder where the run is kept: checkpoints, metrics, and at the end the model. Without it nothing is written. */
  readonly out?: string;
  /** Goes on with the run in `out`, to the weights that it would have had without the interruption; begins it where there is none. */
  readonly resume?: boolean;
  /** Begins anew in a folder that has a run. */
  readonly force?: boolean;
}

/**
 * Trains a network as a recipe says: loss, gradient and optimizer step are one ONNX graph, run by the engine that measures.
 * Weights are bit-identical for the same recipe, provider and number of threads.
 *
 * @param recipe path of a YAML file, or what stands in one; may be left out to resume
 * @throws ModelError, DataError, UsageError with one sentence on what was expected, what came and what to do; DivergenceError when the
 *   loss is not finite or grows beyond the recipe's bound
 */
export async function train(
  recipe: string | RecipeInput | undefined,
  { out, resume = false, force = false, onEpoch, ...options }: TrainFileOptions = {},
): Promise<Trained & { readonly result: TrainingResult }> {
  // Loaded where it is asked for: who measures needs no reader of recipes.
  const { readRecipe } = await import("./training/files.ts");
  const { resolved } = await import("./training/recipe-text.ts");
  const { train: trainNetwork } = await import("./training/train.ts");
  const { trainingResult } = await import("./training/result.ts");
  const given = typeof recipe === "string" ? readRecipe(recipe) : recipe && resolved(recipe);
  const run = await runOf(given, out, resume, force);
  const { folder } = run;
  try {
    const trained = await trainNetwork(run.recipe, {
      ...options,
      runtime: nodeRuntime,
      ...(run.tensors && { resume: { tensors: run.tensors, file: run.file } }),
      onBegin: (epoch) => (run.isNew ? folder?.begin(run.recipe) : folder?.goOn(epoch)),
      onEpoch(epoch, graph) {
        folder?.record(epoch);
        onEpoch?.(epoch, graph);
      },
      onCheckpoint: (state) => folder?.checkpoint(state),
    });
    const result = trainingResult(trained, nodeRuntime);
    folder?.finish(trained, result);
    return { ...trained, result };
  } catch (error) {
    if (!(error instanceof DivergenceError) || !folder) throw error;
    const kept = folder.hasCheckpoint ? "The last checkpoint is kept in" : "There was no checkpoint yet in";
    throw new DivergenceError(`${error.message}. ${kept} ${folder.path}.`, { cause: error });
  }
}

interface Run {
  readonly recipe: Recipe;
  readonly folder?: RunFolder;
  readonly tensors?: NonNullable<TrainOptions["resume"]>["tensors"];
  readonly file: string;
  readonly isNew: boolean;
}

async function runOf(
  recipe: Recipe | undefined,
  out: string | undefined,
  resume: boolean,
  force: boolean,
): Promise<Run> {
  const { RunFolder } = await import("./training/files.ts");
  if (resume && out !== undefined) return RunFolder.resume(out, recipe);
  if (resume) throw new UsageError("resume: expected the folder of a run, out");
  if (!recipe) throw new UsageError("expected a recipe, or a folder to resume");
  if (out === undefined) return { recipe, file: "", isNew: true };
  return { recipe, folder: RunFolder.vacant(out, force), file: "", isNew: true };
}
