import { Tensor, type Dims } from "../graph/tensor.ts";
import type { Node, ValueId } from "../graph/graph.ts";
import { int, ints, string } from "../graph/graph.ts";
import { count } from "../graph/tensor.ts";
import type { Blocks, Convolution } from "./blocks.ts";

// A transposed convolution in strides s, by its outputs s apart: what reaches those of one place φ between the strides is a convolution
// of its own, with every s-th place of the kernel from (φ + p) mod s on. The runtime's own operator makes a matrix and adds it up.

/** Images that stand between each other, [N, C, H/s, W/t] each, rows first; undefined is zero. */
export interface Apart {
  readonly strides: Dims;
  readonly phases: readonly (Convolution | undefined)[];
}

/** Along one axis: which places of the kernel, from the last to the first, and padding that makes outputs as many as a phase has. */
interface Phase {
  readonly start: number;
  readonly length: number;
  readonly begin: number;
  readonly end: number;
}

/** A transposed convolution by its phases, if it is one in strides without a bias and its phases are alike. */
export function apartOf(blocks: Blocks, node: Node): Apart | undefined {
  const [x = "", w = "", bias = ""] = node.inputs;
  const [y = ""] = node.outputs;
  if (bias !== "" || !blocks.fits(x) || !blocks.fits(y) || blocks.constantOf(w)) return undefined;
  const strides = ints(node, "strides") ?? [1, 1];
  const plain = int(node, "group", 1) === 1 && (ints(node, "dilations") ?? []).every((step) => step === 1);
  const given = string(node, "auto_pad", "NOTSET") === "NOTSET" && !ints(node, "output_shape");
  if (!plain || !given || strides.every((stride) => stride === 1)) return undefined;
  const [inner, out, ...kernel] = blocks.dims(w) as [number, number, ...number[]];
  const [input, output] = [blocks.dims(x).slice(2), blocks.dims(y).slice(2)];
  const pads = ints(node, "pads") ?? [0, 0];
  const axes = strides.map((stride, axis) => {
    const size = { kernel: kernel[axis] as number, input: input[axis] as number, output: output[axis] as number };
    return phasesOf(size, stride, pads[axis] as number);
  });
  const [rows, columns] = axes;
  if (!rows || !columns) return undefined;
  // [C, O, kh, kw] as [O/B, C/B, kh, kw, B of C, B of O].
  const { block } = blocks;
  const parts = blocks.reshape(`${y}/kernel parts`, w, [inner / block, block, out / block, block, ...kernel]);
  const kernels = blocks.emit(`${y}/kernel blocks`, "Transpose", [parts], { perm: [2, 0, 4, 5, 1, 3] });
  const image = blocks.of(x);
  const phases = rows.flatMap((row) =>
    columns.map((column): Convolution | undefined => {
      if (row.length === 0 || column.length === 0) return undefined;
      const name = `${y}/kernel ${row.start} ${column.start}`;
      const both = [row, column];
      const bounds = [
        both.map(({ start }) => start),
        kernel.map((size) => -size - 1),
        [2, 3],
        strides.map((step) => -step),
      ];
      const places = bounds.map((list, index) => blocks.constant(`${name}/${index}`, Tensor.int64(list)));
      const taken = blocks.emit(`${name} places`, "Slice", [kernels, ...places]);
      return {
        image,
        kernels: blocks.reshape(name, taken, [out, inner, row.length, column.length]),
        given: {
          kernel_shape: [row.length, column.length],
          pads: [...both.map(({ begin }) => begin), ...both.map(({ end }) => end)],
        },
      };
    }),
  );
  return { strides, phases };
}

/** The phases along one axis; undefined where they differ in length, or would cut off what they make. */
function phasesOf(
  size: { kernel: number; input: number; output: number },
  stride: number,
  pad: number,
): readonly Phase[] | undefined {
  if (size.output % stride !== 0) return undefined;
  const phases = Array.from({ length: stride }, (_, phase): Phase => {
    const first = (phase + pad) % stride;
    const length = Math.max(0, Math.ceil((size.kernel - first) / stride));
    const begin = length - 1 - Math.floor((phase + pad) / stride);
    const end = size.output / stride - size.input - begin + length - 1;
    return { start: first + stride * (length - 1), length, begin, end };
  });
  return phases.every(({ length, begin, end }) => length === 0 || (begin >= 0 && end >= 0)) ? phases : undefined;
}

/** The sum of two, phase by phase. */
export function added(blocks: Blocks, name: ValueId, first: Apart, second: Apart): Apart {
  const phases = first.phases.map((own, index) => {
    const other = second.phases[index];
    if (!own || !other) return own ?? other;
    const below = blocks.convolution(`${name}/under ${index}`, other);
    return { ...own, upon: own.upon ? blocks.emit(`${name}/sum ${index}`, "Add", [own.upon, below]) : below };
  });
  return { strides: first.strides, phases };
}

/** The phases between each other: [N, C/B, H/s, s, W/t, t, B], a block after the other, a row after the other. */
export function interleaved(blocks: Blocks, name: ValueId, { strides, phases }: Apart, dims: Dims): ValueId {
  const [rows, columns] = strides as [number, number];
  const [n, channels, height, width] = dims as [number, number, number, number];
  const size = [n, channels, height / rows, width / columns];
  const made = phases.map((phase, index) => {
    const at = `${name}/phase ${index}`;
    if (phase) return blocks.convolution(at, phase);
    return blocks.emit(at, "ConstantOfShape", [blocks.constant(`${at} dims`, Tensor.int64(size))]);
  });
  const lines = Array.from({ length: rows }, (_, row) =>
    alternating(
      blocks,
      `${name}/row ${row}`,
      made.slice(row * columns, (row + 1) * columns),
      count(size),
      blocks.block,
    ),
  );
  const all = alternating(blocks, `${name}/rows`, lines, count(size) * columns, width * blocks.block);
  return blocks.reshape(name, all, dims);
}

/** Parts of `size` elements each, `length` elements of one after `length` of the other. */
function alternating(blocks: Blocks, name: ValueId, parts: readonly ValueId[], size: number, length: number): ValueId {
  const [only = ""] = parts;
  if (parts.length === 1) return only;
  const cut = parts.map((part, index) => blocks.reshape(`${name}/${index}`, part, [size / length, 1, length]));
  return blocks.emit(name, "Concat", cut, { axis: 1 });
}
