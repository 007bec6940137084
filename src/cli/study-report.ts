import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { figureSvg } from "../report/figure.ts";
import { figurePng } from "../report/files.ts";
import { coefficient, correlationLabel, seriesLabel } from "../report/study-labels.ts";
import { studyFigures } from "../report/study-figures.ts";
import { studyHtml } from "../report/study-page.ts";
import { textTable } from "../report/text-table.ts";
import { writing } from "../store/disk-errors.ts";
import { parseParquet, tableCsv, tableParquet } from "../store/table.ts";
import { writeFileWhole } from "../store/write-file.ts";
import { analyse } from "../studies/analysis.ts";
import { resultsTable, runsOf } from "../studies/results-table.ts";
import { type Study, studySchema } from "../studies/schema.ts";
import { selected } from "../studies/selection.ts";
import type { StudyRun } from "../studies/study-run.ts";
import type { FailedTask, Summary } from "../studies/summary.ts";
import { readDocument } from "../yaml-document.ts";

/** The study as it was written when it was run. */
export const STUDY_FILE = "study.yaml";
const RESULTS = "results.parquet";
const SUMMARY = "summary.json";

/** Writes results, summary, figures and report into a study's folder, and prints the summary. */
export async function writeResults(
  out: string,
  study: Study,
  runs: readonly StudyRun[],
  failed: readonly FailedTask[],
): Promise<void> {
  const table = resultsTable(runs);
  writeFileWhole(join(out, RESULTS), tableParquet(table));
  writeFileWhole(join(out, "results.csv"), tableCsv(table));
  // What is reported follows from the file, so that a report made again is the same.
  await writeReport(out, study, runsOf(table, RESULTS), failed);
}

/** `flatness study report`: from results.parquet and study.yaml; what failed is known from the summary, where there is one. */
export async function reportStudy(out: string): Promise<void> {
  const study = readDocument(readText(out, STUDY_FILE), join(out, STUDY_FILE), studySchema);
  const path = join(out, RESULTS);
  const runs = runsOf(await parseParquet(readBytes(out, RESULTS), path), path);
  let failed: readonly FailedTask[] = [];
  try {
    failed = readSummary(out).runs.failed;
  } catch {
    // A summary that is damaged or gone is what this command makes again.
  }
  await writeReport(out, study, runs, failed);
}

/** @throws UsageError when the folder holds no summary */
export function readSummary(out: string): Summary {
  const text = readText(out, SUMMARY);
  try {
    const summary = JSON.parse(text) as Summary;
    if (summary.schema === 1 && Array.isArray(summary.measures)) return summary;
  } catch {
    // Said below.
  }
  throw new UsageError(
    `${join(out, SUMMARY)}: not the summary of a study; make it again: flatness study report ${out}`,
  );
}

async function writeReport(out: string, study: Study, runs: readonly StudyRun[], failed: readonly FailedTask[]) {
  const summary = analyse(study, runs, failed);
  writeFileWhole(join(out, SUMMARY), `${JSON.stringify(summary, null, 2)}\n`);
  const compared = selected(runs, study.analysis).runs;
  const figures = studyFigures(study.figures, { compared, all: runs }, summary);
  const folder = join(out, "figures");
  writing(folder, () => {
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) if (/^\d+-.*\.(json|svg|png)$/.test(name)) rmSync(join(folder, name));
  });
  for (const { name, figure } of figures) {
    const svg = await figureSvg(figure);
    const specification = { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...figure };
    writeFileWhole(join(folder, `${name}.vl.json`), `${JSON.stringify(specification, null, 1)}\n`);
    writeFileWhole(join(folder, `${name}.svg`), svg);
    writeFileWhole(join(folder, `${name}.png`), figurePng(svg));
  }
  writeFileWhole(join(out, "report.html"), await studyHtml(summary, figures, compared));
  process.stdout.write(`${summaryText(summary)}\n\nReport: ${join(out, "report.html")}\n`);
}

function summaryText(summary: Summary): string {
  const { runs, correlation, target } = summary;
  const rows = summary.measures.map((each) => [
    seriesLabel(each),
    String(each.n),
    coefficient(each, correlation),
    each.strata.some(({ signDiffers }) => signDiffers) ? "sign differs within strata" : "",
  ]);
  const leftOut = runs.excluded.length + runs.failed.length;
  const head = `${summary.title}\n${runs.compared} runs compared${leftOut > 0 ? `, ${leftOut} left out` : ""}; ${correlationLabel(correlation)} with ${target}, ${Math.round(100 * summary.confidence)} % intervals\n`;
  const heads = ["measure", "n", correlationLabel(correlation), ""];
  return `${head}\n${textTable(heads, ["left", "right", "left", "left"], rows).join("\n")}`;
}

function readText(folder: string, name: string): string {
  return new TextDecoder().decode(readBytes(folder, name));
}

function readBytes(folder: string, name: string): Uint8Array {
  try {
    return readFileSync(join(folder, name));
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const why = absent ? "no such file; expected the --out of `flatness study run`" : (cause as Error).message;
    throw new UsageError(`${join(folder, name)}: ${why}.`, { cause });
  }
}
