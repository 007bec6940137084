import { DataError, UsageError } from "../../errors.ts";
import { HaarOrthogonal } from "../../statistics/haar-orthogonal.ts";
import { RandomStream } from "../../statistics/random.ts";

/** W h of orthogonal rows of one length, so that its transpose over that length squared is an inverse from the right. */
export interface OrthogonalLayer {
  /** phi.1 is the first. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** outputs × inputs in row order, as float32 has them. */
  readonly weights: Float32Array;
  /** Length of each row, up to float32's rounding. */
  readonly gain: number;
}

/** z = W_L tanh(W_{L−1} … tanh(W_1 x)): a random φ that is onto and can be inverted. */
export interface TanhNetwork {
  /** Inputs, hidden layers, features. */
  readonly widths: readonly number[];
  readonly layers: readonly OrthogonalLayer[];
  /**
   * Inputs x in float32, [n, widths[0]], with φ(x) = z: the shortest pre-image at each layer. Costs two forward passes.
   *
   * @param features z, [n, m] in row order
   * @throws DataError naming the layer whose pre-image is outside tanh's range, or where a float32 forward pass is off
   *   by more than {@link INVERSION_ERROR}
   */
  inverse(features: Float64Array): Float32Array;
}

/** Largest ‖φ(x) − z‖/‖z‖ of a float32 forward pass. Rounding gives about 2e-7 a layer. */
export const INVERSION_ERROR = 1e-5;

/**
 * Root mean square of a hidden layer's most active unit on the features that the network is made for. tanh ends at 1:
 * only what is seven times as far out has no pre-image, which among Gaussians happens to one in 10^11.
 */
const ACTIVITY = 1 / 7;

/** Samples that tell how large features are. */
const CALIBRATION = 256;

/** Dimensions beyond which a random network takes minutes. */
const MOST_UNITS = 4096;

/**
 * A network of random weights whose inverse is exact. Rows are orthogonal and the gain of each layer is such that
 * pre-images fit into tanh's range; there are no biases, so that the relative error is the same for small z.
 *
 * @param widths inputs, then hidden layers, none wider than the one before nor narrower than m; m itself comes last
 * @param features typical z [n, m]; on them the gains are set
 * @throws UsageError for widths that have no exact inverse
 */
export function randomTanhNetwork(widths: readonly number[], features: Float64Array, m: number, seed: number) {
  const all = checkedWidths([...widths, m]);
  const layers: OrthogonalLayer[] = [];
  let targets = features.slice(0, CALIBRATION * m);
  for (let index = all.length - 2; index >= 0; index--) {
    const [inputs, outputs] = [all[index] as number, all[index + 1] as number];
    const name = `phi.${index + 1}`;
    const rows = orthonormalRows(outputs, inputs, new RandomStream(seed, `synthetic ${name}`));
    const unscaled = preimages({ inputs, outputs, weights: rows, gain: 1 }, targets);
    const gain = largestActivity(unscaled, inputs) / (index === 0 ? 1 : ACTIVITY);
    layers.unshift({ name, inputs, outputs, gain, weights: Float32Array.from(rows, (weight) => gain * weight) });
    targets = unscaled.map((value) => Math.atanh(value / gain));
  }
  return { widths: all, layers, inverse: (z: Float64Array) => inverse(layers, z) } satisfies TanhNetwork;
}

function checkedWidths(widths: readonly number[]): readonly number[] {
  if (widths.length < 2) throw new UsageError("phi: expected the number of inputs, and of each hidden layer's units.");
  for (const [index, width] of widths.entries()) {
    if (!(Number.isInteger(width) && width >= 1 && width <= MOST_UNITS)) {
      throw new UsageError(`phi: expected whole numbers from 1 to ${MOST_UNITS}, came ${width}.`);
    }
    const before = widths[index - 1] ?? width;
    if (width <= before) continue;
    const what = index === widths.length - 1 ? `the ${width} features` : `${width} units`;
    throw new UsageError(
      `phi: layer phi.${index} would make ${what} of ${before}: without an exact inverse; ` +
        `let dimensions not increase towards the features.`,
    );
  }
  return widths;
}

/** The first rows of a random orthogonal matrix. */
function orthonormalRows(rows: number, columns: number, stream: RandomStream): Float64Array {
  const units = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) units[i * columns + i] = 1;
  return new HaarOrthogonal(stream, columns).afterRows(units);
}

type Weights = Pick<OrthogonalLayer, "inputs" | "outputs" | "gain"> & { readonly weights: Float32Array | Float64Array };

