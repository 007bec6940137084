import { pivotedCholesky, unitFactor, weightFactor, type Factor } from "../calculus/factor.ts";
import { gaussNewton } from "../calculus/gauss-newton.ts";
import {
  alongDirections,
  alongProbes,
  directionsOf,
  mixingMatrix,
  positionProducts,
} from "../calculus/hessian-form.ts";
import { featuresAt, featureWidth, rowCount } from "../calculus/positions.ts";
import { pullBack } from "../calculus/vjp.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import { add, scale, sub } from "../graph/operators.ts";
import type { Form } from "../measures/measure.ts";
import type { RuntimeArray } from "../runtime/session.ts";
import { RandomStream, SampleStreams } from "../statistics/random.ts";
import { hasExactPart } from "./cost.ts";
import { inputsOf, type Pass, type QuantityKey, type Run } from "./pass.ts";
import { formKey, gaussNewtonKey } from "./plan.ts";
import type { Prepared } from "./prepare.ts";

const DIRECTIONS = "flatness/directions";
const SELECTORS = "flatness/selectors";
const ROWS = "flatness/rows";
const PRODUCTS = "flatness/products";
const FACTOR = "flatness/factor";
const ROW_SIGNS = "flatness/row-signs";
const FEATURE_SIGNS = "flatness/feature-signs";
const HESSIAN = "flatness/hessian";
const GAUSS_NEWTON = "flatness/gauss-newton";

/** The forms of one layer whose Hessian a forward sweep gives. */
export interface SweptLayer {
  readonly layer: Layer;
  readonly forms: readonly Form[];
  /** Whether the network above mixes the layer's positions. */
  readonly mixes: boolean;
}

function factorOf(layer: Layer, form: Form): Factor {
  return form === "weighted" ? weightFactor(layer) : unitFactor(layer);
}

/**
 * Exact: along every column of the factor and, where positions are mixed, every feature, or every column of a factor of the
 * positions' inner products where those are fewer.
 *
 * @param perRun directions that one run takes
 */
export function exactHessianPass(prepared: Prepared, { layer, forms, mixes }: SweptLayer, perRun: number): Pass {
  const { b, batch } = prepared;
  const width = mixes ? rowCount(layer) : 1;
  const lists = forms.map((form) => ({ form, directions: directionsOf(factorOf(layer, form), layer.groups) }));
  const size = Math.min(perRun, width * Math.max(...lists.map(({ directions }) => directions.length)));
  const byPositions = mixes && layer.positions < featureWidth(layer);
  const products = byPositions ? b.graph(new Map([[PRODUCTS, positionProducts(b, layer)]])) : undefined;
  const along = b.input(DIRECTIONS, "float32", [size, layer.d]);
  const rows = byPositions ? b.input(ROWS, "float32", [batch, layer.groups, width, layer.positions]) : undefined;
  const selected = mixes
    ? { selectors: b.input(SELECTORS, "float32", [size, width]), rows: rows ?? featuresAt(b, layer) }
    : undefined;
  const { hessian, gaussNewton: part } = alongDirections(b, layer, prepared, along, selected);
  const graph = b.graph(
    new Map([
      [HESSIAN, hessian],
      [GAUSS_NEWTON, part],
    ]),
  );
  return {
    graph,
    inputs: inputsOf(graph),
    batch,
    ...(products && {
      prologue: {
        graph: products,
        derive: (outputs) => new Map([[ROWS, factorsOf(outputs.get(PRODUCTS) as RuntimeArray)]]),
      },
    }),
    random: new Set(),
    *runs(): Iterable<Run> {
      for (const { form, directions } of lists) {
        const takes = takesOf(layer, form);
        const total = directions.length * width;
        for (let first = 0; first < total; first += size) {
          const vectors = new Float32Array(size * layer.d);
          const selectors = new Float32Array(size * width);
          for (let index = 0; index < size && first + index < total; index++) {
            const number = first + index;
            vectors.set(directions[Math.floor(number / width)] as Float32Array, index * layer.d);
            selectors[index * width + (number % width)] = 1;
          }
          const feeds = new Map<ValueId, RuntimeArray>([
            [DIRECTIONS, { type: "float32", dims: [size, layer.d], data: vectors }],
          ]);
          if (mixes) feeds.set(SELECTORS, { type: "float32", dims: [size, width], data: selectors });
          yield { feeds, takes };
        }
      }
    },
  };
}

/** Half a unit in the last place of a float32 that is 1. */
const FLOAT32_ROUNDING = 2 ** -24;

/** A factor of each matrix of inner products, transposed: [B, G, T, T], row k the k-th column of L. */
function factorsOf({ dims, data }: RuntimeArray): RuntimeArray {
  const size = dims.at(-1) as number;
  const rows = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += size * size) {
    const { columns, values } = pivotedCholesky(
      Float64Array.from(data.subarray(start, start + size * size) as Float32Array),
      size,
      size * FLOAT32_ROUNDING,
    );
    for (let column = 0; column < columns; column++) {
      for (let place = 0; place < size; place++)
        rows[start + column * size + place] = values[place * columns + column] as number;
    }
  }
  return { type: "float32", dims, data: rows };
}

