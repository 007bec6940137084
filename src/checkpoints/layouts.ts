import type { Parameter } from "../graph/parameters.ts";
import { count, type Dims, type Tensor } from "../graph/tensor.ts";

/**
 * How a tensor of a file becomes a parameter of the model: as it is but for axes of one element, or turned from
 * (kernel…, in, out), as TensorFlow and Flax store weights, to ONNX's (out, in, kernel…). Of a matrix this is the transpose,
 * which exporters make of PyTorch's (out, in) for a MatMul.
 */
export type Layout = "as-is" | "turned";

/** The layouts under which a tensor of these dimensions fills a parameter: two for a square one, none for another shape. */
export function layoutsOf(parameter: Parameter, dims: Dims): readonly Layout[] {
  const key = shapeKey(parameter.dims);
  const found: Layout[] = [];
  if (shapeKey(dims) === key) found.push("as-is");
  // What a recurrent layer has is not even as it is; a table or a bias nobody turns.
  if (parameter.layout && dims.length > 1 && shapeKey(turnedOrder(dims).map((axis) => dims[axis] as number)) === key) {
    found.push("turned");
  }
  return found;
}

/** The order of axes that makes (out, in, kernel…) of (kernel…, in, out). */
export function turnedOrder(dims: Dims): number[] {
  const rank = dims.length;
  return [rank - 1, rank - 2, ...dims.slice(2).keys()];
}

/** The dimensions under which a parameter stands in a file whose weights have their outputs first, or last. */
export function storedDims({ dims, layout }: Parameter, outputs: "first" | "last"): Dims {
  if (layout === undefined || (layout === "outputs-first") === (outputs === "first")) return dims;
  const [out, inputs, ...kernel] = dims;
  return [...kernel, inputs as number, out as number];
}

/** Dimensions without axes of one element, which do not move any. */
export function shapeKey(dims: Dims): string {
  return dims.filter((dim) => dim !== 1).join("×");
}

/** Whether two tensors are the same numbers, and not all one number: one parameter under two names. */
export function areSame(left: Tensor, right: Tensor): boolean {
  if (left.type !== right.type || count(left.dims) !== count(right.dims)) return false;
  const [a, b] = [left.bytes, right.bytes];
  return a.every((byte, at) => byte === b[at]) && left.data.some((value) => value !== left.data[0]);
}
