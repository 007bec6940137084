import type { ValueId } from "../../graph/graph.ts";
import { int, ints, string } from "../../graph/graph.ts";
import { expand, foldLead, reduceSum, reshape, transpose } from "../../graph/operators.ts";
import type { Dims } from "../../graph/tensor.ts";
import { lifted } from "../jets.ts";
import type { Differentiated, Pullback, Rule } from "./rule.ts";
import { cotangent, linear, unbroadcast } from "./rule.ts";

// The same elements in another order, or several times.

/** The leading axes of a cotangent. */
function leading(at: Pullback): Dims {
  return at.b.dims(cotangent(at)).slice(0, at.lead);
}

function inputDims({ b, node }: Differentiated): Dims {
  return b.dims(node.inputs[0] as ValueId);
}

function outputDims({ b, node }: Differentiated): Dims {
  return b.dims(node.outputs[0] as ValueId);
}

const reshaped = linear(
  (at, value, lead) => reshape(at.b, value, [...at.b.dims(value).slice(0, lead), ...outputDims(at)]),
  (at) => reshape(at.b, cotangent(at), [...leading(at), ...inputDims(at)]),
);

function orderOf(at: Differentiated): readonly number[] {
  const rank = inputDims(at).length;
  return ints(at.node, "perm") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
}

/** An order of axes behind `lead` that stay. */
function behind(lead: number, order: readonly number[]): number[] {
  return [...Array.from({ length: lead }, (_, axis) => axis), ...order.map((axis) => lead + axis)];
}

const transposed = linear(
  (at, value, lead) => transpose(at.b, value, behind(lead, orderOf(at))),
  (at) => {
    const order = orderOf(at);
    const back = order.map((_, axis) => order.indexOf(axis));
    return transpose(at.b, cotangent(at), behind(at.lead, back));
  },
);

const expanded = linear(
  (at, value, lead) => {
    const dims = outputDims(at);
    if (lead === 0) return expand(at.b, value, dims);
    return expand(at.b, lifted(at.b, value, dims.length), [...at.b.dims(value).slice(0, lead), ...dims]);
  },
  (at) => unbroadcast(at.b, cotangent(at), at.lead, inputDims(at)),
);

const tiled = linear(
  (at, value, lead) => {
    const own = inputDims(at);
    const repeats = outputDims(at).map((size, axis) => size / (own[axis] || 1));
    return at.b.add("Tile", [value, at.b.integers([...Array.from({ length: lead }, () => 1), ...repeats])]);
  },
  (at) => {
    const { b, lead } = at;
    const own = inputDims(at);
    // Each axis as [copies, size]; the copies are added up.
    const split = outputDims(at).flatMap((size, axis) => [size / (own[axis] || 1), own[axis] as number]);
    const copies = own.map((_, axis) => lead + 2 * axis);
    return reduceSum(b, reshape(b, cotangent(at), [...leading(at), ...split]), copies);
  },
);

/** A triangle of the last two axes. */
const triangle = linear(
  (at, value) => at.b.add("Trilu", [value, ...at.node.inputs.slice(1)], { upper: int(at.node, "upper", 1) }),
  (at) => at.b.add("Trilu", [cotangent(at), ...at.node.inputs.slice(1)], { upper: int(at.node, "upper", 1) }),
);

/** An operator on [N, C, H, W] applied to a value with leading axes. */
function onImages(at: Differentiated, value: ValueId, lead: number, map: (images: ValueId) => ValueId): ValueId {
  const result = map(lead > 0 ? foldLead(at.b, value) : value);
  const dims = at.b.dims(result);
  const batch = inputDims(at)[0] as number;
  return reshape(at.b, result, [...at.b.dims(value).slice(0, lead), batch, ...dims.slice(1)]);
}

const depthToSpace = linear(
  ({ node, ...at }, value, lead) =>
    onImages({ node, ...at }, value, lead, (images) => at.b.add("DepthToSpace", [images], node.attributes)),
  (at) =>
    onImages(at, cotangent(at), at.lead, (images) => {
      const { b, node } = at;
      const blocksize = int(node, "blocksize", 1);
      const depth = b.add("SpaceToDepth", [images], { blocksize });
      if (string(node, "mode", "DCR") === "DCR") return depth;
      // SpaceToDepth puts the place in the block before the channel; here it is behind.
      const [batch, channels, height, width] = b.dims(depth) as [number, number, number, number];
      const blocks = reshape(b, depth, [batch, blocksize ** 2, channels / blocksize ** 2, height, width]);
      return reshape(b, transpose(b, blocks, [0, 2, 1, 3, 4]), [batch, channels, height, width]);
    }),
);

const spaceToDepth = linear(
  (at, value, lead) => onImages(at, value, lead, (images) => at.b.add("SpaceToDepth", [images], at.node.attributes)),
  (at) =>
    onImages(at, cotangent(at), at.lead, (images) =>
      at.b.add("DepthToSpace", [images], { blocksize: int(at.node, "blocksize", 1), mode: "DCR" }),
    ),
);

export const movementRules: Readonly<Record<string, Rule>> = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transposed,
  Expand: expanded,
  Tile: tiled,
  Trilu: triangle,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};
