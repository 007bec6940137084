import { UsageError } from "../errors.ts";
import { checkedValue } from "../yaml-document.ts";
import type { Task } from "../runner/runner.ts";
import { contentKey } from "../store/content-key.ts";
import { recipeSchema } from "../training/recipe.ts";
import {
  type MeasureChoice,
  type ModelsMake,
  samplingSchema,
  type Study,
  type SyntheticMake,
  type TrainMake,
} from "./schema.ts";
import { checkReferences } from "./references.ts";
import { type ModelTask, RESULTS_VERSION, type SyntheticTask, type TrainTask } from "./tasks.ts";

/** What the machine knows and a study does not: the content of data and model files. */
export interface Contents {
  /** SHA-256 of a data source's split. */
  data(choice: { source: string; split?: string }): Promise<string>;
  /** The files that a pattern names, and what is in them. */
  models(pattern: string): Promise<readonly { readonly path: string; readonly sha256: string }[]>;
  /** What else numbers depend on: the runtime's version. */
  readonly runtime: string;
}

/** Data sets of one task. */
const BATCH = 10;

/**
 * All tasks of a study. Keys follow from what a task's result depends on: recipe, data, what is measured, versions. The same
 * study gives the same keys, and a study that shares a task with another has its key.
 *
 * @param limit at most so many networks, models or repetitions
 * @throws UsageError for a recipe that is none, a study without measures, a name of a measure or column that there is not, or two
 *   combinations of the grid that make the same network
 */
export async function expand(study: Study, contents: Contents, limit?: number): Promise<Task[]> {
  const { make } = study;
  checkReferences(study);
  if (make.kind === "synthetic") return syntheticTasks(make, contents, limit);
  if (!study.measure) throw new UsageError(`study ${study.name}: measure: expected the measures to take.`);
  return make.kind === "train"
    ? trainTasks(make, study.measure, contents, limit)
    : modelTasks(make, study.measure, contents, limit);
}

async function trainTasks(make: TrainMake, measure: MeasureChoice, contents: Contents, limit?: number) {
  const seeds = typeof make.seeds === "number" ? Array.from({ length: make.seeds }, (_, seed) => seed) : make.seeds;
  const combinations = combinationsOf(make.grid);
  const most = Math.min(make.networks ?? Infinity, limit ?? Infinity);
  const all = seeds.flatMap((seed) => combinations.map((combination) => ({ ...combination, seed }))).slice(0, most);
  const tasks: Task[] = [];
  const labels = new Map<string, string>();
  for (const { settings, overlays, seed } of all) {
    const base = { ...make.recipe, sampling: make.sampling, seed };
    const { sampling: chosen, ...merged } = overlays.reduce(overlaid, base as Record<string, unknown>);
    const recipe = checkedValue(merged, placeOf("recipe", settings), recipeSchema);
    const sampling = checkedValue(chosen, placeOf("sampling", settings), samplingSchema);
    if (!recipe.test) {
      throw new UsageError(`${placeOf("recipe", settings)}: test: missing; expected data that the networks never see.`);
    }
    const data = await contents.data(recipe.data);
    const test = await contents.data({ ...recipe.data, split: undefined, ...recipe.test });
    const { runtime } = contents;
    const record = make.record ?? null;
    const content = {
      kind: "train",
      version: RESULTS_VERSION,
      recipe,
      sampling,
      record,
      data,
      test,
      runtime,
    };
    const networkKey = contentKey(content);
    const label = [...Object.values(settings), `seed ${seed}`].join(", ");
    const same = labels.get(networkKey);
    if (same !== undefined) {
      throw new UsageError(`make.grid: ${same} and ${label} are the same network: expected settings that differ.`);
    }
    labels.set(networkKey, label);
    const payload: TrainTask = {
      kind: "train",
      run: networkKey.slice(0, 12),
      settings: { ...settings, ...(seeds.length > 1 && { seed }) },
      networkKey,
      recipe,
      sampling,
      record,
      measure,
    };
    tasks.push({
      key: contentKey({ ...content, settings: payload.settings, measure }),
      label,
      payload,
    });
  }
  return tasks;
}

interface Combination {
  readonly settings: Record<string, string | number | boolean>;
  readonly overlays: readonly Record<string, unknown>[];
}

