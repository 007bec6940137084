import type { Checkpoint } from "../../src/checkpoints/checkpoint.ts";
import { count, type Dims, Tensor } from "../../src/graph/tensor.ts";

/** Numbers that no two places share. */
export function ramp(dims: Dims, from = 0): Tensor {
  return Tensor.float32(
    dims,
    Float32Array.from({ length: count(dims) }, (_, at) => from + at),
  );
}

/** A checkpoint of these tensors; dimensions alone stand for a ramp, each from another thousand. */
export function checkpointOf(
  tensors: Readonly<Record<string, Dims | Tensor>>,
  more: Partial<Checkpoint> = {},
): Checkpoint {
  const entries = Object.entries(tensors).map(([name, given], index) => {
    return [name, given instanceof Tensor ? given : ramp(given, 1000 * (index + 1))] as const;
  });
  return {
    file: "w.pt",
    sha256: "",
    tensors: new Map(entries),
    ordered: true,
    parts: new Map(),
    asides: new Map(),
    ...more,
  };
}
