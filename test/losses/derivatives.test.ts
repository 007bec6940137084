import { describe, expect, test } from "vitest";
import { lossNamed } from "../../src/losses/catalog.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { array64, dot, maximumError, product, type Array64 } from "../float64-array.ts";
import { normals } from "../sketch.ts";
import { atScores, floats, integers, oneTermEach, termOf, termsOf } from "./at-scores.ts";
import { classScores, sixTokens, tokenLabels } from "./class-scores.ts";
import { sloped64, timesHessian, type Sloped64 } from "./float64.ts";

/** float32 against float64, of each sample by itself: no difference of large numbers is taken. */
const ROUNDING = 2e-6;
/** Below this a product of probabilities has no float32. */
const NO_FLOAT32 = 1e-37;
const DIRECTIONS = 3;

/** x' of R directions, and x''. */
interface Directions {
  /** [R, B, T, C]. */
  readonly first: Array64;
  /** [B, T, C]. */
  readonly second: Array64;
}

function directionsOf(dims: readonly number[], seed: number): Directions {
  const normal = normals(seed);
  const random = (...of: number[]) =>
    array64(
      of,
      Array.from({ length: product(of) }, () => normal()),
    );
  return { first: random(DIRECTIONS, ...dims), second: random(...dims) };
}

interface Derivatives {
  /** Σ_t ∂ℓ/∂f x', [R, B]. */
  readonly slopes: number[];
  /** G x', [R, B, T, C]. */
  readonly products: number[];
  readonly hessian: number[];
  readonly gaussNewton: number[];
}

/** Term by term, by the definitions, in float64; a target that is undefined does not count. */
function truths(
  loss: Sloped64,
  scores: Array64,
  targets: readonly (Float64Array | undefined)[],
  { first, second }: Directions,
): Derivatives {
  const [batch, terms, classes] = scores.dims as [number, number, number];
  const slopes = new Array<number>(DIRECTIONS * batch).fill(0);
  const products = new Array<number>(DIRECTIONS * batch * terms * classes).fill(0);
  const [bent, squares] = [new Array<number>(batch).fill(0), new Array<number>(batch).fill(0)];
  targets.forEach((target, index) => {
    if (!target) return;
    const sample = Math.floor(index / terms);
    const outputs = termOf(scores, index);
    const slope = loss.slope(outputs, target);
    bent[sample]! += dot(slope, termOf(second, index));
    for (let r = 0; r < DIRECTIONS; r++) {
      const at = r * batch * terms + index;
      const x = first.data.subarray(at * classes, (at + 1) * classes);
      const product = timesHessian(loss.hessian(outputs), x);
      slopes[r * batch + sample]! += dot(slope, x);
      squares[sample]! += dot(x, product);
      product.forEach((value, c) => (products[at * classes + c] = value));
    }
  });
  return { slopes, products, gaussNewton: squares, hessian: bent.map((value, sample) => value + squares[sample]!) };
}

async function derivatives(
  name: string,
  scores: Array64,
  labels: RuntimeArray,
  { first, second }: Directions,
): Promise<Record<string, Float64Array>> {
  const loss = lossNamed(name);
  return atScores(
    scores,
    ({ b, scores: f, labels: y }) => {
      const both = loss.secondOrder(b, f, y, { first: "first", second: "second" });
      const without = loss.secondOrder(b, f, y, { first: "first" });
      return {
        slopes: loss.firstOrder(b, f, y, "first"),
        products: loss.hessianProduct(b, f, y, "first"),
        hessian: both.hessian,
        gaussNewton: both.gaussNewton,
        straight: without.hessian,
        straightPart: without.gaussNewton,
      };
    },
    { labels, others: { first: floats(first.dims, first.data), second: floats(second.dims, second.data) } },
  );
}

/** The parts of an array that belong to a sample, the batch in the axis before the last `own` numbers of it. */
function ofSample(values: ArrayLike<number>, batch: number, own: number, sample: number): number[] {
  return Array.from(values).filter((_, index) => Math.floor(index / own) % batch === sample);
}

