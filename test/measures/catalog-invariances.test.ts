import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import { measures } from "../../src/measures/catalog.ts";
import type { Invariance, Measure } from "../../src/measures/measure.ts";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import { run } from "../float64-reference.ts";
import { measureAll, relativeError } from "../golden-model.ts";
import { rewritten, type Change } from "../rewritten.ts";
import { modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

// What the catalog says of every measure: unchanged by what it names, and by nothing else.

/** float32 rounds weights and products anew. */
const UNCHANGED = 1e-5;
/** Factors of 1e-2 and 1e2 side by side leave fewer digits to a sum. */
const UNCHANGED_FAR = 5e-4;
/** What a change must at least be, to be one. */
const CHANGED = 0.01;

const WIDTH = 5;

/** 6 → 5 → 5 → 4, ReLU between. */
function network(from: number): Sketched {
  const s = new Sketch(from, [6]);
  const dense = (x: string, name: string, d: number, m: number) =>
    s.op("Gemm", [x, s.rows(name, [d, m]), s.random(`${name}.bias`, [d])], { transB: 1 });
  const a = s.op("Relu", [dense("x", "a", WIDTH, 6)]);
  const b = s.op("Relu", [dense(a, "b", WIDTH, WIDTH)]);
  return s.done(dense(b, "c", 4, WIDTH), 24);
}

type At = readonly number[];
/** Neurons of a layer times factors, what reads them over these. */
const neurons = (name: string, next: string, factors: readonly number[]): Record<string, Change> => ({
  [`${name}.weight`]: (value: number, [row]: At) => value * factors[row!]!,
  [`${name}.bias`]: (value: number, [row]: At) => value * factors[row!]!,
  [`${next}.weight`]: (value: number, [, column]: At) => value / factors[column!]!,
});

/** Each rewriting, and the layers of which the catalog speaks: the one whose outputs, or inputs, are rescaled. */
const rewritings: Readonly<
  Record<Invariance, { changes(factors: readonly number[]): Record<string, Change>; layers: readonly string[] }>
> = {
  "layer-wise rescaling": {
    // The bias of the layer behind has the scale of what reads it: none.
    changes: ([factor]) => neurons("a", "b", Array<number>(WIDTH).fill(factor!)),
    layers: ["a", "b", "c"],
  },
  "neuron-wise rescaling of its outputs": { changes: (factors) => neurons("b", "c", factors), layers: ["b"] },
  "neuron-wise rescaling of its inputs": { changes: (factors) => neurons("b", "c", factors), layers: ["c"] },
  "softmax shift (last layer)": {
    changes: (factors) => ({ "c.weight": (value: number, [, column]: At) => value + factors[column!]! }),
    layers: ["c"],
  },
};

/** The samples under the labels that the network itself gives them, but for one in six: there is an accuracy to lose. */
function dataOf({ graph, x }: Sketched) {
  const { dims, data } = run(graph, new Map([["x", x]])).get(graph.outputs[0]!.name)!;
  const labels = BigInt64Array.from({ length: dims[0]! }, (_, sample) => {
    const scores = data.subarray(sample * dims[1]!, (sample + 1) * dims[1]!);
    return BigInt(sample % 6 === 0 ? sample % dims[1]! : scores.indexOf(Math.max(...scores)));
  });
  return arrayDataset({ source: "network", sha256: "" }, [
    { name: "x", type: "float32", dims: x.dims, data: Float32Array.from(x.data) },
    { name: "y", type: "int64", dims: [dims[0]!], data: labels },
  ]);
}

const measure = (net: Sketched, data: ReturnType<typeof dataOf>, options: MeasureOptions) =>
  measureAll(modelOf(net.graph), data, options);

/** What all measures of the catalog say, with the data as its own test data but for one sample. */
function measureEverything(net: Sketched, data: ReturnType<typeof dataOf>): Promise<Measurement> {
  const test = { data, indices: Int32Array.from({ length: data.n - 1 }, (_, index) => index), description: "" };
  const names = measures.map(({ name }) => name);
  return measure(net, data, { measures: names, test, noiseDraws: 2 });
}

/** How much each row of a measure changes, of the network and of the layers that count. */
function changesOf(asked: Measure, layers: readonly string[], before: Measurement, after: Measurement): number[] {
  return before.result.results.flatMap(({ layer, measure: name, value }, index) => {
    if (name !== asked.name || (layer !== null && !layers.includes(layer))) return [];
    // A difference of losses is as good as these are.
    const scale = name === "generalization-gap" ? before.result.loss.value : value;
    return [Math.abs((after.result.results[index]!.value - value) / scale)];
  });
}

const kinds = Object.entries(rewritings) as [Invariance, (typeof rewritings)[Invariance]][];

describe.each(kinds)("%s", (kind, { changes, layers }) => {
  test("leaves what names it, and moves all else", async () => {
    const net = network(31);
    const factors = [3, 0.2, 0.5, 4, 0.3];
    const data = dataOf(net);
    const twin = rewritten(net, changes(factors));
    const [before, after] = [await measureEverything(net, data), await measureEverything(twin, data)];
    expect(relativeError(after.result.loss.value, before.result.loss.value)).toBeLessThan(UNCHANGED);
    for (const each of measures) {
      const found = changesOf(each, layers, before, after);
      expect(found.length, each.name).toBeGreaterThan(0);
      if (each.invariances.includes(kind)) expect(Math.max(...found), each.name).toBeLessThan(UNCHANGED);
      else expect(Math.max(...found), each.name).toBeGreaterThan(CHANGED);
    }
  }, 30_000);

  test("with factors from 1e-2 to 1e2 too", async () => {
    const exponents = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: WIDTH, maxLength: WIDTH });
    const names = measures.filter(({ cost, invariances }) => cost !== "many passes" && invariances.includes(kind));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), exponents, async (from, powers) => {
        const net = network(from);
        const [data, twin] = [dataOf(net), rewritten(net, changes(powers.map((power) => 10 ** power)))];
        const asked = { measures: names.map(({ name }) => name).filter((name) => name !== "generalization-gap") };
        const [before, after] = [await measure(net, data, asked), await measure(twin, data, asked)];
        for (const each of names) {
          for (const found of changesOf(each, layers, before, after)) {
            expect(found, each.name).toBeLessThan(UNCHANGED_FAR);
          }
        }
      }),
      { numRuns: 5, seed: 17 },
    );
  }, 30_000);
});
