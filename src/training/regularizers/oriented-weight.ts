import { UsageError } from "../../errors.ts";
import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import type { Layer } from "../../graph/layers.ts";
import { reshape, swap } from "../../graph/operators.ts";
import type { Dims } from "../../graph/tensor.ts";

/** W (d×m) of a layer as a value that gradients reach, and the way back to the dims of the initializer. */
export interface OrientedWeight {
  matrix(b: Builder): ValueId;
  asStored(b: Builder, matrix: ValueId, dims: Dims): ValueId;
}

/** @throws UsageError for a weight that is stored neither as d×m nor as its transpose */
export function orientedWeight({ name, initializer, d, m, places }: Layer): OrientedWeight {
  const where = places();
  const plain = where.every((place, index) => place === index);
  const turned = where.every((place, index) => place === (index % m) * d + Math.floor(index / m));
  if (!plain && !turned) {
    throw new UsageError(`regularizer flatness: layer ${name} stores its weight in another order than rows or columns`);
  }
  return {
    matrix: (b) => (plain ? reshape(b, initializer, [d, m]) : swap(b, reshape(b, initializer, [m, d]))),
    asStored: (b, matrix, dims) => reshape(b, plain ? matrix : swap(b, matrix), dims),
  };
}