function expectDerivatives(got: Record<string, Float64Array>, truth: Derivatives, dims: readonly number[]): void {
  const [batch, terms, classes] = dims as [number, number, number];
  const known: Record<string, readonly number[]> = {
    ...truth,
    straight: truth.gaussNewton,
    straightPart: truth.gaussNewton,
  };
  for (const [name, values] of Object.entries(known)) {
    const own = name === "products" ? terms * classes : 1;
    for (let sample = 0; sample < batch; sample++) {
      const expected = ofSample(values, batch, own, sample);
      const scale = Math.max(...expected.map(Math.abs)) < NO_FLOAT32 ? expected.map(() => 0) : expected;
      const error = maximumError(ofSample(got[name]!, batch, own, sample), scale);
      expect(error, `${name} of sample ${sample}`).toBeLessThan(ROUNDING);
    }
  }
}

const [crossEntropy] = sloped64 as [Sloped64];

describe.each(Object.entries(classScores))("cross-entropy, %s", (_, rows) => {
  const scores = oneTermEach(rows);
  const [batch, , classes] = scores.dims as [number, number, number];

  test.each(["first", "likeliest", "last"])("the label the %s class", async (which) => {
    const labels = rows.map((row) =>
      which === "first" ? 0 : which === "last" ? classes - 1 : row.indexOf(Math.max(...row)),
    );
    const along = directionsOf(scores.dims, 23);
    const got = await derivatives("cross-entropy", scores, integers([batch, 1], labels), along);
    const targets = labels.map((label) => Float64Array.of(label));
    expectDerivatives(got, truths(crossEntropy, scores, targets, along), scores.dims);
  });
});

test("cross-entropy of tokens: terms that do not count have no part", async () => {
  const scores = termsOf(sixTokens, 3);
  const along = directionsOf(scores.dims, 29);
  const got = await derivatives("cross-entropy", scores, integers([2, 3], tokenLabels), along);
  const targets = tokenLabels.map((label) => (label < 0 ? undefined : Float64Array.of(label)));
  expectDerivatives(got, truths(crossEntropy, scores, targets, along), scores.dims);
});

describe.each(sloped64.slice(1))("$name", (loss) => {
  test.each([1, 3])("%d outputs", async (outputs) => {
    const rows = [[0.5, -2, 3].slice(0, outputs), [-1, 0.25, 12].slice(0, outputs)];
    const scores = oneTermEach(rows);
    const targets = [[1, 0.25, 0].slice(0, outputs), [0, 1, 0.75].slice(0, outputs)];
    const along = directionsOf(scores.dims, 31);
    const got = await derivatives(loss.name, scores, floats([2, 1, outputs], targets.flat()), along);
    const wanted = targets.map((target) => Float64Array.from(target));
    expectDerivatives(got, truths(loss, scores, wanted, along), scores.dims);
  });
});

test("the reference: slopes and Hessians are the differences of values and slopes", () => {
  const step = 1e-5;
  for (const loss of sloped64) {
    const outputs = Float64Array.of(0.5, -1, 0.75);
    const target = loss.name === "cross-entropy" ? Float64Array.of(2) : Float64Array.of(0.25, 1, 0);
    const shifted = (c: number, by: number) => outputs.with(c, outputs[c]! + by);
    const slope = loss.slope(outputs, target);
    const hessian = loss.hessian(outputs);
    for (let c = 0; c < 3; c++) {
      const [up, down] = [shifted(c, step), shifted(c, -step)];
      // A central difference is off by step²; its rounding is 1e-16/step.
      expect((loss.value(up, target) - loss.value(down, target)) / (2 * step)).toBeCloseTo(slope[c]!, 8);
      const [above, below] = [loss.slope(up, target), loss.slope(down, target)];
      above.forEach((value, row) => expect((value - below[row]!) / (2 * step)).toBeCloseTo(hessian[row * 3 + c]!, 8));
    }
  }
});
