import type { Graph } from "../graph/graph.ts";
import type { FactorRange } from "../graph/reparameterization/neuron-wise.ts";
import { randomTwins } from "../graph/reparameterization/random-twins.ts";
import type { Runtime } from "../runtime/session.ts";
import { RandomStream } from "../statistics/random.ts";
import { bindInputs } from "./binding.ts";
import { chooseLoss, labelField } from "./choice.ts";
import { measureModel, type Measurement, type Sampled, type Subject } from "./measure-model.ts";
import type { MeasureOptions } from "./options.ts";
import type { InvarianceRow, Warning } from "./result.ts";

/** Factors of random twins. */
const RANGE: FactorRange = [0.2, 5];
/** The losses of twins differ by rounding only. */
const ROUNDING = 1e-4;

/**
 * Measures a model, and random networks of the same function: what a measure is not invariant to shows as change.
 *
 * Cost: that of one measurement, times one more than the twins of every kind that the network has (up to three).
 *
 * @param count twins of each kind
 */
export async function measureWithTwins(
  subject: Subject,
  sampled: Sampled,
  options: MeasureOptions,
  count: number,
  runtime: Runtime,
): Promise<Measurement> {
  const { graph, file } = subject;
  const { seed = 0, labels = "y", onProgress } = options;
  const declared = graph.inputs.map((input) => input.dims?.[0]).find((size) => typeof size === "number");
  const types = bindInputs(graph, sampled.data, options.inputs).types(declared ?? 1);
  const loss = chooseLoss(labelField(sampled.data, labels), options.loss);
  const { twins, obstacle } = randomTwins(graph, types, RANGE, loss.name === "cross-entropy");
  const runs = 1 + count * twins.length;
  let run = 0;
  const measured = (of: Subject, more: MeasureOptions) => {
    const before = run++;
    const progress = (done: number, total: number, note?: string) =>
      onProgress?.(before * total + done, runs * total, note);
    return measureModel(of, sampled, { ...more, onProgress: progress }, runtime);
  };

  const started = performance.now();
  const own = await measured(subject, options);
  const { sha256, opset } = own.result.model;
  const rows: InvarianceRow[] = [];
  const warnings: Warning[] = [];
  if (obstacle !== undefined) {
    const text = `no layer can be rescaled without changing the function, so that nothing is said of it: ${obstacle}`;
    warnings.push({ code: "not-rescalable", text });
  }
  for (const { rewriting, draw } of twins) {
    const stream = new RandomStream(seed, `twins, ${rewriting}`);
    const changes = own.result.results.map(() => 0);
    for (let twin = 0; twin < count; twin++) {
      const rewritten: Graph = draw(stream);
      const { result } = await measured({ graph: rewritten, file, sha256, opset }, { ...options, perSample: false });
      const lossChange = relativeChange(own.result.loss.value, result.loss.value);
      if (!(lossChange <= ROUNDING)) {
        const text = `the loss of a ${rewriting} twin differs by ${lossChange.toPrecision(2)} of its value: float32 has no digits for such weights`;
        warnings.push({ code: "twin-differs", text });
      }
      own.result.results.forEach((row, index) => {
        // The same graph has the same plan: its rows come in the same order.
        const change = relativeChange(row.value, result.results[index]?.value ?? Number.NaN);
        changes[index] = Math.max(changes[index] as number, change);
      });
    }
    own.result.results.forEach(({ layer, measure, options: under }, index) => {
      const change = changes[index] as number;
      const largestChange = Number.isFinite(change) ? change : null;
      rows.push({ layer, measure, options: under, rewriting, largestChange, twins: count });
    });
  }
  const total = (performance.now() - started) / 1000;
  const seconds = { ...own.result.seconds, twins: total - own.result.seconds.total, total };
  const result = { ...own.result, invariance: rows, warnings: [...own.result.warnings, ...warnings], seconds };
  return { ...own, result };
}

/** |x − x'| / |x|: infinite where only x is 0, or x' is no number. */
function relativeChange(value: number, other: number): number {
  if (value === other) return 0;
  const change = Math.abs(other - value) / Math.abs(value);
  return Number.isNaN(change) ? Infinity : change;
}
