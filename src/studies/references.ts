import { UsageError } from "../errors.ts";
import { measuresNamed } from "../measures/catalog.ts";
import type { Study } from "./schema.ts";
import { SYNTHETIC_MEASURES } from "./synthetic-task.ts";

const networkFacts = [
  "train-loss",
  "test-loss",
  "generalization-gap",
  "gap-standard-error",
  "train-accuracy",
  "test-accuracy",
  "accuracy-gap",
];

/**
 * Holds the names of measures and columns that a study refers to against those that its runs will have: a slip is told before the work,
 * and not by a table that lacks a row.
 *
 * @throws UsageError naming the key, what it names and what there is
 */
export function checkReferences(study: Study): void {
  const { make, analysis, figures } = study;
  const fail = (key: string, what: string, name: string, known: readonly string[]) => {
    throw new UsageError(`study ${study.name}: ${key}: no such ${what}: ${name}. There are: ${known.join(", ")}.`);
  };
  const measures: readonly string[] =
    make.kind === "synthetic"
      ? SYNTHETIC_MEASURES
      : measuresNamed(study.measure?.measures ?? []).map((measure) => measure.name);
  const columns = columnsOf(study);
  const column = (key: string, name: string | undefined) => {
    if (name !== undefined && !columns.includes(name)) fail(key, "column", name, columns);
  };
  column("analysis.target", analysis.target);
  column("analysis.by", analysis.by);
  for (const name of analysis.controls) column("analysis.controls", name);
  for (const name of analysis.axes ?? []) column("analysis.axes", name);
  for (const exclusion of analysis.exclude) column("analysis.exclude", exclusion.column);
  for (const [index, figure] of figures.entries()) {
    for (const name of figure.measures ?? [])
      if (!measures.includes(name)) fail(`figures.${index}.measures`, "measure of the study", name, measures);
    if (figure.kind === "scatter") column(`figures.${index}.color`, figure.color);
    if (figure.kind === "groups" || figure.kind === "trend") column(`figures.${index}.x`, figure.x);
    if (figure.kind === "trend") for (const name of figure.facts) column(`figures.${index}.facts`, name);
    if (figure.kind === "groups" && analysis.by === undefined) {
      throw new UsageError(`study ${study.name}: figures.${index}: groups: expected analysis.by, which makes them.`);
    }
  }
  if (analysis.equalLoss !== undefined && (make.kind !== "train" || make.record === undefined)) {
    throw new UsageError(
      `study ${study.name}: analysis.equalLoss: expected make.record: a network is followed from one record to the next.`,
    );
  }
}

/** Settings and facts that runs have. */
function columnsOf({ make }: Study): string[] {
  if (make.kind === "synthetic") return ["separation", "repetition", ...networkFacts, "label-change-loss"];
  if (make.kind === "models") {
    return ["model", "weights", ...make.files.flatMap(({ settings }) => Object.keys(settings)), ...networkFacts];
  }
  return [...Object.keys(make.grid), "seed", "epoch", ...networkFacts, "epochs", "stopped"];
}
