import type { Builder } from "../../graph/builder.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { int } from "../../graph/graph.ts";
import { concat, matMul, pad, reduceSum, reshape, sumOfRows, swap, transpose } from "../../graph/operators.ts";
import { count } from "../../graph/tensor.ts";
import { columnTaps, inKernelOrder, kernelRows, patches, rowsShift, windowOf } from "../patches.ts";
import { cotangent, type Pullback } from "./rule.ts";

// The gradient in a convolution's kernel: Σ over samples and positions of γ φᵀ, φ what a window meets. The work is that of the convolution
// itself; the ways differ in what they copy.

/** In the kernel's order: [lead…, out, in/g, …]. */
export function kernelCotangent(at: Pullback): ValueId {
  const { b, node, lead } = at;
  const kernel = b.dims(node.inputs[1] as ValueId);
  if (lead === 0 && rowsShift(b, node)) {
    if (shiftedRowsAreSmaller(b, node)) return byShiftedRows(at);
    if (isWide(b, node)) return byKernelRows(at);
  }
  const groups = int(node, "group", 1);
  const given = cotangent(at);
  const [batch, channels, ...spatial] = b.dims(node.outputs[0] as ValueId) as [number, number, ...number[]];
  const outer = b.dims(given).slice(0, lead);
  const positions = count(spatial);
  const columns = reshape(b, given, [...outer, batch, groups, channels / groups, positions]);
  const product = channels / groups <= positions ? sampleBySample(at, columns) : allSamples(at, columns);
  return reshape(b, inKernelOrder(b, node, product), [...outer, ...kernel]);
}

/**
 * A product for each sample, then their sum: nothing is moved, and the products are smaller than what they are made of. The runtime
 * reads a product's left operand as it stands and copies the right one, so patches are on the left.
 */
function sampleBySample({ b, node, lead }: Pullback, columns: ValueId): ValueId {
  const products = matMul(b, patches(b, node), swap(b, columns));
  return swap(b, lead === 0 ? sumOfRows(b, products, 1) : reduceSum(b, products, [lead]));
}

/** One product over samples and positions together. */
function allSamples({ b, node, lead }: Pullback, columns: ValueId): ValueId {
  const [batch, groups, channels, positions] = b.dims(columns).slice(lead) as [number, number, number, number];
  const outer = b.dims(columns).slice(0, lead);
  const axes = [lead + 1, lead + 2, lead, lead + 3];
  const rows = transpose(b, columns, [...outer.keys(), ...axes]);
  const features = transpose(b, patches(b, node), [1, 2, 0, 3]);
  const [, size] = b.dims(features) as [number, number];
  return matMul(
    b,
    reshape(b, rows, [...outer, groups, channels, batch * positions]),
    swap(b, reshape(b, features, [groups, size, batch * positions])),
  );
}

/** The sizes of a two-dimensional convolution's kernel and output, rows first. */
function sizes(b: Builder, node: Node) {
  const [out, inner, tall, wide] = b.dims(node.inputs[1] as ValueId) as [number, number, number, number];
  const [batch, , rows, columns] = b.dims(node.outputs[0] as ValueId) as [number, number, number, number];
  const groups = int(node, "group", 1);
  const { dilations } = windowOf(b, node);
  return { batch, groups, channels: out / groups, inner, tall, wide, rows, columns, step: dilations[0] as number };
}

/** Whether γ shifted by each row of the kernel and rows as the kernel's columns meet them are smaller than patches. */
function shiftedRowsAreSmaller(b: Builder, node: Node): boolean {
  const { channels, inner, tall, wide, rows, columns, step } = sizes(b, node);
  const { pads } = windowOf(b, node);
  const height = b.dims(node.inputs[0] as ValueId)[2] as number;
  const reach = (tall - 1) * step;
  return (
    (pads[0] as number) <= reach &&
    (pads[2] as number) <= reach &&
    rows + reach === height + (pads[0] as number) + (pads[2] as number) &&
    height * (wide * inner + tall * channels) < rows * tall * wide * inner &&
    rows * columns > channels
  );
}

/**
 * Σ_y γ[y] x[y + k − p] over rows, p of them padding, is a product of x and of γ moved down by k − p rows, with zeros around it: what would
 * be a window of x for each row of the kernel are views of nothing but whole images. The columns of the kernel have a product each.
 */
function byShiftedRows(at: Pullback): ValueId {
  const { b, node } = at;
  const { batch, groups, channels, inner, tall, wide, columns, step } = sizes(b, node);
  const [above, , below] = windowOf(b, node).pads as [number, number, number, number];
  const height = b.dims(node.inputs[0] as ValueId)[2] as number;
  const reach = (tall - 1) * step;
  const padded = pad(b, cotangent(at), [0, 0, reach - above, 0, 0, 0, reach - below, 0]);
  const places = Array.from({ length: tall }, (_, tap) =>
    Array.from({ length: height }, (__, row) => reach - tap * step + row),
  );
  const gathered = b.add("Gather", [padded, b.integers(places.flat())], { axis: 2 });
  const moved = reshape(b, gathered, [batch, groups, channels * tall, height * columns]);
  const parts = columnTaps(b, node).map((tap) => sumOfRows(b, matMul(b, moved, swap(b, tap)), 1));
  const product = reshape(b, concat(b, parts, 2), [groups * channels, tall, wide, inner]);
  return transpose(b, product, [0, 3, 1, 2]);
}

/** What a row of a kernel meets from where on patches take longer to copy than to multiply. */
const WIDE = 96;

function isWide(b: Builder, node: Node): boolean {
  const { inner, wide } = sizes(b, node);
  return inner * wide >= WIDE;
}

function byKernelRows(at: Pullback): ValueId {
  const { b, node } = at;
  const { batch, groups, channels, inner, tall, wide, rows, columns } = sizes(b, node);
  const given = swap(b, reshape(b, cotangent(at), [batch, groups, channels, rows * columns]));
  const parts = kernelRows(b, node).map((features) => sumOfRows(b, matMul(b, features, given), 1));
  const product = concat(b, parts, 1);
  const split = reshape(b, product, [groups, tall, wide, inner, channels]);
  return reshape(b, transpose(b, split, [0, 4, 3, 1, 2]), [groups * channels, inner, tall, wide]);
}