/** Every combination of the axes' values, the last axis changing quickest. */
function combinationsOf(grid: TrainMake["grid"]): Combination[] {
  let all: Combination[] = [{ settings: {}, overlays: [] }];
  for (const [axis, values] of Object.entries(grid)) {
    const steps: [string | number | boolean, Record<string, unknown>][] = Array.isArray(values)
      ? values.map((value) => [value, nested(axis.split("."), value)])
      : Object.entries(values);
    all = all.flatMap(({ settings, overlays }) =>
      steps.map(([value, overlay]) => ({
        settings: { ...settings, [axis]: value },
        overlays: [...overlays, overlay],
      })),
    );
  }
  return all;
}

function nested([first, ...rest]: readonly string[], value: unknown): Record<string, unknown> {
  return { [first!]: rest.length === 0 ? value : nested(rest, value) };
}

/** A recipe with a part put over it: maps are merged, everything else is replaced. Another `name` is another thing: it replaces. */
function overlaid(below: Record<string, unknown>, above: Record<string, unknown>): Record<string, unknown> {
  const result = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const known = result[key];
    const merges = isMap(known) && isMap(value) && (value.name === undefined || value.name === known.name);
    result[key] = merges ? overlaid(known, value) : value;
  }
  return result;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** What messages call a part of a study: `the recipe at optimizer sgd, batchSize 16`. */
function placeOf(what: string, settings: Combination["settings"]): string {
  const at = Object.entries(settings).map(([axis, setting]) => `${axis} ${setting}`);
  return `the ${what}${at.length > 0 ? ` at ${at.join(", ")}` : ""}`;
}

async function modelTasks(make: ModelsMake, measure: MeasureChoice, contents: Contents, limit?: number) {
  const [data, test] = [await contents.data(make.data), await contents.data(make.test)];
  const tasks = new Map<string, Task>();
  const files = await Promise.all(
    make.files.map(async ({ model, weights, settings }) => ({
      models: await contents.models(model),
      sets: weights === undefined ? [null] : await contents.models(weights),
      settings,
    })),
  );
  const modelName = namer(files.flatMap(({ models }) => models.map(({ path }) => path)));
  const weightsName = namer(files.flatMap(({ sets }) => sets.flatMap((set) => set?.path ?? [])));
  for (const { models, sets, settings } of files) {
    for (const file of models) {
      for (const set of sets) {
        const names = { model: modelName(file.path), ...(set && { weights: weightsName(set.path) }) };
        const hashes = { model: file.sha256, weights: set?.sha256 ?? null };
        const content = {
          kind: "model",
          version: RESULTS_VERSION,
          hashes,
          data,
          test,
          choices: [make.data, make.test],
        };
        const payload: ModelTask = {
          kind: "model",
          run: contentKey([hashes, names, settings]).slice(0, 12),
          settings: { ...names, ...settings },
          model: file.path,
          weights: set?.path ?? null,
          data: make.data,
          test: make.test,
          measure,
        };
        const key = contentKey({ ...content, settings: payload.settings, measure, runtime: contents.runtime });
        tasks.set(key, { key, label: Object.values(names).join(" with "), payload });
      }
    }
  }
  return [...tasks.values()].slice(0, limit);
}

/** Paths without the folders that all of them are in: names that say which file, and not where it lay. */
function namer(paths: readonly string[]): (path: string) => string {
  const parts = paths.map((path) => path.split("/"));
  const [first = []] = parts;
  const differs = first.findIndex((part, index) => parts.some((each) => each[index] !== part));
  const shared = differs < 0 ? first.length - 1 : Math.min(differs, ...parts.map(({ length }) => length - 1));
  return (path) => path.split("/").slice(shared).join("/");
}

function syntheticTasks({ separations, repetitions, ...make }: SyntheticMake, contents: Contents, limit = Infinity) {
  const total = Math.min(repetitions, limit);
  return separations.flatMap((separation) => {
    const starts = Array.from({ length: Math.ceil(total / BATCH) }, (_, batch) => batch * BATCH);
    return starts.map((first): Task => {
      const payload: SyntheticTask = {
        kind: "synthetic",
        make,
        separation,
        first,
        count: Math.min(BATCH, total - first),
      };
      return {
        key: contentKey({ version: RESULTS_VERSION, runtime: contents.runtime, payload }),
        label: `separation ${separation}, data sets ${first + 1} to ${first + payload.count}`,
        payload,
      };
    });
  });
}
