import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { ModelError, UsageError } from "../../src/errors.ts";
import { measureModel } from "../../src/evaluation/measure-model.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import { Totals } from "../../src/evaluation/totals.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { Runtime } from "../../src/runtime/session.ts";
import { maximumError } from "../float64-array.ts";
import { goldenBatch, goldenModel, rowOf } from "../golden-model.ts";
import { datasetOf, modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** Other batch sizes choose other kernels of the runtime. */
const SAME = 1e-6;

/** The runtime, counting the sessions that are open. */
function counted(): { runtime: Runtime; opened: () => number; open: () => number } {
  let [opened, open] = [0, 0];
  const runtime: Runtime = {
    ...nodeRuntime,
    async open(graph, options) {
      const session = await nodeRuntime.open(graph, options);
      opened += 1;
      open += 1;
      return {
        run: (inputs) => session.run(inputs),
        async release() {
          open -= 1;
          await session.release();
        },
      };
    },
  };
  return { runtime, opened: () => opened, open: () => open };
}

const folder = "digits-mlp-relu";
const [model, data] = [goldenModel(folder), goldenBatch(folder)];

/** Convolution with few positions → tanh → dense → tanh → dense. */
const sketched = (() => {
  const s = new Sketch(94, [2, 3, 3]);
  const a = s.op("Tanh", [s.op("Conv", ["x", s.rows("a", [3, 2, 2, 2])])]);
  const b = s.op("Tanh", [s.op("Gemm", [s.op("Flatten", [a]), s.rows("b", [4, 12])], { transB: 1 })]);
  return s.done(s.op("Gemm", [b, s.rows("c", [3, 4])], { transB: 1 }), 20);
})();
const [smooth, smoothData] = [modelOf(sketched.graph), datasetOf(sketched, "cross-entropy")];

function measure(
  subject: ReturnType<typeof modelOf>,
  samples: Dataset,
  runtime: Runtime,
  options: MeasureOptions = {},
) {
  const indices = Int32Array.from({ length: samples.n }, (_, index) => index);
  return measureModel(subject, { data: samples, indices, description: "" }, { threads: 1, ...options }, runtime);
}

describe("sessions are released", () => {
  test("one for all averages of all layers, and one to look at the gradient below the last", async () => {
    const { runtime, opened, open } = counted();
    await measure(model, data, runtime);
    expect([opened(), open()]).toEqual([2, 0]);
  });

  test("and one for each operator that a measure iterates", async () => {
    const { runtime, opened, open } = counted();
    const measures = ["relative-flatness", "max-eigenvalue"];
    await measure(model, data, runtime, { measures });
    // Three layers, and all of them together.
    expect([opened(), open()]).toEqual([2 + 4, 0]);
  });

  test("of every pass of a smooth network, and of what a pass needs before", async () => {
    const { runtime, opened, open } = counted();
    const { perSample } = await measure(smooth, smoothData, runtime, { method: "exact" });
    // The columns' pass; a and b swept, and before a the inner products of its positions; the gradient.
    expect([opened(), open()]).toEqual([5, 0]);
    // Nothing of a sample's is kept unless it is asked for.
    expect(perSample).toEqual([]);
    const kept = await measure(smooth, smoothData, runtime, { method: "exact", perSample: true });
    expect(kept.perSample.map(({ layer, values }) => [layer, values.length])).toEqual(
      ["a", "a", "b", "b", "c", "c"].map((layer) => [layer, 20]),
    );
  });

  test.each([1, 2, 3, 4, 5])("when session %d of them cannot be opened", async (last) => {
    const { runtime, opened, open } = counted();
    const failing: Runtime = {
      ...runtime,
      async open(graph, options) {
        if (opened() === last - 1) throw new Error("no memory");
        return runtime.open(graph, options);
      },
    };
    await expect(measure(smooth, smoothData, failing, { method: "exact" })).rejects.toThrow("no memory");
    expect([opened(), open()]).toEqual([last - 1, 0]);
  });

  test.each([1, 2, 3, 4, 5])("when session %d of them fails as it runs", async (last) => {
    const { runtime, opened, open } = counted();
    const failing: Runtime = {
      ...runtime,
      async open(graph, options) {
        const session = await runtime.open(graph, options);
        const number = opened();
        return {
          ...session,
          run: (inputs) => (number === last ? Promise.reject(new Error("lost")) : session.run(inputs)),
        };
      },
    };
    await expect(measure(smooth, smoothData, failing, { method: "exact" })).rejects.toThrow("lost");
    expect(open()).toBe(0);
  });

  test("after an error in the data", async () => {
    const { runtime, opened, open } = counted();
    const broken: Dataset = {
      ...data,
      async read(indices, names) {
        const batch = new Map(await data.read(indices, names));
        const y = batch.get("y")!;
        if (indices[0] !== 0) batch.set("y", { ...y, data: new BigInt64Array(indices.length).fill(77n) });
        return batch;
      },
    };
    await expect(measure(model, broken, runtime)).rejects.toThrow("has label 77");
    expect([opened(), open()]).toEqual([1, 0]);
  });

  test("when the caller stops", async () => {
    const { runtime, open } = counted();
    const controller = new AbortController();
    const stopped = measure(model, data, runtime, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(stopped).rejects.toThrow();
    expect(open()).toBe(0);
  });
});

describe("totals", () => {
  const values = new Map([["loss", Float64Array.of(1, 2, 3)]]);

  test("keep sums alone, unless every sample's value is asked for", () => {
    const [sums, kept] = [new Totals(4, false), new Totals(4, true)];
    for (const totals of [sums, kept]) {
      totals.add(values, 0, 3, 1);
      // A batch that is longer than what is left: the rest is padding.
      totals.add(values, 3, 1, 1);
      expect([totals.moments.get("loss")?.n, totals.moments.get("loss")?.mean]).toEqual([4, 7 / 4]);
    }
    expect([...sums.perSample]).toEqual([]);
    expect([...kept.perSample]).toEqual([["loss", Float32Array.of(1, 2, 3, 1)]]);
  });
});

describe("providers", () => {
  test("one that is not there", async () => {
    await expect(measure(model, data, nodeRuntime, { provider: "quantum" })).rejects.toThrow(
      new UsageError(`provider quantum: not available here; there are ${nodeRuntime.providers.join(", ")}`),
    );
  });

  test("the result says what ran it", async () => {
    const { result } = await measure(model, data, nodeRuntime, { seed: 5 });
    expect(result.environment).toEqual({
      flatness: expect.any(String) as string,
      onnxruntime: nodeRuntime.version,
      provider: "cpu",
      threads: 1,
      batch: 32,
      seed: 5,
    });
  });
});

/** 4×3 → dense → 3 classes, exported for one batch size, which a Reshape holds as a constant. */
function exportedFor(batch: number): { fixed: Sketched; free: Sketched } {
  const make = (size: number) => {
    const s = new Sketch(91, [4, 3]);
    const a = s.op("Relu", [s.op("MatMul", ["x", s.columns("a", 3, 5)])]);
    const flat = s.op("Reshape", [a, s.integers(size, 20)]);
    return s.done(s.op("Gemm", [flat, s.rows("c", [3, 20])], { transB: 1 }), 37);
  };
  const fixed = make(batch);
  return {
    free: make(-1),
    fixed: { ...fixed, graph: { ...fixed.graph, inputs: [{ name: "x", type: "float32", dims: [batch, 4, 3] }] } },
  };
}

describe("a model exported for a fixed batch size", () => {
  test.each([1, 8])("of %d is rewritten for the one that suits, and checked", async (batch) => {
    const { fixed, free } = exportedFor(batch);
    const samples = datasetOf(free, "cross-entropy");
    const { runtime, opened, open } = counted();
    const measured = await measure(modelOf(fixed.graph), samples, runtime);
    const expected = await measure(modelOf(free.graph), samples, nodeRuntime);
    for (const row of expected.result.results) {
      expect(maximumError([rowOf(measured, row.layer!, row.measure).value], [row.value])).toBeLessThan(SAME);
    }
    // The model as it was, as it became, the pass, and the gradient.
    expect([opened(), open()]).toEqual([4, 0]);
    expect(measured.result.warnings.map(({ code, text }) => [code, text])).toEqual([
      [
        "batch-rewritten",
        "the model was exported for a fixed batch size; 1 of its nodes were rewritten for 37, and the outputs were found equal",
      ],
    ]);
  });

  test("runs as it is at its own size", async () => {
    const { fixed, free } = exportedFor(8);
    const { runtime, opened } = counted();
    const measured = await measure(modelOf(fixed.graph), datasetOf(free, "cross-entropy"), runtime, {
      batch: 8,
      measures: ["hessian-trace"],
    });
    expect(opened()).toBe(1);
    expect(measured.result.warnings).toEqual([]);
  });

  test("whose outputs change by rewriting is refused", async () => {
    // What looks like a batch of 2 is the first half of the features.
    const s = new Sketch(92, [4]);
    const mixed = s.op("Reshape", [s.op("Reshape", ["x", s.integers(2, 4)]), s.integers(2, 4)]);
    const summed = s.op("Sub", [mixed, s.op("ReduceMean", ["x", s.integers(0)], { keepdims: 1 })]);
    const net = s.done(s.op("Gemm", [summed, s.rows("c", [3, 4])], { transB: 1 }), 37);
    const graph: Graph = { ...net.graph, inputs: [{ name: "x", type: "float32", dims: [2, 4] }] };
    await expect(measure(modelOf(graph), datasetOf(exportedForAny(net), "cross-entropy"), nodeRuntime)).rejects.toThrow(
      ModelError,
    );
    await expect(measure(modelOf(graph), datasetOf(exportedForAny(net), "cross-entropy"), nodeRuntime)).rejects.toThrow(
      /^the model was exported for batches of 2; rewritten for 19, its output Gemm_4_out changes by .+\. Export it with a dynamic batch size, or use --batch 2$/,
    );
  });
});

/** The samples of a sketch whose graph only runs at one batch size, with labels of three classes. */
function exportedForAny({ x }: Sketched): Sketched {
  const s = new Sketch(93, x.dims.slice(1));
  return s.done(s.op("Gemm", ["x", s.rows("c", [3, 4])], { transB: 1 }), x.dims[0]!, x.data);
}
