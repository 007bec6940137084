import { DataError } from "../errors.ts";
import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { reshape, transpose } from "../graph/operators.ts";
import type { Dims } from "../graph/tensor.ts";
import { count } from "../graph/tensor.ts";
import type { LabelOptions, Labels, PreparedLabels, Terms } from "./loss.ts";

/**
 * Outputs as class scores: one term for [B, C]; else the axis of classes is the one that labels lack, the last where either
 * could be: [B, T, C] or [B, C, T] with labels [T], [B, C, H, W] or [B, H, W, C] with labels [H, W].
 */
export function classTerms(outputs: Dims, labels: Dims): Terms {
  const [batch = 1, ...own] = outputs;
  const fits = (axis: number) => own.length > 0 && sameDims(own.toSpliced(axis, 1), own.length === 1 ? [] : labels);
  const axis = own.length === 1 ? 0 : [own.length - 1, 0].find(fits);
  const single = own.length === 1 && count(labels) !== 1;
  if (axis === undefined || single || (own[axis] ?? 0) < 2) {
    throw new DataError(
      `loss cross-entropy: outputs [${outputs.join(", ")}] need labels of those dims without the axis of 2 or more classes, one class index a term; the labels of a sample have dims [${labels.join(", ")}]. For targets use --loss squared-error-mean`,
    );
  }
  const classes = own[axis] as number;
  const terms = count(own) / classes;
  return {
    terms,
    classes,
    arrange(b, value) {
      const rest = own.map((_, index) => index + 1).filter((index) => index !== axis + 1);
      return reshape(b, transpose(b, value, [0, ...rest, axis + 1]), [b.dims(value)[0] ?? batch, terms, classes]);
    },
  };
}

/** All outputs as one term. */
export function oneTerm(outputs: Dims): Terms {
  const classes = count(outputs.slice(1));
  return {
    terms: 1,
    classes,
    arrange: (b: Builder, value: ValueId) => reshape(b, value, [b.dims(value)[0] as number, 1, classes]),
  };
}

function sameDims(left: Dims, right: Dims): boolean {
  return left.length === right.length && left.every((size, axis) => size === right[axis]);
}

/**
 * Labels as int64 class indices [n, T].
 *
 * @throws DataError when a label is neither an integer in 0 … C − 1 nor, with several terms, the one that is ignored
 */
export function classIndices(
  labels: Labels,
  { terms, classes }: Terms,
  { ignoreIndex, sample }: LabelOptions,
): PreparedLabels {
  const [n = 0] = labels.dims;
  const found = count(labels.dims.slice(1));
  if (found !== terms) {
    throw new DataError(
      `labels: expected ${terms} class ${terms === 1 ? "index" : "indices"} a sample, found shape [${labels.dims.join(", ")}]; for targets use --loss squared-error-mean`,
    );
  }
  const data = new BigInt64Array(n * terms);
  for (let index = 0; index < data.length; index++) {
    const label = Number(labels.data[index]);
    const ignored = terms > 1 && label === ignoreIndex;
    if (!ignored && (!Number.isInteger(label) || label < 0 || label >= classes)) {
      const or = terms > 1 ? `, or ${ignoreIndex} for a term that does not count` : "";
      throw new DataError(
        `labels: sample ${sample(Math.floor(index / terms))} has label ${label}; expected an integer from 0 to ${classes - 1}, as the model has ${classes} outputs${or}`,
      );
    }
    data[index] = ignored ? -1n : BigInt(label);
  }
  return { type: "int64", dims: [n, terms], data };
}

/**
 * Targets as float32, one an output.
 *
 * @throws DataError when there are not as many as outputs, or one is not finite
 */
export function targets(labels: Labels, { terms, classes }: Terms, { sample }: LabelOptions): PreparedLabels {
  const expected = terms * classes;
  const [n = 0] = labels.dims;
  const found = count(labels.dims.slice(1));
  if (found !== expected) {
    throw new DataError(
      `targets: expected ${expected} ${expected === 1 ? "number" : "numbers"} a sample, one for each output of the model, found shape [${labels.dims.join(", ")}]`,
    );
  }
  const data = Float32Array.from(labels.data as ArrayLike<number | bigint>, Number);
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new DataError(
      `targets: sample ${sample(Math.floor(bad / expected))} is ${data[bad]}; expected a finite number`,
    );
  }
  return { type: "float32", dims: [n, terms, classes], data };
}
