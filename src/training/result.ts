import type { Runtime } from "../runtime/session.ts";
import { version } from "../version.ts";
import type { Score } from "./evaluate.ts";
import type { MeasuredRow } from "./history.ts";
import type { Portion } from "./prepare.ts";
import type { Recipe } from "./recipe.ts";
import type { Stopped } from "./stopping.ts";
import type { Trained } from "./train.ts";

/** What result.json says of a training run, schema version 1. */
export interface TrainingResult {
  readonly schema: 1;
  readonly recipe: Recipe;
  readonly model: { readonly parameters: number };
  readonly data: Described;
  readonly test?: Described;
  readonly loss: string;
  /** Which rule ended it; epochs when none did before. */
  readonly stopped: Stopped;
  readonly epochs: number;
  readonly steps: number;
  /** At the end. */
  readonly final: { readonly train: Score; readonly test?: Score; readonly measures?: readonly MeasuredRow[] };
  readonly environment: {
    readonly flatness: string;
    readonly onnxruntime: string;
    readonly provider: string;
    readonly threads: number;
  };
  readonly seconds: number;
}

interface Described {
  readonly source: string;
  readonly sha256: string;
  readonly n: number;
}

export function trainingResult({ recipe, last, stopped, prepared }: Trained, runtime: Runtime): TrainingResult {
  const { task, train, test } = prepared;
  return {
    schema: 1,
    recipe,
    model: { parameters: task.layout.size },
    data: described(train),
    ...(test && { test: described(test) }),
    loss: task.loss.name,
    stopped,
    epochs: last.epoch,
    steps: last.steps,
    final: {
      train: last.train as Score,
      ...(last.test && { test: last.test }),
      ...(last.measures && { measures: last.measures }),
    },
    environment: {
      flatness: version,
      onnxruntime: runtime.version,
      provider: recipe.provider,
      threads: recipe.threads,
    },
    seconds: last.seconds,
  };
}

function described({ data, indices }: Portion): Described {
  return { source: data.source, sha256: data.sha256, n: indices.length };
}
