import type { ValueId } from "../../graph/graph.ts";
import { int } from "../../graph/graph.ts";
import { foldLead, mul, reduceSum, reshape, scale, slice, transpose } from "../../graph/operators.ts";
import { count, type Dims } from "../../graph/tensor.ts";
import { broadcastJet, sum } from "../jets.ts";
import { windowOf } from "../patches.ts";
import { kernelCotangent } from "./kernel-gradient.ts";
import type { Differentiated, Pullback, Rule } from "./rule.ts";
import { bilinear, cotangent, each, pushed } from "./rule.ts";

const conv: Rule = {
  linearity: bilinear,
  vjp: (whole) => {
    const { b, lead } = whole;
    const { at, factor } = withoutChannelFactor(whole);
    const biasAxes = () =>
      Array.from({ length: b.rank(cotangent(at)) }, (_, axis) => axis)
        .slice(lead)
        .toSpliced(1, 1);
    const w = at.node.inputs[1] as ValueId;
    const times = (value: ValueId, rank: number) =>
      factor === undefined ? value : mul(b, value, channels(factor, rank));
    const channels = (value: ValueId, rank: number) =>
      reshape(b, value, [b.dims(value)[0] as number, ...Array.from({ length: rank - 1 }, () => 1)]);
    return each(
      at,
      () => inputCotangent(at, times(w, b.rank(w))),
      () => times(kernelCotangent(at), b.rank(w)),
      () => times(reduceSum(b, cotangent(at), biasAxes()), 1),
    );
  },
  taylor: (at) => {
    const { b, node } = at;
    const [x = "", , bias = ""] = node.inputs;
    const output = b.dims(node.outputs[0] as ValueId);
    const [jetX, jetW, jetBias] = [at.jet(0), at.jet(1), bias === "" ? undefined : at.jet(2)];
    const throughX = jetX && pushed(jetX, (value, lead) => convolved(at, value, lead));
    const throughW = jetW && pushed(jetW, (value, lead) => convolvedBy(at, x, value, lead));
    const shape = [output[1] as number, ...output.slice(2).map(() => 1)];
    const shaped = (value: ValueId, lead: number) => reshape(b, value, [...b.dims(value).slice(0, lead), ...shape]);
    const throughBias = jetBias && broadcastJet(b, pushed(jetBias, shaped), output);
    const cross = at.order === 2 && jetX && jetW ? crossTerm(at, jetX.first, jetW.first) : undefined;
    const jets = [throughX, throughW, throughBias];
    return [
      {
        root: {
          first: sum(b, ...jets.map((jet) => jet?.first)) as ValueId,
          second: sum(b, ...jets.map((jet) => jet?.second), cross),
        },
      },
    ];
  },
};

/**
 * A cotangent that is a product with one factor a channel, as a normalization behind the convolution makes it, without the factor: kernels
 * and their gradients take it for less than images do.
 */
function withoutChannelFactor(at: Pullback): { at: Pullback; factor?: ValueId } {
  const { b } = at;
  const given = cotangent(at);
  const maker = b.producerOf(given);
  const [value = "", factor = ""] = maker?.inputs ?? [];
  if (maker?.op !== "Mul" || b.dims(value).join() !== b.dims(given).join()) return { at };
  const [, channels, ...spatial] = b.dims(at.node.outputs[0] as ValueId);
  if (b.dims(factor).join() !== [channels, ...spatial.map(() => 1)].join()) return { at };
  return { at: { ...at, cotangents: [value] }, factor };
}

function attributesOf({ b, node }: Differentiated, groups: number) {
  const { kernel, strides, dilations, pads } = windowOf(b, node);
  return { kernel_shape: kernel, strides, dilations, pads, group: groups };
}

/** The convolution, without its bias, of a value with leading axes. */
function convolved(at: Differentiated, value: ValueId, lead: number): ValueId {
  const { b, node } = at;
  const folded = lead > 0 ? foldLead(b, value) : value;
  const output = b.add("Conv", [folded, node.inputs[1] as ValueId], attributesOf(at, int(node, "group", 1)));
  return reshape(b, output, [...b.dims(value).slice(0, lead), ...b.dims(node.outputs[0] as ValueId)]);
}

/** x convolved with R kernels at once, [R, out, in/g, …]: they become channels, group by group. */
function convolvedBy(at: Differentiated, x: ValueId, kernels: ValueId, lead: number): ValueId {
  const { b, node } = at;
  const groups = int(node, "group", 1);
  if (lead === 0) return b.add("Conv", [x, kernels], attributesOf(at, groups));
  const [directions, channels, ...rest] = b.dims(kernels) as [number, number, ...number[]];
  const [batch, , ...spatial] = b.dims(node.outputs[0] as ValueId) as [number, number, ...number[]];
  const blocks = reshape(b, kernels, [directions, groups, channels / groups, ...rest]);
  const order = Array.from({ length: b.rank(blocks) }, (_, axis) => axis);
  const together = reshape(b, transpose(b, blocks, [1, 0, ...order.slice(2)]), [directions * channels, ...rest]);
  const output = b.add("Conv", [x, together], attributesOf(at, groups));
  const split = reshape(b, output, [batch, groups, directions, channels / groups, ...spatial]);
  const moved = transpose(b, split, [2, 0, 1, 3, ...spatial.map((_, axis) => axis + 4)]);
  return reshape(b, moved, [directions, batch, channels, ...spatial]);
}

