import { uniqueNames } from "../graph/layer-names.ts";
import type { Result, ResultRow, Runs, Warning, Weights } from "../evaluation/result.ts";
import { rowLabel } from "./labels.ts";

/** What tells runs apart: their models, their files of weights, or both. */
export interface RunNames {
  /** What the column of names is headed with. */
  readonly head: "weights" | "model";
  /** One a run, each its own. */
  readonly names: readonly string[];
  /** The model that all have, where the weights alone differ. */
  readonly model?: string;
  /** The folder that all names lie in, which they are given without; ends with a slash. */
  readonly folder: string;
}

/** A file of weights as the command line takes it: `checkpoint.pt#ema`. */
export function weightsName({ file, part }: Weights): string {
  return part === undefined ? file : `${file}#${part}`;
}

/** A model as a title names it: `lenet5.onnx with the weights of epoch-1.pt`. */
export function modelName({ model: { file, weights } }: Pick<Result, "model">): string {
  return weights === undefined ? file : `${file} with the weights of ${weightsName(weights)}`;
}

export function runNames({ runs }: Runs): RunNames {
  const models = new Set(runs.map(({ model }) => model.file));
  const [model] = models;
  if (models.size === 1 && model !== undefined && runs.every(({ model: { weights } }) => weights !== undefined)) {
    const { folder, names } = withoutFolder(runs.map(({ model: { weights } }) => weightsName(weights as Weights)));
    return { head: "weights", names: uniqueNames(names), model, folder };
  }
  const { folder, names } = withoutFolder(runs.map((run) => run.model.file));
  const full = names.map((name, index) => {
    const weights = runs[index]?.model.weights;
    return weights === undefined ? name : `${name} with ${weightsName(weights)}`;
  });
  return { head: "model", names: uniqueNames(full), folder };
}

function withoutFolder(paths: readonly string[]): { folder: string; names: string[] } {
  const [first = ""] = paths;
  let folder = first.slice(0, first.lastIndexOf("/") + 1);
  while (!paths.every((path) => path.startsWith(folder))) {
    folder = folder.slice(0, folder.lastIndexOf("/", folder.length - 2) + 1);
  }
  return { folder, names: paths.map((path) => path.slice(folder.length)) };
}

/** The kind of loss, where all runs have the same. */
export function lossHead(runs: readonly Result[]): string {
  const kinds = new Set(runs.map(({ loss }) => loss.kind));
  return kinds.size === 1 ? ([...kinds][0] as string) : "loss";
}

/** One measure of all runs: a line a run, a column a layer. */
export interface RunGrid {
  readonly label: string;
  readonly columns: readonly string[];
  /** By run, then by column. */
  readonly cells: readonly (readonly (ResultRow | undefined)[])[];
}

/**
 * The values of layers, a grid a measure and its options, in the order in which they come. A layer whose measure was got in
 * more than one way has a column for each way.
 */
export function runGrids({ runs }: Runs): RunGrid[] {
  return grids(
    runs,
    (row) => row.layer !== null,
    rowLabel,
    (row) => row.layer as string,
  );
}

/** The values of whole networks: one grid, a column a measure; undefined where there are none. */
export function networkGrid({ runs }: Runs): RunGrid | undefined {
  return grids(
    runs,
    (row) => row.layer === null,
    () => "",
    rowLabel,
  )[0];
}

function grids(
  runs: readonly Result[],
  isOf: (row: ResultRow) => boolean,
  label: (row: ResultRow) => string,
  column: (row: ResultRow) => string,
): RunGrid[] {
  const found = new Map<
    string,
    { columns: Map<string, { name: string; way: string }>; lines: Map<string, ResultRow>[] }
  >();
  for (const [index, { results }] of runs.entries()) {
    for (const row of results.filter(isOf)) {
      const grid = found.get(label(row)) ?? { columns: new Map(), lines: runs.map(() => new Map<string, ResultRow>()) };
      found.set(label(row), grid);
      const line = grid.lines[index] as Map<string, ResultRow>;
      const name = column(row);
      // The same in another way: by the Hessian and by the Gauss-Newton matrix.
      let key = name;
      for (let times = 2; line.has(key); times++) key = `${name}\n${times}`;
      line.set(key, row);
      if (!grid.columns.has(key)) grid.columns.set(key, { name, way: row.curvature ?? "" });
    }
  }
  return [...found].map(([key, { columns, lines }]) => {
    const entries = [...columns];
    const several = new Set(entries.flatMap(([id, { name }]) => (id === name ? [] : [name])));
    return {
      label: key,
      columns: entries.map(([, { name, way }]) => (several.has(name) && way !== "" ? `${name} (${way})` : name)),
      cells: lines.map((line) => entries.map(([id]) => line.get(id))),
    };
  });
}

/** How the layers were measured, all runs together: the layers of each method, or the method that all have. */
export function methodsOf({ runs }: Runs): string[] {
  const methods = new Map<string, Set<string>>();
  for (const row of runs.flatMap(({ results }) => results)) {
    if (row.layer === null || row.standardError === null) continue;
    methods.set(row.layer, (methods.get(row.layer) ?? new Set()).add(row.method));
  }
  const layers = new Map<string, string[]>();
  for (const [layer, set] of methods) {
    const key = [...set].join(", ");
    layers.set(key, [...(layers.get(key) ?? []), layer]);
  }
  return [...layers].map(([method, names]) => (layers.size === 1 ? method : `${method}: ${names.join(", ")}`));
}

/** The same warning of several runs once, with the names of the runs that it is of; none of them where it is of all. */
export function warningsOf(result: Runs): { readonly warning: Warning; readonly of: readonly string[] }[] {
  const { names } = runNames(result);
  const found = new Map<string, { warning: Warning; of: string[] }>();
  for (const [index, { warnings }] of result.runs.entries()) {
    for (const warning of warnings) {
      const key = JSON.stringify([warning.code, warning.layer, warning.text]);
      const entry = found.get(key) ?? { warning, of: [] };
      found.set(key, entry);
      entry.of.push(names[index] as string);
    }
  }
  return [...found.values()].map(({ warning, of }) => ({ warning, of: of.length === names.length ? [] : of }));
}

/** Why layers, or measures of whole networks, were not measured, each reason once. */
export function skippedOf({ runs }: Runs): string[] {
  const reasons = runs.flatMap(({ layers, skipped: measures = [] }) => [
    ...layers.flatMap(({ name, skipped }) => (skipped === undefined ? [] : [`${name}: ${skipped}`])),
    ...measures.map(({ measure, reason }) => `${measure}: ${reason}`),
  ]);
  return [...new Set(reasons)];
}