/** h = Wᵀ t / gain², the shortest with W h = t up to the rounding of the weights. */
function preimages({ inputs, outputs, gain, weights }: Weights, targets: Float64Array): Float64Array {
  const n = targets.length / outputs;
  const result = new Float64Array(n * inputs);
  for (let sample = 0; sample < n; sample++) {
    const h = result.subarray(sample * inputs, (sample + 1) * inputs);
    for (let i = 0; i < outputs; i++) {
      const share = targets[sample * outputs + i]! / gain ** 2;
      const row = weights.subarray(i * inputs, (i + 1) * inputs);
      for (let j = 0; j < inputs; j++) h[j]! += row[j]! * share;
    }
  }
  return result;
}

/** Root mean square of the most active of some units. */
function largestActivity(values: Float64Array, units: number): number {
  const squares = new Float64Array(units);
  for (let index = 0; index < values.length; index++) squares[index % units]! += values[index]! ** 2;
  return Math.sqrt((Math.max(...squares) * units) / values.length);
}

function inverse(layers: readonly OrthogonalLayer[], features: Float64Array): Float32Array {
  const wanted: Float64Array[] = [features];
  let targets = features;
  for (const [below, layer] of [...layers.entries()].reverse()) {
    const h = preimages(layer, targets);
    if (below === 0) {
      const x = Float32Array.from(h);
      checkForward(layers, x, wanted);
      return x;
    }
    checkRange(h, layer, layers[below - 1] as OrthogonalLayer);
    targets = h.map(Math.atanh);
    wanted.unshift(h);
  }
  throw new UsageError("phi: a network without layers.");
}

function checkRange(h: Float64Array, { name, inputs }: OrthogonalLayer, below: OrthogonalLayer): void {
  for (let index = 0; index < h.length; index++) {
    const value = h[index]!;
    // In float32 what rounds to 1 has no pre-image either.
    if (Math.fround(Math.abs(value)) < 1) continue;
    throw new DataError(
      `phi: layer ${below.name}: cannot reach the features of sample ${Math.floor(index / inputs)}: ${name} expects ` +
        `unit ${index % inputs} at ${value.toPrecision(4)}, tanh ends at ±1; make the network from features that are as large.`,
    );
  }
}

/** Runs the network as float32 does, one addition after another, and compares every layer with what was wanted. */
function checkForward(layers: readonly OrthogonalLayer[], x: Float32Array, wanted: readonly Float64Array[]): void {
  let h = x;
  let worst: { readonly layer: string; readonly error: number } | undefined;
  for (const [index, layer] of layers.entries()) {
    h = forward(layer, h, index < layers.length - 1);
    const { error, sample } = largestError(h, wanted[index] as Float64Array, layer.outputs);
    // The first layer that is off is the one to blame.
    if (!(error <= INVERSION_ERROR)) worst ??= { layer: layer.name, error };
    if (index < layers.length - 1 || error <= INVERSION_ERROR) continue;
    throw new DataError(
      `phi: layer ${worst?.layer}: off by ${worst?.error.toExponential(1)} in float32, so that φ(x) of sample ${sample} ` +
        `is by ${error.toExponential(1)}: expected at most ${INVERSION_ERROR}; choose another seed or fewer layers.`,
    );
  }
}

function forward({ inputs, outputs, weights }: OrthogonalLayer, x: Float32Array, bent: boolean): Float32Array {
  const n = x.length / inputs;
  const result = new Float32Array(n * outputs);
  for (let sample = 0; sample < n; sample++) {
    const h = x.subarray(sample * inputs, (sample + 1) * inputs);
    for (let i = 0; i < outputs; i++) {
      const row = weights.subarray(i * inputs, (i + 1) * inputs);
      let sum = Math.fround(0);
      for (let j = 0; j < inputs; j++) sum = Math.fround(sum + Math.fround(row[j]! * h[j]!));
      result[sample * outputs + i] = bent ? Math.tanh(sum) : sum;
    }
  }
  return result;
}

/** max_i ‖have_i − want_i‖/‖want_i‖. */
function largestError(have: Float32Array, want: Float64Array, width: number): { error: number; sample: number } {
  let worst = { error: 0, sample: 0 };
  for (let start = 0; start < want.length; start += width) {
    let [off, size] = [0, 0];
    for (let j = start; j < start + width; j++) {
      off += (have[j]! - want[j]!) ** 2;
      size += want[j]! ** 2;
    }
    const error = off === 0 ? 0 : Math.sqrt(off / size);
    if (!(error <= worst.error)) worst = { error, sample: start / width };
  }
  return worst;
}
