import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { measureModel } from "../../src/evaluation/measure-model.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import type { ModelFile } from "../../src/graph/files.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { Runtime } from "../../src/runtime/session.ts";
import { maximumError } from "../float64-array.ts";
import { goldenBatch, goldenModel } from "../golden-model.ts";

/** The same float32 products in another order: batches choose other kernels of the runtime. */
const SAME = 1e-6;

const measures = [
  "relative-flatness",
  "hessian-trace",
  "squared-weight-norm",
  "loss",
  "accuracy",
  "fisher-rao-closed-form",
];

/** Measures, and says how often each session ran, in the order in which they were opened, and with how many samples. */
async function measured(model: ModelFile, data: Dataset, options: MeasureOptions, n = data.n) {
  const runs: number[] = [];
  const sizes: (number | undefined)[] = [];
  const runtime: Runtime = {
    ...nodeRuntime,
    async open(graph, given) {
      const session = await nodeRuntime.open(graph, given);
      const place = runs.push(0) - 1;
      sizes.push(graph.inputs[0]?.dims?.[0] as number);
      return {
        run(inputs) {
          runs[place]! += 1;
          return session.run(inputs);
        },
        release: () => session.release(),
      };
    },
  };
  const indices = Int32Array.from({ length: n }, (_, index) => index);
  const settings: MeasureOptions = { threads: 1, layers: "last", perSample: true, ...options };
  const { result, perSample } = await measureModel(model, { data, indices, description: "" }, settings, runtime);
  return { result, perSample, runs, sizes };
}

describe.each([
  "digits-mlp-relu",
  "lenet5-fashion/net00-batch64",
  "regression-mlp-3",
  "digits-cnn-gelu-bn",
  "mini-resnet",
])("%s: what is made of features and scores is made for several batches at once", (folder) => {
  const [model, data] = [goldenModel(folder), goldenBatch(folder)];
  const known = folder.startsWith("regression") ? measures.filter((name) => name !== "accuracy") : measures;

  test.each([64, 62, 17, 3].filter((n) => n <= data.n))("of %d samples, three at once", async (n) => {
    const options = { measures: known };
    const stacked = await measured(model, data, { ...options, batch: 3 }, n);
    const whole = await measured(model, data, { ...options, batch: n }, n);
    const batches = Math.ceil(n / 3);
    if (n > 3) {
      const stacks = Math.ceil(batches / 64);
      const stack = Math.ceil(batches / stacks);
      expect(stacked.runs).toEqual([stacks, batches]);
      expect(stacked.sizes).toEqual([3 * stack, 3]);
    }
    expect(whole.runs).toEqual([1]);
    expect(stacked.result.environment.batch).toBe(3);
    expect(stacked.result.results).toHaveLength(known.length);
    stacked.result.results.forEach(({ layer, measure, value, standardError, n: of }, row) => {
      const expected = whole.result.results[row]!;
      expect([layer, measure, of]).toEqual([expected.layer, expected.measure, expected.n]);
      expect(maximumError([value], [expected.value])).toBeLessThan(SAME);
      if (standardError)
        expect(maximumError([standardError.data!], [expected.standardError!.data!])).toBeLessThan(SAME);
    });
    expect(stacked.perSample.length).toBeGreaterThan(0);
    stacked.perSample.forEach(({ values }, place) => {
      expect(maximumError(values, whole.perSample[place]!.values)).toBeLessThan(SAME);
    });
    expect(stacked.result.warnings.map(({ code }) => code)).toEqual(whole.result.warnings.map(({ code }) => code));
  });
});

describe("is not", () => {
  const [model, data] = [goldenModel("digits-mlp-relu"), goldenBatch("digits-mlp-relu")];

  test("where an inner layer is measured on the data", async () => {
    const { runs } = await measured(model, data, { layers: "all", measures: ["hessian-trace"], batch: 16 });
    expect(runs).toEqual([4]);
  });

  test("where the network is differentiated", async () => {
    const { runs } = await measured(model, data, { layers: "all", measures: ["fisher-rao-norm"], batch: 16 });
    expect(runs).toEqual([4]);
  });

  test("but where an inner layer has a measure of its weights alone", async () => {
    const { runs } = await measured(model, data, { layers: "all", measures: ["squared-weight-norm"], batch: 16 });
    expect(runs).toEqual([1, 4]);
  });
});

test("progress and signals are those of the network's batches", async () => {
  const [model, data] = [goldenModel("digits-mlp-relu"), goldenBatch("digits-mlp-relu")];
  const seen: number[] = [];
  const stop = new AbortController();
  const running = measured(model, data, {
    measures: ["relative-flatness"],
    batch: 8,
    signal: stop.signal,
    onProgress(done) {
      seen.push(done);
      if (done === 24) stop.abort();
    },
  });
  await expect(running).rejects.toThrow("aborted");
  expect(seen).toEqual([8, 16, 24]);
});
