import { test } from "vitest";
import { goldenBatch, goldenModel, measureAll, rowOf, samplesOf } from "../golden-model.ts";

test.each([["mini-gpt", ["blocks.1.f1", "blocks.1.f2"], 32]] as const)(
  "%s",
  async (folder, layers, n) => {
    const model = goldenModel(folder),
      data = goldenBatch(folder);
    const indices = Int32Array.from({ length: n }, (_, i) => i);
    for (const [from, N] of [
      [0, 200],
      [1000, 200],
      [5000, 200],
    ] as const) {
      const runs = [];
      for (let seed = from; seed < from + N; seed++)
        runs.push(await measureAll(model, data, { method: "probes", layers, seed, perSample: true }, indices));
      for (const l of layers)
        for (const me of ["relative-flatness", "hessian-trace"]) {
          const vs = runs.map((r) => rowOf(r, l, me).value);
          const v = (x: number[]) => {
            const m = x.reduce((a, b) => a + b) / x.length;
            return x.reduce((a, b) => a + (b - m) ** 2, 0) / (x.length - 1);
          };
          let pred = 0;
          const ss = runs.map((r) => samplesOf(r, l, me));
          for (let i = 0; i < n; i++) pred += v(ss.map((s) => s[i]!)) / n ** 2;
          console.log(
            from,
            l,
            me,
            "actual",
            Math.sqrt(v(vs)).toFixed(4),
            "by samples",
            Math.sqrt(pred).toFixed(4),
            "reported",
            Math.sqrt(runs.reduce((a, r) => a + rowOf(r, l, me).standardError!.probe ** 2, 0) / N).toFixed(4),
          );
        }
    }
  },
  300000,
);
