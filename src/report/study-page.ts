import type { StudyRun } from "../studies/study-run.ts";
import type { MeasureSummary, StrataSummary, Summary } from "../studies/summary.ts";
import { type Content, type Markup, markup } from "./markup.ts";
import { significant } from "./number.ts";
import { drawn, factList, page } from "./page.ts";
import type { StudyFigure } from "./study-figures.ts";
import { columnLabel, coefficient, correlationLabel, pValue, seriesLabel, two } from "./study-labels.ts";
import { printable } from "./labels.ts";

/** A study's results as one self-contained page. */
export async function studyHtml(
  summary: Summary,
  figures: readonly StudyFigure[],
  runs: readonly StudyRun[],
): Promise<string> {
  const pictures: Markup[] = [];
  for (const { figure } of figures) pictures.push(markup`${await drawn(figure)}\n`);
  return page(
    summary.title,
    summary.title,
    markup`${overview(summary)}
${paragraphs(summary.about)}
<section><h2>Figures</h2>
${pictures.map((picture) => markup`<div style="margin-bottom:16px;overflow-x:auto">${picture}</div>`)}</section>
${correlationTable(summary)}
${controlTable(summary)}
${gridTable(summary)}
${groupTable(summary)}
${left(summary)}
${deviations(summary)}
${runTable(summary, runs)}`,
    "A study of flatness and generalization",
  );
}

function overview(summary: Summary): Markup {
  const { runs, facts } = summary;
  const range = (name: string): [string, Content, Content][] => {
    const found = facts[name];
    if (!found) return [];
    return [[columnLabel(name), significant(found[1]), `${significant(found[0])} … ${significant(found[2])}`]];
  };
  const excluded = runs.excluded.length + runs.failed.length;
  return factList([
    ["runs compared", String(runs.compared), excluded === 0 ? "none left out" : `${excluded} left out, listed below`],
    ...range("train-loss"),
    ...range(summary.target),
    ...range("test-accuracy"),
  ]);
}

function paragraphs(text: string): Markup {
  const parts = text.split(/\n\s*\n/);
  return markup`<section>${parts.map((part) => markup`<p>${printable(part.replaceAll("\n", " "))}</p>\n`)}</section>`;
}

function correlationTable(summary: Summary): Markup {
  const percent = Math.round(100 * summary.confidence);
  const rows = summary.measures.map(
    (each) => markup`<tr><th scope="row">${seriesLabel(each)}</th><td class="number">${each.n}</td>
<td class="number">${coefficient(each, "kendall")}</td><td class="number">${coefficient(each, "spearman")}</td>
<td class="number">${coefficient(each, "pearson")}</td>
<td class="number">${pValue(each.correlations[summary.correlation].pValue)}</td>
<td class="number">${pValue(each.correlations[summary.correlation].adjusted)}</td></tr>\n`,
  );
  return table(
    `Correlation with the ${columnLabel(summary.target)}`,
    ["measure", "#n", "#Kendall τ", "#Spearman ρ", "#Pearson r", "#p", "#p, adjusted"],
    rows,
    `In brackets: ${percent} % bootstrap intervals. p: two-sided permutation test of ${correlationLabel(summary.correlation)}; adjusted by Benjamini and Hochberg over all measures. Pearson’s r is of the values as they are, and one run far out can carry it.`,
  );
}

function controlTable(summary: Summary): Markup | false {
  const rows = summary.measures.flatMap((each) => controlRows(each, summary));
  if (rows.length === 0) return false;
  return table(
    "With what else differs held fixed",
    ["measure", "held fixed", "#whole", "#within", "#p", "groups", ""],
    rows,
    `Whole and within are ${correlationLabel(summary.correlation)}, the latter the mean over the groups with the p of a permutation test within them; the partial correlation is Spearman’s ρ of ranks after regression on all controls together.`,
  );
}