function takesOf(layer: Layer, form: Form): ReadonlyMap<string, readonly QuantityKey[]> {
  return new Map([
    [HESSIAN, [formKey(layer, form)]],
    [GAUSS_NEWTON, [gaussNewtonKey(layer, form)]],
  ]);
}

/**
 * Estimate: random directions of each sample's own. Where few columns give the Gauss-Newton part it is made exact, and the probes carry
 * only the difference.
 */
export function probedHessianPass(
  prepared: Prepared,
  { layer, forms, mixes }: SweptLayer,
  { probes, samples, seed }: { readonly probes: number; readonly samples: number; readonly seed: number },
): Pass {
  const { b, batch, loss, scores, labels, terms } = prepared;
  const { groups, d } = layer;
  const m = featureWidth(layer);
  const factors = forms.map((form) => ({ form, factor: factorOf(layer, form) }));
  const rank = Math.max(...factors.map(({ factor }) => factor.columns));
  const factor = b.input(FACTOR, "float32", [groups, d / groups, rank]);
  const rows = b.input(ROW_SIGNS, "float32", [probes, batch, groups * rank]);
  const features = mixes ? b.input(FEATURE_SIGNS, "float32", [probes, batch, groups * m]) : undefined;
  const fixed = new RandomStream(seed, `mixing ${layer.name}`);
  const mixing = mixingMatrix(b, rank, m, (target) => fixed.fillSigns(target, 0, target.length));
  const probed = alongProbes(b, layer, prepared, factor, mixing, { rows, features });
  const share = (value: ValueId) => scale(b, value, 1 / probes);
  const values = new Map<string, ValueId>();
  if (hasExactPart(prepared.layers, layer, loss.columnCount(terms), { probes, samples })) {
    const targets = layer.uses.map((use) => use.preactivation);
    const pulled = pullBack(b, new Map([[scores, loss.columns(b, scores, labels)]]), targets, 1);
    const whole = gaussNewton(b, layer, pulled);
    const rest = share(sub(b, probed.hessian, probed.gaussNewton));
    for (const { form } of factors) {
      const part = whole[form]();
      values.set(`${HESSIAN} ${form}`, add(b, part, rest));
      values.set(`${GAUSS_NEWTON} ${form}`, part);
    }
  } else {
    for (const { form } of factors) {
      values.set(`${HESSIAN} ${form}`, share(probed.hessian));
      values.set(`${GAUSS_NEWTON} ${form}`, share(probed.gaussNewton));
    }
  }
  const graph = b.graph(values);
  const streams = new SampleStreams(seed, `probes ${layer.name}`);
  const keys = factors.flatMap(({ form }) => [formKey(layer, form), gaussNewtonKey(layer, form)]);
  return {
    graph,
    inputs: inputsOf(graph),
    batch,
    random: new Set(keys),
    *runs(n, again): Iterable<Run> {
      const widths = [groups * rank, mixes ? groups * m : 0];
      const drawn = drawSigns((sample) => streams.next(again?.[sample]), n, batch, probes, widths);
      const [rowSigns, featureSigns] = drawn as [RuntimeArray, RuntimeArray];
      for (const { form, factor: own } of factors) {
        const feeds = new Map<ValueId, RuntimeArray>([
          [FACTOR, { type: "float32", dims: [groups, d / groups, rank], data: widened(own, rank) }],
          [ROW_SIGNS, rowSigns],
        ]);
        if (mixes) feeds.set(FEATURE_SIGNS, featureSigns);
        const takes = new Map([
          [`${HESSIAN} ${form}`, [formKey(layer, form)]],
          [`${GAUSS_NEWTON} ${form}`, [gaussNewtonKey(layer, form)]],
        ]);
        yield { feeds, takes };
      }
    },
  };
}

/** Signs [K, B, width] of several widths, drawn sample by sample, so that a sample's do not depend on the batch size. */
function drawSigns(
  streamOf: (sample: number) => RandomStream,
  n: number,
  batch: number,
  probes: number,
  widths: readonly number[],
): RuntimeArray[] {
  const arrays = widths.map((width) => new Float32Array(probes * batch * width).fill(1));
  for (let sample = 0; sample < n; sample++) {
    const stream = streamOf(sample);
    for (let probe = 0; probe < probes; probe++) {
      widths.forEach((width, index) => {
        const start = (probe * batch + sample) * width;
        stream.fillSigns(arrays[index] as Float32Array, start, start + width);
      });
    }
  }
  return arrays.map((data, index) => ({ type: "float32", dims: [probes, batch, widths[index] as number], data }));
}

/** A factor with columns of zeros up to `rank`. */
function widened({ rows, columns, values }: Factor, rank: number): Float32Array {
  const wide = new Float32Array(rows * rank);
  for (let row = 0; row < rows; row++) wide.set(values.subarray(row * columns, (row + 1) * columns), row * rank);
  return wide;
}
