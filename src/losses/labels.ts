import { DataError } from "../errors.ts";
import type { Dims } from "../graph/tensor.ts";
import { count } from "../graph/tensor.ts";
import type { Labels, PreparedLabels } from "./loss.ts";

/**
 * Labels as int64 class indices, one a sample.
 *
 * @throws DataError when a label is no integer in 0 … C − 1, naming the sample
 */
export function classIndices(labels: Labels, outputs: Dims, sample: (index: number) => number): PreparedLabels {
  const [n, classes] = outputs as [number, number];
  if (outputs.length !== 2 || classes < 2) {
    throw new DataError(
      `loss cross-entropy: expected outputs of shape [samples, 2 or more classes], the model gives [${outputs.join(", ")}]`,
    );
  }
  const perSample = count(labels.dims.slice(1));
  if (perSample !== 1) {
    throw new DataError(
      `labels: expected one class index a sample, found shape [${labels.dims.join(", ")}]; for targets use --loss squared-error-mean`,
    );
  }
  const data = BigInt64Array.from({ length: n }, (_, index) => {
    const label = Number(labels.data[index]);
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new DataError(
        `labels: sample ${sample(index)} has label ${label}; expected an integer from 0 to ${classes - 1}, as the model has ${classes} outputs`,
      );
    }
    return BigInt(label);
  });
  return { type: "int64", dims: [n], data };
}

/**
 * Targets as float32 of the outputs' shape.
 *
 * @throws DataError when there are not as many as outputs, or one is not finite
 */
export function targets(labels: Labels, outputs: Dims, sample: (index: number) => number): PreparedLabels {
  const expected = count(outputs.slice(1));
  const found = count(labels.dims.slice(1));
  if (found !== expected) {
    throw new DataError(
      `targets: expected ${expected} numbers a sample, as the model has outputs [${outputs.join(", ")}], found shape [${labels.dims.join(", ")}]`,
    );
  }
  const data = Float32Array.from(labels.data as ArrayLike<number | bigint>, Number);
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new DataError(
      `targets: sample ${sample(Math.floor(bad / expected))} is ${data[bad]}; expected a finite number`,
    );
  return { type: "float32", dims: outputs, data };
}
