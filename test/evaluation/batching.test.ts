import { describe, expect, test } from "vitest";
import { losses64, curvatureByJacobian } from "../float64-curvature.ts";
import { maximumError } from "../float64-array.ts";
import { goldenBatch, goldenModel, measureAll, relativeError, rowOf, samplesOf } from "../golden-model.ts";
import { measureSketch } from "../sketch-data.ts";
import { Sketch } from "../sketch.ts";

/** The same float32 products in another order: batches choose other kernels of the runtime. */
const SAME = 1e-6;
/** float32 against float64 over 100 classes. */
const ROUNDING = 5e-6;

const folder = "digits-mlp-relu";
const [model, data] = [goldenModel(folder), goldenBatch(folder)];
const first = (n: number) => Int32Array.from({ length: n }, (_, index) => index);

describe("the last short batch", () => {
  test.each([1, 15, 17, 33])("%d samples in batches of 16 are those of batches of 1", async (n) => {
    const [whole, single] = [
      await measureAll(model, data, { batch: 16, perSample: true }, first(n)),
      await measureAll(model, data, { batch: 1, perSample: true }, first(n)),
    ];
    expect(whole.result.environment.batch).toBe(Math.min(16, n));
    expect(whole.result.data.n).toBe(n);
    for (const { layer, measure, values } of whole.perSample) {
      expect(values).toHaveLength(n);
      expect(maximumError(values, samplesOf(single, layer!, measure))).toBeLessThan(SAME);
      expect(relativeError(rowOf(whole, layer!, measure).value, rowOf(single, layer!, measure).value)).toBeLessThan(
        SAME,
      );
      expect(rowOf(whole, layer!, measure).n).toBe(n);
    }
    expect(relativeError(whole.result.loss.value, single.result.loss.value)).toBeLessThan(SAME);
    expect(whole.result.loss.accuracy).toBe(single.result.loss.accuracy);
  });
});

describe("samples", () => {
  test("values come in the order of the samples that were asked for, one as often as it was", async () => {
    const chosen = Int32Array.of(40, 3, 3, 63, 0);
    const all = await measureAll(model, data, { perSample: true });
    const some = await measureAll(model, data, { batch: 2, perSample: true }, chosen);
    for (const { layer, measure, values } of some.perSample) {
      const whole = samplesOf(all, layer!, measure);
      expect(
        maximumError(
          values,
          Array.from(chosen, (index) => whole[index]!),
        ),
      ).toBeLessThan(SAME);
    }
  });

  test("iterations say which measure makes which pass", async () => {
    const notes: string[] = [];
    await measureAll(
      model,
      data,
      {
        measures: ["max-eigenvalue"],
        onProgress(done, total, note) {
          if (note === undefined) return;
          expect(done).toBe(total);
          notes.push(note);
        },
      },
      first(17),
    );
    const [name] = /^max-eigenvalue of [^,]+/.exec(notes[0]!)!;
    expect(notes.slice(0, 2)).toEqual([`${name}, pass 1`, `${name}, pass 2`]);
    expect(notes).toContain("max-eigenvalue of the network, pass 1");
  });

  test("progress counts samples, and a signal stops between batches", async () => {
    const seen: number[][] = [];
    await measureAll(
      model,
      data,
      { measures: ["hessian-trace"], batch: 7, onProgress: (done, total) => seen.push([done, total]) },
      first(17),
    );
    expect(seen).toEqual([
      [7, 17],
      [14, 17],
      [17, 17],
    ]);
    const controller = new AbortController();
    const stopped = measureAll(
      model,
      data,
      { batch: 7, signal: controller.signal, onProgress: () => controller.abort() },
      first(17),
    );
    await expect(stopped).rejects.toThrow("This operation was aborted");
  });
});

describe("more columns than one run takes", () => {
  const s = new Sketch(51, [6]);
  const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [8, 6])], { transB: 1 })]);
  const net = s.done(s.op("Gemm", [a, s.rows("b", [100, 8])], { transB: 1 }), 3);

  test.each(losses64.filter(({ name }) => name !== "squared-error-mean"))(
    "100 classes in two runs, $name: κ and trace by brute force",
    async (loss) => {
      const measured = await measureSketch(net, loss.name, { method: "exact", perSample: true });
      for (const layer of net.layers) {
        const exact = [0, 1, 2].map((sample) => curvatureByJacobian(net, layer, loss, sample));
        for (const [measure, part] of [
          ["relative-flatness", "kappa"],
          ["hessian-trace", "trace"],
        ] as const) {
          const values = samplesOf(measured, layer.name, measure);
          expect(
            maximumError(
              values,
              exact.map((each) => each[part]),
            ),
          ).toBeLessThan(ROUNDING);
        }
      }
    },
  );

  test("loss and accuracy are counted once", async () => {
    const [exact, probes] = [
      await measureSketch(net, "cross-entropy", { method: "exact" }),
      await measureSketch(net, "cross-entropy", { method: "probes" }),
    ];
    expect(relativeError(exact.result.loss.value, probes.result.loss.value)).toBeLessThan(SAME);
    expect(exact.result.loss.accuracy).toBe(probes.result.loss.accuracy);
  });
});
