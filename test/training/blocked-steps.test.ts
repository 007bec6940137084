import { expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { ModelError } from "../../src/errors.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { Runtime } from "../../src/runtime/session.ts";
import { engineOf } from "../../src/training/engine.ts";
import { WEIGHTS } from "../../src/training/names.ts";
import { prepared } from "../../src/training/prepare.ts";
import { resolved } from "../../src/training/recipe-text.ts";
import { normals } from "../sketch.ts";

/** Rounding of float32 sums in another order, grown over three steps, relative to how far these went, in L2. */
const FLOAT32 = 1e-4;

/** Weights before and after three steps of a residual network, and the domains of the operators that took them. */
async function steps(runtime: Runtime) {
  const random = normals(41);
  const n = 24;
  const x = { name: "x", type: "float32", dims: [n, 3, 12, 12], data: Float32Array.from({ length: n * 432 }, random) };
  const y = { name: "y", type: "uint8", dims: [n], data: Uint8Array.from({ length: n }, (_, index) => index % 3) };
  const data = arrayDataset({ source: "noise", sha256: "" }, [x as never, y as never]);
  const recipe = resolved({
    model: { name: "resnet-small", width: 16, stages: 2, blocks: 1 },
    data: { source: "noise" },
    batchSize: 8,
    optimizer: { name: "sgd", learningRate: 0.01, momentum: 0.9 },
    threads: 1,
  });
  const domains = new Set<string>();
  const watched: Runtime = {
    ...runtime,
    open(graph, options) {
      for (const domain of graph.domains.keys()) domains.add(domain);
      return runtime.open(graph, options);
    },
  };
  const engine = engineOf(recipe, await prepared(recipe, { train: data }), watched);
  const state = engine.start();
  const before = Float64Array.from(state.vectors.get(WEIGHTS)!);
  await engine.run(
    state,
    Int32Array.from({ length: n }, (_, index) => index),
    3,
  );
  return { before, after: Float64Array.from(state.vectors.get(WEIGHTS)!), domains: [...domains] };
}

test("steps on blocks of channels are those of a runtime that has none", async () => {
  const without: Runtime = {
    ...nodeRuntime,
    open(graph, options) {
      if (graph.domains.has("com.microsoft.nchwc")) return Promise.reject(new ModelError("no such operator"));
      return nodeRuntime.open(graph, options);
    },
  };
  const [blocked, plain] = [await steps(nodeRuntime), await steps(without)];
  expect(blocked.domains).toContain("com.microsoft.nchwc");
  expect(blocked.before).toEqual(plain.before);
  const length = (values: Float64Array) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
  const moved = length(plain.after.map((value, place) => value - plain.before[place]!));
  expect(moved).toBeGreaterThan(0.01);
  expect(length(plain.after.map((value, place) => value - blocked.after[place]!)) / moved).toBeLessThan(FLOAT32);
});
