import type { CorrelationName, MeasureSummary } from "../studies/summary.ts";
import { printable } from "./labels.ts";

/** `relative flatness, fc3`, or the measure alone for the whole network. */
export function seriesLabel({ measure, layer }: { measure: string; layer: string | null }): string {
  const name = columnLabel(measure);
  return layer === null ? name : `${name}, ${printable(layer)}`;
}

const properNames: readonly (readonly [RegExp, string])[] = [
  [/\bfisher rao\b/, "Fisher–Rao"],
  [/\bpac bayes\b/, "PAC-Bayes"],
  [/\bhessian\b/, "Hessian"],
  [/\bkde\b/, "KDE"],
];

/** `generalization-gap` or `sampling.labelNoise` as words. */
export function columnLabel(name: string): string {
  const words = name
    .replaceAll(/[-.]/g, " ")
    .replaceAll(/([a-z])([A-Z])/g, (_, end: string, start: string) => `${end} ${start.toLowerCase()}`);
  return printable(properNames.reduce((text, [plain, proper]) => text.replace(plain, proper), words));
}

/** Words as they begin a title. */
export function titled(words: string): string {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

const letters: Readonly<Record<CorrelationName, string>> = {
  kendall: "Kendall τ",
  spearman: "Spearman ρ",
  pearson: "Pearson r",
};

export function correlationLabel(name: CorrelationName): string {
  return letters[name];
}

/** `0.41 [0.30, 0.52]`, or – where there is none. */
export function coefficient({ correlations }: Pick<MeasureSummary, "correlations">, name: CorrelationName): string {
  const { value, interval } = correlations[name];
  if (value === null) return "–";
  return interval ? `${two(value)} [${two(interval[0])}, ${two(interval[1])}]` : two(value);
}

export function two(value: number | null): string {
  return value === null ? "–" : value.toFixed(2).replace("-", "−");
}

export function pValue(value: number | null): string {
  if (value === null) return "–";
  return value < 0.001 ? "< 0.001" : value.toPrecision(2);
}
