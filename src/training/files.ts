import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { openCheckpoint } from "../checkpoints/open.ts";
import { safetensorsBytes } from "../checkpoints/safetensors-bytes.ts";
import { UsageError } from "../errors.ts";
import { encodeModel } from "../graph/onnx.ts";
import type { Tensor } from "../graph/tensor.ts";
import { writeFileWhole } from "../store/write-file.ts";
import type { Epoch } from "./history.ts";
import { parseRecipe } from "./recipe-text.ts";
import type { Recipe } from "./recipe.ts";
import type { TrainingResult } from "./result.ts";
import { type State, stateTensors } from "./state.ts";
import type { Trained } from "./train.ts";

/** Written when training is over, in this order: a folder with the last is complete. */
const outputs = ["model.onnx", "weights.safetensors", "result.json"];
const CHECKPOINT = "checkpoint.safetensors";
const RECIPE = "recipe.yaml";
const METRICS = "metrics.jsonl";

/** @throws UsageError for a file that cannot be read, or with line and column for a recipe that is none */
export function readRecipe(path: string): Recipe {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new UsageError(`${path}: ${code === "ENOENT" ? "no such file" : message}`, { cause });
  }
  return parseRecipe(text, path);
}

/**
 * The folder of a training run: `recipe.yaml` and `metrics.jsonl` from the start, `checkpoint.safetensors` while it runs, and at the end
 * `model.onnx`, `weights.safetensors` and `result.json`. Every file is written aside and renamed, but for metrics, to which lines are
 * added; what is there after a kill can be gone on from.
 */
export class RunFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * The folder of a run that is to begin; nothing is written yet.
   *
   * @throws UsageError where a run is already and `force` is not set
   */
  static vacant(path: string, force: boolean): RunFolder {
    const folder = new RunFolder(path);
    const present = folder.#present();
    if (present.length > 0 && !force) {
      throw new UsageError(
        `${path}: has a run already (${present.join(", ")}); use --resume to go on with it, --force to begin anew, or another --out`,
      );
    }
    return folder;
  }

  /** Makes the folder, without what was there of another run. @throws UsageError where it cannot be written */
  begin(recipe: Recipe): void {
    try {
      mkdirSync(this.path, { recursive: true });
      for (const file of [...this.#present(), ...this.#leftovers()]) rmSync(join(this.path, file));
    } catch (cause) {
      throw new UsageError(`${this.path}: cannot be written: ${(cause as Error).message}`, { cause });
    }
    writeFileWhole(join(this.path, RECIPE), stringify(recipe));
  }

  /**
   * A run to go on with.
   *
   * @param recipe must be the one that the run began with; where there is no run, one of it is to begin
   * @returns the checkpoint's tensors; none where the run ended before its first, and no recipe where there is no run
   * @throws UsageError where there is neither a run nor a recipe, or a run of another recipe; ModelError for a damaged checkpoint
   */
  static async resume(path: string, recipe: Recipe | undefined): Promise<Resumed> {
    const folder = new RunFolder(path);
    const file = join(path, CHECKPOINT);
    if (!existsSync(join(path, RECIPE))) {
      if (recipe) return { folder: RunFolder.vacant(path, false), recipe, file, isNew: true };
      throw new UsageError(`${path}: no run to go on with: expected ${RECIPE} there; give the recipe to begin one`);
    }
    const known = readRecipe(join(path, RECIPE));
    if (recipe && JSON.stringify(recipe) !== JSON.stringify(known)) {
      throw new UsageError(
        `${path}: began with another recipe than this one: ${difference(recipe, known)}; leave the recipe out to go on with the folder's own`,
      );
    }
    const found = existsSync(file) ? await openCheckpoint(file) : undefined;
    return { folder, recipe: known, file, isNew: false, ...(found && { tensors: found.tensors }) };
  }

  /** Goes on: what was recorded after the checkpoint, and what a kill left half written, is dropped. @param epoch the one that is under way */
  goOn(epoch: number): void {
    for (const file of this.#leftovers()) rmSync(join(this.path, file));
    const path = join(this.path, METRICS);
    if (!existsSync(path)) return;
    const lines = readFileSync(path, "utf8").split("\n");
    const before = lines.filter((line) => epochOf(line) < epoch);
    writeFileWhole(path, before.map((line) => `${line}\n`).join(""));
  }

  /** Files of a run that are there. */
  #present(): string[] {
    return [RECIPE, CHECKPOINT, METRICS, ...outputs].filter((file) => existsSync(join(this.path, file)));
  }

  /** What a killed process had begun to write aside. */
  #leftovers(): string[] {
    const own = [RECIPE, CHECKPOINT, METRICS, ...outputs];
    return readdirSync(this.path).filter((file) => {
      return /\.\d+\.tmp$/.test(file) && own.some((name) => file.startsWith(`${name}.`));
    });
  }

  get hasCheckpoint(): boolean {
    return existsSync(join(this.path, CHECKPOINT));
  }

  checkpoint(state: State): void {
    writeFileWhole(join(this.path, CHECKPOINT), safetensorsBytes(stateTensors(state)));
  }

  record(epoch: Epoch): void {
    appendFileSync(join(this.path, METRICS), `${JSON.stringify(epoch)}\n`);
  }

  finish({ graph, prepared }: Trained, result: TrainingResult): void {
    const { layout, statisticsLayout } = prepared.task;
    const weights = [...layout.entries, ...statisticsLayout.entries].map(
      ({ name }) => [name, graph.constants.get(name) as Tensor] as const,
    );
    writeFileWhole(join(this.path, "model.onnx"), encodeModel(graph));
    writeFileWhole(join(this.path, "weights.safetensors"), safetensorsBytes(new Map(weights)));
    writeFileWhole(join(this.path, "result.json"), `${JSON.stringify(result, null, 2)}\n`);
  }
}

/** A run to go on with. */
interface Resumed {
  readonly folder: RunFolder;
  readonly recipe: Recipe;
  readonly tensors?: ReadonlyMap<string, Tensor>;
  readonly file: string;
  /** Whether nothing is there yet. */
  readonly isNew: boolean;
}

/** The epoch of a line of metrics; infinity for half a line, which a kill may leave. */
function epochOf(line: string): number {
  try {
    return (JSON.parse(line) as Epoch).epoch;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** The first keys in which two recipes differ. */
function difference(left: object, right: object, at = ""): string {
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const [one, other] = [(left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]];
    if (JSON.stringify(one) === JSON.stringify(other)) continue;
    const place = at ? `${at}.${key}` : key;
    const both = typeof one === "object" && one !== null && typeof other === "object" && other !== null;
    if (both) return difference(one, other, place);
    return `${place} is ${JSON.stringify(one)}, was ${JSON.stringify(other)}`;
  }
  return "their keys are in another order";
}