/** 2 Σ_r of x'_r convolved with w'_r: each direction a group of its own. */
function crossTerm(at: Differentiated, x: ValueId, kernels: ValueId): ValueId {
  const { b, node } = at;
  const [directions, batch, channels, ...spatial] = b.dims(x) as [number, number, number, ...number[]];
  const [, out, ...rest] = b.dims(kernels) as [number, number, ...number[]];
  const order = [1, 0, 2, ...spatial.map((_, axis) => axis + 3)];
  const sideBySide = reshape(b, transpose(b, x, order), [batch, directions * channels, ...spatial]);
  const stacked = reshape(b, kernels, [directions * out, ...rest]);
  const output = b.add("Conv", [sideBySide, stacked], attributesOf(at, directions * int(node, "group", 1)));
  const split = reshape(b, output, [batch, directions, out, ...b.dims(output).slice(2)]);
  return scale(b, reduceSum(b, split, [1]), 2);
}

/** The cotangent of a convolution's input, all columns in one batch. */
function inputCotangent(at: Pullback, w: ValueId): ValueId {
  const { b, node, lead } = at;
  const size = b.dims(node.inputs[0] as ValueId);
  const given = lead > 0 ? foldLead(b, cotangent(at)) : cotangent(at);
  const pulled = slidesBack(at) ? turnedConv(at, given, w) : transposedConv(at, given, w);
  return reshape(b, pulled, [...b.dims(cotangent(at)).slice(0, lead), ...size]);
}

/** Channels of a group from which on the runtime's convolutions are faster than its transposed ones, at equal work. */
const WIDE = 16;

/** Whether the transpose is a convolution of about the same work: stride 1, the output as large as the input, wide enough. */
function slidesBack({ b, node }: Differentiated): boolean {
  const { strides, kernel, dilations, pads } = windowOf(b, node);
  const [x, w, y] = [node.inputs[0], node.inputs[1], node.outputs[0]].map((value) => b.dims(value as ValueId)) as [
    Dims,
    Dims,
    Dims,
  ];
  const fits = kernel.every((length, axis) => {
    const reach = (length - 1) * (dilations[axis] as number);
    return (pads[axis] as number) <= reach && (pads[axis + kernel.length] as number) <= reach;
  });
  const channels = Math.min(w[1] as number, (w[0] as number) / int(node, "group", 1));
  return (
    fits && strides.every((stride) => stride === 1) && channels >= WIDE && count(x.slice(2)) <= 1.3 * count(y.slice(2))
  );
}

/** The transpose as a convolution with the kernel turned around and its channels swapped. */
function turnedConv({ b, node }: Differentiated, given: ValueId, w: ValueId): ValueId {
  const { kernel, dilations, pads } = windowOf(b, node);
  const groups = int(node, "group", 1);
  const rank = kernel.length;
  const [out, inner] = b.dims(w) as [number, number];
  const blocks = reshape(b, w, [groups, out / groups, inner, ...kernel]);
  const axes = kernel.map((_, axis) => axis + 3);
  const swapped = reshape(b, transpose(b, blocks, [0, 2, 1, ...axes]), [groups * inner, out / groups, ...kernel]);
  const spatial = kernel.map((_, axis) => axis + 2);
  const turned = kernel.every((length) => length === 1)
    ? swapped
    : slice(
        b,
        swapped,
        spatial,
        kernel.map(() => -1),
        kernel.map((length) => -length - 1),
        kernel.map(() => -1),
      );
  const reach = kernel.map((length, axis) => (length - 1) * (dilations[axis] as number));
  const begins = reach.map((length, axis) => length - (pads[axis] as number));
  const ends = reach.map((length, axis) => length - (pads[axis + rank] as number));
  const attributes = { kernel_shape: kernel, strides: kernel.map(() => 1), dilations, pads: [...begins, ...ends] };
  return b.add("Conv", [given, turned], { ...attributes, group: groups });
}

function transposedConv({ b, node }: Differentiated, given: ValueId, w: ValueId): ValueId {
  const { kernel, strides, dilations, pads } = windowOf(b, node);
  const size = b.dims(node.inputs[0] as ValueId);
  const rank = kernel.length;
  const extra = b
    .dims(given)
    .slice(2)
    .map((length, axis) => {
      const at = (list: Dims, index: number) => list[index] as number;
      const reach = at(strides, axis) * (length - 1) + (at(kernel, axis) - 1) * at(dilations, axis) + 1;
      return at(size, axis + 2) - (reach - at(pads, axis) - at(pads, axis + rank));
    });
  const attributes = { kernel_shape: kernel, strides, dilations, pads, group: int(node, "group", 1) };
  return b.add("ConvTranspose", [given, w], { ...attributes, output_padding: extra });
}

export const convolutionRules: Readonly<Record<string, Rule>> = { Conv: conv };