function controlRows(each: MeasureSummary, { correlation }: Summary): Markup[] {
  const whole = each.correlations[correlation].value;
  const strata = each.strata.map(({ by, within, pValue: p, signDiffers, strata: groups }) => {
    const warning = signDiffers && markup`<b>sign differs</b>`;
    return markup`<tr><th scope="row">${seriesLabel(each)}</th><td>${columnLabel(by)}</td>
<td class="number">${two(whole)}</td><td class="number">${two(within)}</td><td class="number">${pValue(p)}</td><td class="reason">${groupsText(groups)}</td><td>${warning}</td></tr>\n`;
  });
  if (!each.partial) return strata;
  const ofRanks = each.correlations.spearman.value;
  const { controls, spearman } = each.partial;
  const differs = spearman !== null && ofRanks !== null && spearman * ofRanks < 0 && markup`<b>sign differs</b>`;
  return [
    ...strata,
    markup`<tr><th scope="row">${seriesLabel(each)}</th><td>partial</td>
<td class="number">${two(ofRanks)}</td><td class="number">${two(spearman)}</td><td></td><td class="reason">Spearman ρ given ${controls.map(columnLabel).join(", ")}</td><td>${differs}</td></tr>\n`,
  ];
}

/** More groups than these are counted. */
const MOST_LISTED = 8;

function groupsText(groups: StrataSummary["strata"]): string {
  if (groups.length <= MOST_LISTED) {
    return groups.map(({ name, n, value }) => `${printable(name)}: ${two(value)} (n = ${n})`).join("; ");
  }
  const values = groups.flatMap(({ value }) => (value === null ? [] : [value]));
  const [above, below] = [values.filter((value) => value > 0).length, values.filter((value) => value < 0).length];
  return `${groups.length} groups: ${above} above 0, ${below} below`;
}

function gridTable({ measures }: Summary): Markup | false {
  const known = measures.filter(({ granulated }) => granulated !== null);
  if (known.length === 0) return false;
  const axes = Object.keys(known[0]!.granulated!.axes);
  const rows = known.map(({ granulated, signError, ...each }) => {
    const cells = axes.map((axis) => markup`<td class="number">${two(granulated!.axes[axis] ?? null)}</td>`);
    const errors = [signError?.mean, signError?.ninetieth, signError?.worst].map(
      (value) => markup`<td class="number">${two(value ?? null)}</td>`,
    );
    return markup`<tr><th scope="row">${seriesLabel(each)}</th>${cells}<td class="number">${two(granulated!.mean)}</td>${errors}
<td class="reason">${signError ? `${printable(signError.worstEnvironment)} (of ${signError.environments})` : "–"}</td></tr>\n`;
  });
  return table(
    "One setting at a time",
    [
      "measure",
      ...axes.map((axis) => `#${columnLabel(axis)}`),
      "#Ψ",
      "#sign-error",
      "#90 %",
      "#worst",
      "worst environment",
    ],
    rows,
    "Granulated Kendall (Jiang et al. 2020): the mean τ of networks that differ in one setting alone; Ψ is the mean of the settings. Sign-error (Dziugaite et al. 2020): how often the measure is wrong about which of two networks has the larger gap, where the gaps differ by more than a standard error; mean, 90th percentile and worst over the environments: 0 is always right, 0.5 a coin.",
  );
}

function groupTable(summary: Summary): Markup | false {
  const [first] = summary.groups;
  if (!first) return false;
  const facts = [...new Set(summary.groups.flatMap((group) => Object.keys(group.facts)))];
  const all = distinct(summary.groups.flatMap(({ measures }) => measures));
  const rows = summary.groups.map(({ value, n, facts: means, measures }) => {
    const cells = all.map((each) => {
      const found = measures.find((other) => isSame(each, other));
      const shown = found ? `${two(found.correlation.value)} ${span(found.correlation.interval)}` : "–";
      return markup`<td class="number">${shown}</td>`;
    });
    const others = facts.map((name) => markup`<td class="number">${significant(means[name] ?? Number.NaN)}</td>`);
    return markup`<tr><th scope="row">${value}</th><td class="number">${n}</td>${cells}${others}</tr>\n`;
  });
  return table(
    "Group by group",
    [
      columnLabel(first.by),
      "#n",
      ...all.map((each) => `#${seriesLabel(each)}`),
      ...facts.map((name) => `#${columnLabel(name)}`),
    ],
    rows,
    `${correlationLabel(summary.correlation)} with the ${columnLabel(summary.target)} in each group, and the means of what is known of its runs.`,
  );
}

