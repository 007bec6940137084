import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeStoredModel, type StoredModel } from "../../bench/stored-model.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { readModel } from "../../src/graph/files.ts";

import { softmax } from "../float64-curvature.ts";
import { relativeError } from "../golden-model.ts";

/** Sums of 4096 float32 products, three layers of them. */
const ROUNDING = 1e-5;
/** Of a gigabyte at most 1.3 may be in memory; Node, the runtime's library and a batch, which do not grow, are some 0.1 of them. */
const LARGEST_SHARE = 1.2;

const WIDTH = 4096;
const LAYERS = 2;
const SAMPLES = 8;
const folder = mkdtempSync(join(tmpdir(), "flatness-stored-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Measured {
  readonly peak: number;
  readonly value: number;
}

/** Measures the last layer in a process of its own, whose peak memory is its own. */
function measured({ model, data }: StoredModel): Measured {
  const root = resolve(import.meta.dirname, "../..");
  const { stdout, stderr } = spawnSync(process.execPath, ["bench/stored.mjs", model, data], {
    cwd: root,
    encoding: "utf8",
  });
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout) as Measured;
}

function written(name: string, width: number, layers: number): StoredModel {
  mkdirSync(join(folder, name));
  return writeStoredModel(join(folder, name), width, layers, SAMPLES);
}

describe("a model whose weights lie in a file of 134 MB", () => {
  let [large, small] = [0, 1].map(() => ({ peak: 0, value: 0 })) as [Measured, Measured];
  let stored: StoredModel;
  beforeAll(() => {
    stored = written("large", WIDTH, LAYERS);
    large = measured(stored);
    small = measured(written("small", 16, LAYERS));
  });

  test("is measured with them in memory once", () => {
    expect((large.peak - small.peak) / stored.bytes).toBeLessThan(LARGEST_SHARE);
  });

  test("has the last layer's κ, by its formula in float64", () => {
    const { constants } = readModel(stored.model).graph;
    const file = parseNpz(readFileSync(stored.data), stored.data);
    const x = file.array("x").data as Float32Array;
    const weights = Array.from({ length: LAYERS + 1 }, (_, layer) => constants.get(`fc${layer}.weight`)!.numbers());
    const last = weights.pop() as Float32Array;
    const rows = last.length / WIDTH;
    let kappa = 0;
    for (let sample = 0; sample < SAMPLES; sample++) {
      let phi = Float64Array.from(x.subarray(sample * WIDTH, (sample + 1) * WIDTH));
      for (const w of weights) phi = product(w as Float32Array, phi).map((value) => Math.max(0, value));
      const p = softmax(product(last, phi));
      const mean = Float64Array.from({ length: WIDTH }, (_, column) =>
        p.reduce((sum, share, row) => sum + share * last[row * WIDTH + column]!, 0),
      );
      let spread = 0;
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < WIDTH; column++) {
          spread += p[row]! * (last[row * WIDTH + column]! - mean[column]!) ** 2;
        }
      }
      kappa += (phi.reduce((sum, value) => sum + value * value, 0) * spread) / SAMPLES;
    }
    expect(relativeError(large.value, kappa)).toBeLessThan(ROUNDING);
  });
});

function product(w: Float32Array, x: Float64Array): Float64Array {
  return Float64Array.from({ length: w.length / x.length }, (_, row) => {
    let sum = 0;
    for (let column = 0; column < x.length; column++) sum += w[row * x.length + column]! * x[column]!;
    return sum;
  });
}
