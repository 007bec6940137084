import { describe, expect, test } from "vitest";
import type { Graph } from "../../../src/graph/graph.ts";
import { Tensor } from "../../../src/graph/tensor.ts";
import { relativeError } from "../../golden-model.ts";
import { Sketch } from "../../sketch.ts";
import { labelled, random, warned } from "./observing.ts";

const CODE = "gradient-not-small";
/** The text has one digit, which may be a 1, and the scatter of 400 samples is a few percent of the gradient. */
const ONE_DIGIT = 0.35;

// A last layer of two classes and one feature, scores ±wφ: with φ = ±1 on classes 0 and 1, a share q of labels turned over,
// the mean loss has its minimum where σ(2w) = 1 − q.
const N = 400;
const SHARE = 0.1;
const BEST = Math.log((1 - SHARE) / SHARE) / 2;

function network(w: number): Graph {
  const s = new Sketch(921, [1]);
  return s.done(s.op("Gemm", ["x", s.rows("a", [2, 1], 1, [w, -w])], { transB: 1 }), 1).graph;
}
const turned = (sample: number) => sample % (1 / SHARE) === 0;
const classes = Array.from({ length: N }, (_, sample) => Math.floor(sample / 10) % 2);
const data = (n = N) =>
  labelled(
    1,
    classes.slice(0, n).map((label) => (label === 0 ? 1 : -1)),
    classes.slice(0, n).map((label, sample) => (turned(sample) ? 1 - label : label)),
  );

/** The δ up to which the gradient moves the loss more, by hand: 2√m‖Wᵀ∂R/∂W‖/κ with m = 1. */
function byHand(w: number): number {
  const p = 1 / (1 + Math.exp(-2 * w));
  // ∂R/∂w_0 = −∂R/∂w_1 = p − (1 − q); κ = p(1 − p)‖w_0 − w_1‖².
  const gradient = Math.abs(2 * w * (p - (1 - SHARE)));
  return (2 * gradient) / (p * (1 - p) * (2 * w) ** 2);
}
const deltaOf = (text: string) => Number(/δ of about (\S+)$/.exec(text)![1]);

describe("the gradient at a layer", () => {
  test("is small at the minimum", async () => {
    expect(await warned(network(BEST), data(), CODE)).toEqual([]);
  });

  test.each([0.2, 0.5, 2])("is not at %d times the best weight; δ is that by hand", async (times) => {
    const [warning] = await warned(network(times * BEST), data(), CODE);
    expect(warning!.layer).toBe("a");
    expect(warning!.text).toMatch(/^the network is not at a minimum of the loss on these data: /);
    // Of one feature the sketch is exact; the samples' scatter is taken off.
    expect(relativeError(deltaOf(warning!.text), byHand(times * BEST))).toBeLessThan(ONE_DIGIT);
  });

  test("is small where its slope counts only below a tenth", async () => {
    const near = 1.04 * BEST;
    expect(byHand(near)).toBeLessThan(0.1);
    expect(await warned(network(near), data(), CODE)).toEqual([]);
  });

  test("is not known to be large where samples are few", async () => {
    expect(await warned(network(0.85 * BEST), data(), CODE)).toEqual([]);
    expect(await warned(network(0.5 * BEST), data(20), CODE)).toEqual([]);
    expect(await warned(network(0.5 * BEST), data(1), CODE)).toEqual([]);
  });

  test("is not looked at where relative flatness is not measured", async () => {
    expect(await warned(network(0.2 * BEST), data(), CODE, { measures: ["hessian-trace"] })).toEqual([]);
  });
});

describe("of a network with random weights", () => {
  const SAMPLES = 1000;
  const s = new Sketch(922, [4]);
  const hidden = s.op("Gemm", ["x", s.rows("a", [6, 4]), s.random("a.bias", [6])], { transB: 1 });
  const last = s.op("Gemm", [s.op("Relu", [hidden]), s.rows("b", [3, 6], 1, random(18, 5))], { transB: 1 });
  const { graph } = s.done(last, 1);
  const x = random(SAMPLES * 4, 8);
  const samples = labelled(
    4,
    x,
    Array.from({ length: SAMPLES }, (_, sample) => (x[4 * sample]! > 0 ? 2 : 0)),
  );

  test("every layer is warned of, whatever the batches", async () => {
    const all = await warned(graph, samples, CODE);
    expect(all.map(({ layer }) => layer)).toEqual(["a", "b"]);
    expect(await warned(graph, samples, CODE, { batch: 7 })).toEqual(all);
  });

  test("factors of whole layers leave δ as it is", async () => {
    const deltas = async (of: Graph) => (await warned(of, samples, CODE)).map(({ text }) => deltaOf(text));
    const constants = new Map(graph.constants);
    for (const [name, factor] of [
      ["a.weight", 8],
      ["a.bias", 8],
      ["b.weight", 1 / 8],
    ] as const) {
      const { dims, ...tensor } = graph.constants.get(name)!;
      const values = graph.constants.get(name)!.numbers();
      constants.set(
        name,
        Tensor.float32(
          dims,
          Float32Array.from(values, (value) => value * factor),
        ),
      );
      expect(tensor.type).toBe("float32");
    }
    expect(await deltas({ ...graph, constants })).toEqual(await deltas(graph));
  });
});