interface Series {
  readonly measure: string;
  readonly layer: string | null;
}

function isSame(one: Series, other: Series): boolean {
  return one.measure === other.measure && one.layer === other.layer;
}

/** Each measure of each layer once, in the order in which they first come. */
function distinct<S extends Series>(all: readonly S[]): S[] {
  return [...new Map(all.map((each) => [JSON.stringify([each.measure, each.layer]), each])).values()];
}

function span(interval: readonly [number, number] | null): string {
  return interval ? `[${two(interval[0])}, ${two(interval[1])}]` : "";
}

function left({ runs }: Summary): Markup | false {
  const reasons = new Map<string, string[]>();
  for (const { run, reason } of runs.excluded) reasons.set(reason, [...(reasons.get(reason) ?? []), run]);
  const excluded = [...reasons].map(
    ([reason, ids]) =>
      markup`<li>${ids.length} excluded: ${printable(reason)} <span class="hash">${ids.join(" ")}</span></li>\n`,
  );
  const failed = runs.failed.map(
    ({ task, reason, attempts, output }) =>
      markup`<li>failed after ${attempts} attempt${attempts > 1 && "s"}: ${printable(task)}: ${printable(reason)}
<pre>${output.map((line) => `${printable(line)}\n`)}</pre></li>\n`,
  );
  if (excluded.length + failed.length === 0) return false;
  return markup`<section><h2>What was left out</h2>\n<ul>${excluded}${failed}</ul></section>`;
}

function deviations({ deviations: list }: Summary): Markup | false {
  if (list.length === 0) return false;
  return markup`<section><h2>Where it differs from the paper</h2>
<ul>${list.map((each) => markup`<li>${printable(each)}</li>\n`)}</ul></section>`;
}

const MOST_ROWS = 300;

function runTable({ target }: Summary, runs: readonly StudyRun[]): Markup | false {
  if (runs.length === 0) return false;
  const settings = [...new Set(runs.flatMap((run) => Object.keys(run.settings)))];
  const facts = ["train-loss", "test-loss", target, "train-accuracy", "test-accuracy", "epochs", "stopped"].filter(
    (name, index, all) => runs.some((run) => name in run.facts) && all.indexOf(name) === index,
  );
  const values = distinct(runs.flatMap((run) => run.values));
  const rows = runs.slice(0, MOST_ROWS).map((run) => {
    const cells = settings.map((name) => markup`<td>${String(run.settings[name] ?? "–")}</td>`);
    const known = facts.map((name) => cell(run.facts[name]));
    const measured = values.map((each) => cell(run.values.find((other) => isSame(each, other))?.value));
    return markup`<tr><th scope="row"><span class="hash">${run.run}</span></th>${cells}${known}${measured}</tr>\n`;
  });
  const head = [
    "run",
    ...settings.map(columnLabel),
    ...facts.map((name) => `#${columnLabel(name)}`),
    ...values.map((each) => `#${seriesLabel(each)}`),
  ];
  const note = runs.length > MOST_ROWS ? `The first ${MOST_ROWS} of ${runs.length}; all are in results.csv.` : "";
  return markup`<details><summary>All ${runs.length} runs</summary>${tableOf(head, rows)}<p class="faint">${note}</p></details>`;
}

function cell(value: unknown): Markup {
  const shown =
    typeof value === "number" ? significant(value) : value === null || value === undefined ? "–" : String(value);
  return markup`<td class="number">${shown}</td>`;
}

/** A heading that begins with # is of a column of numbers. */
function table(title: string, heads: readonly string[], rows: readonly Markup[], note: string): Markup {
  return markup`<section><h2>${title}</h2>\n${tableOf(heads, rows)}<p class="faint">${note}</p></section>\n`;
}

function tableOf(heads: readonly string[], rows: readonly Markup[]): Markup {
  const cells = heads.map((head) =>
    head.startsWith("#")
      ? markup`<th class="number" scope="col">${head.slice(1)}</th>`
      : markup`<th scope="col">${head}</th>`,
  );
  return markup`<div class="wide"><table>\n<thead><tr>${cells}</tr></thead>\n<tbody>\n${rows}</tbody></table></div>\n`;
}
