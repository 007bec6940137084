import { describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { measureModel } from "../../src/evaluation/measure-model.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { builtIn } from "../../src/training/models/catalog.ts";
import { mlp } from "../../src/training/models/mlp.ts";
import { GRADIENT_NORM, LOSS, NEW_WEIGHTS, PENALTY, WEIGHTS } from "../../src/training/names.ts";
import { withVectors } from "../../src/training/parameters.ts";
import type { Recipe } from "../../src/training/recipe.ts";
import { regularization } from "../../src/training/regularizers/catalog.ts";
import type { Penalty } from "../../src/training/regularizers/penalty.ts";
import { dot, norm } from "../float64-array.ts";
import { float64Loss } from "./float64-loss.ts";
import { smallTask, type SmallTask, stepOf, stepsOf } from "./small-tasks.ts";

/** A float32 gradient against float64 differences, relative to its length. */
const TOLERANCE = 2e-5;
/** Two float32 routes to one number. */
const FLOAT32 = 2e-6;
const STEP = 1e-4;
/** Of a second difference inside a first: rounding 1e-16/INNER² and curvature INNER² are alike. */
const INNER = 3e-3;
const DIRECTIONS = 8;
const LOSS_STRENGTH = 3;

type Settings = Recipe["regularizers"];

function classifier(seed: number): SmallTask {
  const model = mlp({ input: [4], outputs: 3 }, { hidden: [6, 5], activation: "tanh" });
  return smallTask(model, [4], 3, 7, seed);
}

function languageModel(seed: number): SmallTask {
  const settings = { name: "gpt-tiny", width: 4, depth: 1, heads: 2 } as const;
  return smallTask(builtIn({ input: [3], outputs: 5 }, settings), [3], 5, 4, seed);
}

/** The penalty and its gradient alone: the gradient with it less that without. */
async function penaltyOf(small: SmallTask, settings: Settings, signs: Readonly<Record<string, Float32Array>> = {}) {
  const { penalties, numbers } = regularization(small.task, settings, 0);
  const plain = await stepOf(small);
  const { gradient, outputs } = await stepOf(small, { penalties }, { ...numbers, ...signs });
  const value = (outputs.get(PENALTY)!.data as Float32Array)[0]!;
  return { value, gradient: Float64Array.from(gradient, (with_, index) => with_ - plain.gradient[index]!) };
}

/** Compares a gradient with central differences along random directions. */
function checkGradient(small: SmallTask, gradient: Float64Array, value: (weights: Float64Array) => number): void {
  const stream = new RandomStream(3, "directions");
  const at = Float64Array.from(small.weights);
  for (let draw = 0; draw < DIRECTIONS; draw++) {
    const v = Float64Array.from(at, () => stream.normal());
    const moved = (by: number) => value(at.map((weight, index) => weight + by * v[index]!));
    const difference = (moved(STEP) - moved(-STEP)) / (2 * STEP);
    expect(Math.abs(difference - dot(gradient, v))).toBeLessThan(TOLERANCE * norm(gradient) * norm(v));
  }
}

/** κ of a last layer whose scores are W φ + b, rows of W in a matrix [C, m] or its transpose, by the paper's formula for softmax. */
function lastLayerFlatness(
  small: SmallTask,
  features: string,
  weight: { name: string; at(row: number, column: number): number },
  [classes, m]: readonly [number, number],
) {
  const reference = float64Loss(small);
  const entry = small.task.layout.entries.find(({ name }) => name === weight.name)!;
  return (weights: Float64Array) => {
    const values = reference.values(weights);
    const phi = values.get(features)!.data;
    const scores = values.get(small.task.graph.outputs[0]!.name)!.data;
    const w = (row: number, column: number) => weights[entry.offset + weight.at(row, column)]!;
    const terms = phi.length / m;
    let sum = 0;
    for (let term = 0; term < terms; term++) {
      const own = scores.subarray(term * classes, (term + 1) * classes);
      const total = own.reduce((all, score) => all + Math.exp(score), 0);
      const p = Array.from(own, (score) => Math.exp(score) / total);
      let form = 0;
      for (let column = 0; column < m; column++) {
        const mean = p.reduce((all, share, row) => all + share * w(row, column), 0);
        form += p.reduce((all, share, row) => all + share * (w(row, column) - mean) ** 2, 0);
      }
      sum += form * norm(phi.subarray(term * m, (term + 1) * m)) ** 2;
    }
    return sum / terms;
  };
}

describe("the gradient of the flatness of the last layer equals central differences of κ", () => {
  test("of a classifier", async () => {
    const small = classifier(21);
    const settings: Settings = [{ name: "flatness", strength: LOSS_STRENGTH, layer: "last", curvature: "hessian" }];
    const { value, gradient } = await penaltyOf(small, settings);
    const kappa = lastLayerFlatness(
      small,
      "tanh2/out",
      { name: "fc3.weight", at: (row, column) => row * 5 + column },
      [3, 5],
    );
    const exact = LOSS_STRENGTH * kappa(Float64Array.from(small.weights));
    expect(Math.abs(value - exact)).toBeLessThan(FLOAT32 * exact);
    checkGradient(small, gradient, (weights) => LOSS_STRENGTH * kappa(weights));
  });

  test("of a language model, mean over the tokens", async () => {
    const small = languageModel(22);
    const settings: Settings = [{ name: "flatness", strength: LOSS_STRENGTH, layer: "last", curvature: "hessian" }];
    const { value, gradient } = await penaltyOf(small, settings);
    const kappa = lastLayerFlatness(
      small,
      "norm/out",
      { name: "head.weight", at: (row, column) => column * 5 + row },
      [5, 4],
    );
    const exact = LOSS_STRENGTH * kappa(Float64Array.from(small.weights));
    expect(Math.abs(value - exact)).toBeLessThan(FLOAT32 * exact);
    checkGradient(small, gradient, (weights) => LOSS_STRENGTH * kappa(weights));
  });
});

const probed: Settings = [{ name: "flatness", strength: 1, layer: "fc2", curvature: "hessian" }];

function signsFor(penalties: readonly Penalty[], draw: number): Record<string, Float32Array> {
  const stream = new RandomStream(draw, "signs");
  return Object.fromEntries(
    penalties.flatMap(({ signs }) =>
      [...signs].map(([name, size]) => [name, Float32Array.from({ length: size }, () => stream.sign())]),
    ),
  );
}

describe("the flatness of an inner layer along one direction", () => {
  test("is the second derivative of the loss, and its gradient equals central differences", async () => {
    const small = classifier(23);
    const signs = signsFor(regularization(small.task, probed, 0).penalties, 1);
    const { value, gradient } = await penaltyOf(small, probed, signs);
    const [rows, columns] = Object.values(signs) as [Float32Array, Float32Array];
    const mixing = new RandomStream(0, "mixing");
    const [d, m] = [5, 6];
    const a = Array.from({ length: m * m }, () => mixing.sign());
    const { offset } = small.task.layout.entries.find(({ name }) => name === "fc2.weight")!;
    const reference = float64Loss(small);
    // d²/dt² of the loss at W + t W D A D'.
    const form = (weights: Float64Array) => {
      const direction = new Float64Array(weights.length);
      for (let row = 0; row < d; row++) {
        for (let column = 0; column < m; column++) {
          let sum = 0;
          for (let k = 0; k < m; k++) sum += weights[offset + row * m + k]! * rows[k]! * a[k * m + column]!;
          direction[offset + row * m + column] = sum * columns[column]!;
        }
      }
      const moved = (by: number) => reference.loss(weights.map((weight, index) => weight + by * direction[index]!));
      // Of fourth order, so that the step may be large.
      const [far, near, here] = [2 * INNER, INNER, 0].map((by) => moved(by) + moved(-by)) as [number, number, number];
      return (-far + 16 * near - 15 * here) / (12 * INNER * INNER);
    };
    const exact = form(Float64Array.from(small.weights));
    expect(Math.abs(value - exact)).toBeLessThan(TOLERANCE * Math.abs(exact));
    checkGradient(small, gradient, form);
  });

  test("is κ in the mean over directions", async () => {
    const small = classifier(26);
    const { task, x, labels, batch } = small;
    const data = arrayDataset({ source: "memory", sha256: "" }, [
      { name: "x", type: "float32", dims: x.dims, data: x.data },
      { name: "y", type: "int64", dims: [batch], data: labels },
    ]);
    const graph = withVectors(task.graph, [[task.layout, small.weights]]);
    const { result } = await measureModel(
      { graph, file: "", sha256: "", opset: 18 },
      { data, indices: Int32Array.from({ length: batch }, (_, index) => index), description: "" },
      { layers: ["fc2"], method: "exact", threads: 1 },
      nodeRuntime,
    );
    const kappa = result.results.find(({ measure }) => measure === "relative-flatness")!.value;
    const { penalties, numbers } = regularization(task, probed, 0);
    const draws = Array.from({ length: 200 }, (_, draw) => ({ ...numbers, ...signsFor(penalties, draw) }));
    const steps = await stepsOf(small, { penalties }, draws);
    const values = steps.map(({ outputs }) => (outputs.get(PENALTY)!.data as Float32Array)[0]!);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
    expect(Math.abs(mean - kappa)).toBeLessThan((4 * deviation) / Math.sqrt(values.length));
    // And not by a wide margin for want of draws.
    expect(deviation / Math.sqrt(values.length)).toBeLessThan(0.2 * Math.abs(kappa));
  });
});

test("the norm of chosen layers adds 2 λ W to their gradient and nothing to biases", async () => {
  const small = classifier(25);
  const { gradient } = await penaltyOf(small, [{ name: "norm", strength: 0.5, layers: ["fc1", "fc3"] }]);
  for (const { name, dims, offset } of small.task.layout.entries) {
    const size = dims.reduce((product, length) => product * length, 1);
    for (let index = offset; index < offset + size; index++) {
      const expected = ["fc1.weight", "fc3.weight"].includes(name) ? small.weights[index]! : 0;
      expect(Math.abs(gradient[index]! - expected)).toBeLessThan(FLOAT32);
    }
  }
});

describe("a sharpness-aware step", () => {
  /** The gradient at other weights. */
  const gradientAt = async (small: SmallTask, weights: Float32Array) => (await stepOf({ ...small, weights })).gradient;

  test.each([
    ["sam", (_: number, g: number) => g, (_: number, g: number) => g],
    [
      "asam",
      (w: number, g: number) => (Math.abs(w) + 0.01) * g,
      (w: number, g: number) => (Math.abs(w) + 0.01) ** 2 * g,
    ],
  ] as const)(
    "%s takes its gradient at the worse point, and reports the loss at the weights",
    async (name, scaled, along) => {
      const small = classifier(26);
      const radius = 0.1;
      const settings: Settings = name === "sam" ? [{ name, radius }] : [{ name, radius, offset: 0.01 }];
      const { perturbation, numbers } = regularization(small.task, settings, 0);
      const { gradient, outputs } = await stepOf(small, { perturbation: perturbation! }, { ...numbers });
      const plain = await stepOf(small);
      const g = plain.gradient;
      const length = Math.hypot(...g.map((value, index) => scaled(small.weights[index]!, value)));
      const point = small.weights.map((w, index) => w + (radius * along(w, g[index]!)) / length);
      const expected = await gradientAt(small, point);
      expect(norm(expected.map((value, index) => value - g[index]!))).toBeGreaterThan(0.01 * norm(g));
      expect(norm(gradient.map((value, index) => value - expected[index]!))).toBeLessThan(TOLERANCE * norm(expected));
      for (const reported of [LOSS, GRADIENT_NORM]) {
        const [found, known] = [outputs, plain.outputs].map((each) => (each.get(reported)!.data as Float32Array)[0]!);
        expect(Math.abs(found! - known!)).toBeLessThan(FLOAT32 * known!);
      }
      // The step itself is taken from the weights.
      const after = outputs.get(NEW_WEIGHTS)!.data as Float32Array;
      expect(after[0]).toBeCloseTo(small.weights[0]! - gradient[0]!, 6);
      expect(outputs.has(WEIGHTS)).toBe(false);
    },
  );
});

test("clipping limits the gradient's norm and leaves a shorter one", async () => {
  const small = classifier(27);
  const plain = (await stepOf(small)).gradient;
  const length = norm(plain);
  const half = (await stepOf(small, { clips: true }, { clip: length / 2 })).gradient;
  expect(norm(half.map((value, index) => value - plain[index]! / 2))).toBeLessThan(TOLERANCE * length);
  const whole = (await stepOf(small, { clips: true }, { clip: 2 * length })).gradient;
  expect(whole).toEqual(plain);
});

test("a sharpness-aware step is clipped by its own gradient's norm, and reports that at the weights", async () => {
  const small = classifier(28);
  const { perturbation, numbers } = regularization(small.task, [{ name: "sam", radius: 0.5 }], 0);
  const free = await stepOf(small, { perturbation: perturbation! }, { ...numbers });
  const clip = norm(free.gradient) / 3;
  const { gradient, outputs } = await stepOf(small, { perturbation: perturbation!, clips: true }, { ...numbers, clip });
  expect(norm(gradient.map((value, index) => value - free.gradient[index]! / 3))).toBeLessThan(
    TOLERANCE * norm(gradient),
  );
  const reported = (outputs.get(GRADIENT_NORM)!.data as Float32Array)[0]!;
  expect(Math.abs(reported - norm((await stepOf(small)).gradient))).toBeLessThan(FLOAT32 * reported);
});
