import type { Node, ValueId } from "../../graph/graph.ts";
import { int, ints, string } from "../../graph/graph.ts";
import { foldLead, matMul, reduceSum, reshape, scale, transpose } from "../../graph/operators.ts";
import { convolutionWindow } from "../../graph/shapes/linear.ts";
import { count, type Dims } from "../../graph/tensor.ts";
import { broadcastJet, sum } from "../jets.ts";
import { inKernelOrder, patches } from "../patches.ts";
import type { Differentiated, Pullback, Rule } from "./rule.ts";
import { bilinear, cotangent, each, pushed } from "./rule.ts";

// ConvTranspose is the transpose of a Conv with the same kernel, [in, out/g, …kernel].

const transposedConvolution: Rule = {
  linearity: bilinear,
  vjp: (at) => {
    const { b, lead, node } = at;
    const spatial = outputDims(at)
      .slice(2)
      .map((_, axis) => lead + 2 + axis);
    const outer = b.dims(cotangent(at)).slice(0, lead);
    return each(
      at,
      () => reshape(b, convolved(at), [...outer, ...b.dims(node.inputs[0] as ValueId)]),
      () => kernelCotangent(at),
      () => reduceSum(b, cotangent(at), [lead, ...spatial]),
    );
  },
  taylor: (at) => {
    const { b, node } = at;
    const [x = "", , bias = ""] = node.inputs;
    const output = outputDims(at);
    const [jetX, jetW, jetBias] = [at.jet(0), at.jet(1), bias === "" ? undefined : at.jet(2)];
    const throughX = jetX && pushed(jetX, (value, lead) => spread(at, value, lead));
    const throughW = jetW && pushed(jetW, (value, lead) => spreadBy(at, x, value, lead));
    const shape = [output[1] as number, ...output.slice(2).map(() => 1)];
    const shaped = (value: ValueId, lead: number) => reshape(b, value, [...b.dims(value).slice(0, lead), ...shape]);
    const throughBias = jetBias && broadcastJet(b, pushed(jetBias, shaped), output);
    const cross = at.order === 2 && jetX && jetW ? crossTerm(at, jetX.first, jetW.first) : undefined;
    const jets = [throughX, throughW, throughBias];
    const first = sum(b, ...jets.map((jet) => jet?.first)) as ValueId;
    return [{ root: { first, second: sum(b, ...jets.map((jet) => jet?.second), cross) } }];
  },
};

function outputDims({ b, node }: Differentiated): Dims {
  return b.dims(node.outputs[0] as ValueId);
}

function groupsOf({ node }: Differentiated): number {
  return int(node, "group", 1);
}

/** The convolution of the cotangent, columns in its batch: what the input's cotangent is. */
function convolved(at: Pullback): ValueId {
  const { b, node, lead } = at;
  const w = node.inputs[1] as ValueId;
  const { kernel, strides, dilations, begins, ends } = windowOf(at);
  const given = lead > 0 ? foldLead(b, cotangent(at)) : cotangent(at);
  // What lies behind the last place that the kernel reaches is less than a stride: no further output.
  const pads = [...begins, ...ends.map((width) => Math.max(0, width))];
  return b.add("Conv", [given, w], { kernel_shape: kernel, strides, dilations, pads, group: groupsOf(at) });
}

/**
 * The window of the convolution that this is the transpose of. Ends are negative where the output goes on behind what the kernel
 * reaches; auto_pad and output_shape leave the begins to be computed, as the runtime does.
 */
