import { generalizationGap } from "../measures/generalization-gap.ts";
import type { Runtime } from "../runtime/session.ts";
import { shuffled } from "../statistics/random.ts";
import { measureModel, type Measurement, type Subject } from "./measure-model.ts";
import type { MeasureOptions } from "./options.ts";
import type { Result, ResultRow, Warning } from "./result.ts";
import type { Sampled } from "./sampled.ts";

/** Samples of the first round. */
const FIRST_SAMPLES = 256;
/** Probes beyond which more are of no use: the data's own spread is what is left. */
const MOST_PROBES = 64;
/** Aims a little lower than asked, as the error of the next round is itself estimated. */
const MARGIN = 1.15;

/**
 * Measures on as few samples, drawn at random, and with as few probes as bring the relative standard error of every averaged
 * row to `target`. Each round lowers what costs least: both errors fall with the samples, so these come first; when all are taken,
 * the probes.
 *
 * @param target such as 0.02
 */
export async function measureToAccuracy(
  subject: Subject,
  sampled: Sampled,
  options: MeasureOptions,
  target: number,
  runtime: Runtime,
): Promise<Measurement> {
  const all = shuffled(sampled.indices, options.seed ?? 0);
  let samples = Math.min(FIRST_SAMPLES, all.length);
  let probes = options.probes ?? 4;
  for (;;) {
    const indices = all.slice(0, samples).sort();
    const description =
      samples === all.length ? sampled.description : `${samples} drawn at random of: ${sampled.description}`;
    const measured = await measureModel(subject, { ...sampled, indices, description }, { ...options, probes }, runtime);
    const { error, row } = worst(measured.result);
    if (error <= target || !row) return measured;
    const factor = (MARGIN * error) / target;
    if (samples < all.length) samples = Math.min(all.length, Math.ceil(samples * Math.max(2, factor * factor)));
    else if (probesHelp(row, target) && probes < MOST_PROBES) probes = Math.min(MOST_PROBES, probes * 2);
    else return unmet(measured, target, row, error);
  }
}

/** The row with the largest relative standard error. That of a generalization gap is the test data's too, which stays as it is. */
function worst({ results }: Result): { error: number; row?: ResultRow } {
  let found: { error: number; row?: ResultRow } = { error: 0 };
  for (const row of results) {
    if (!row.standardError || row.measure === generalizationGap.name) continue;
    const { data, probe } = row.standardError;
    const error = Math.hypot(data ?? Number.POSITIVE_INFINITY, probe) / Math.abs(row.value);
    if (error > found.error) found = { error, row };
  }
  return found;
}

/** Whether a row misses its target by random directions alone: the data's own spread stays. */
function probesHelp({ method, value, standardError }: ResultRow, target: number): boolean {
  const { data, probe } = standardError ?? { data: null, probe: 0 };
  return method === "taylor-probes" && probe > 0 && data !== null && data < target * Math.abs(value);
}

function unmet(measured: Measurement, target: number, row: ResultRow, error: number): Measurement {
  const text = `a relative standard error of ${target} was asked for; ${row.measure} has ${error.toPrecision(2)} on all samples given`;
  const warning: Warning = { code: "relative-error-not-met", text, ...(row.layer !== null && { layer: row.layer }) };
  return { ...measured, result: { ...measured.result, warnings: [...measured.result.warnings, warning] } };
}