function windowOf(at: Differentiated) {
  const { b, node } = at;
  const types = node.inputs.map((input) => b.typeIfKnown(input));
  const dims = b.dims(node.inputs[1] as ValueId).slice(2);
  const { kernel, strides, dilations, pads } = convolutionWindow(
    { node, inputs: types, constant: () => undefined },
    dims,
  );
  const sizes = b.dims(node.inputs[0] as ValueId).slice(2);
  const lengths = outputDims(at).slice(2);
  const padding = ints(node, "output_padding") ?? kernel.map(() => 0);
  const mode = string(node, "auto_pad", "NOTSET");
  const computed = ints(node, "output_shape") !== undefined || mode.startsWith("SAME");
  const reached = kernel.map((size, axis) => {
    const at0 = (list: Dims) => list[axis] as number;
    return (at0(sizes) - 1) * at0(strides) + (size - 1) * at0(dilations) + 1;
  });
  const begins = kernel.map((_, axis) => {
    if (!computed) return pads[axis] as number;
    const total = Math.max(0, (reached[axis] as number) + (padding[axis] as number) - (lengths[axis] as number));
    return mode === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
  const ends = reached.map((reach, axis) => reach - (begins[axis] as number) - (lengths[axis] as number));
  return { kernel, strides, dilations, begins, ends };
}

/** Σ over samples and positions of x times the patches of the cotangent: [lead…, in, out/g, …kernel]. */
function kernelCotangent(at: Pullback): ValueId {
  const { b, node, lead } = at;
  const groups = groupsOf(at);
  const outer = b.dims(cotangent(at)).slice(0, lead);
  const [batch, channels, ...spatial] = b.dims(node.inputs[0] as ValueId) as [number, number, ...number[]];
  const positions = count(spatial);
  const conv = b.producerOf(convolved(at)) as Node;
  const flat = patches(b, conv);
  const size = b.dims(flat)[2] as number;
  const split = reshape(b, flat, [...outer, batch, groups, size, positions]);
  const order = [...outer.keys(), lead + 1, lead, lead + 3, lead + 2];
  const columns = reshape(b, transpose(b, split, order), [...outer, groups, batch * positions, size]);
  const images = reshape(b, node.inputs[0] as ValueId, [batch, groups, channels / groups, positions]);
  const rows = reshape(b, transpose(b, images, [1, 2, 0, 3]), [groups, channels / groups, batch * positions]);
  const ordered = inKernelOrder(b, conv, matMul(b, rows, columns));
  return reshape(b, ordered, [...outer, ...b.dims(node.inputs[1] as ValueId)]);
}

/** The operator, without its bias, on a value with leading axes. */
function spread(at: Differentiated, value: ValueId, lead: number): ValueId {
  const { b, node } = at;
  const folded = lead > 0 ? foldLead(b, value) : value;
  const output = b.add("ConvTranspose", [folded, node.inputs[1] as ValueId], node.attributes);
  return reshape(b, output, [...b.dims(value).slice(0, lead), ...outputDims(at)]);
}

/** x by R kernels at once, [R, in, out/g, …]: they become channels, group by group. */
function spreadBy(at: Differentiated, x: ValueId, kernels: ValueId, lead: number): ValueId {
  const { b, node } = at;
  if (lead === 0) return b.add("ConvTranspose", [x, kernels], node.attributes);
  const [directions, inputs, out, ...rest] = b.dims(kernels) as [number, number, number, ...number[]];
  const [batch, channels, ...spatial] = outputDims(at) as [number, number, ...number[]];
  const order = [1, 0, 2, ...rest.map((_, axis) => axis + 3)];
  const together = reshape(b, transpose(b, kernels, order), [inputs, directions * out, ...rest]);
  const output = b.add("ConvTranspose", [x, together], node.attributes);
  const split = reshape(b, output, [batch, channels / out, directions, out, ...spatial]);
  const moved = transpose(b, split, [2, 0, 1, 3, ...spatial.map((_, axis) => axis + 4)]);
  return reshape(b, moved, [directions, batch, channels, ...spatial]);
}

/** 2 Σ_r of x'_r by w'_r: directions are input channels, over which the operator sums. */
function crossTerm(at: Differentiated, x: ValueId, kernels: ValueId): ValueId {
  const { b, node } = at;
  const groups = groupsOf(at);
  const [directions, batch, channels, ...spatial] = b.dims(x) as [number, number, number, ...number[]];
  const [, , out, ...rest] = b.dims(kernels) as [number, number, number, ...number[]];
  const each = channels / groups;
  const images = reshape(b, x, [directions, batch, groups, each, ...spatial]);
  const beside = transpose(b, images, [1, 2, 0, 3, ...spatial.map((_, axis) => axis + 4)]);
  const blocks = reshape(b, kernels, [directions, groups, each, out, ...rest]);
  const stacked = transpose(b, blocks, [1, 0, 2, 3, ...rest.map((_, axis) => axis + 4)]);
  const inputs = [
    reshape(b, beside, [batch, directions * channels, ...spatial]),
    reshape(b, stacked, [directions * channels, out, ...rest]),
  ];
  return scale(b, b.add("ConvTranspose", inputs, node.attributes), 2);
}

export const transposedConvolutionRules: Readonly<Record<string, Rule>> = { ConvTranspose: transposedConvolution };
