import type { Node, ValueId } from "../graph/graph.ts";
import { float, int, string } from "../graph/graph.ts";
import { count, Tensor } from "../graph/tensor.ts";
import { added, type Apart, apartOf } from "./blocked-phases.ts";
import { centred, dots, means, perChannel, sumOverSamples } from "./blocked-sums.ts";
import type { Blocks, Convolution } from "./blocks.ts";

/** Makes what a node makes in blocks, if that is worth while; whether it did. */
export type Blocking = (blocks: Blocks, node: Node) => boolean;

/** Kernels must be no constants: with constants the runtime does so itself. */
const convolution: Blocking = (blocks, node) => {
  const [x = "", w = "", bias] = node.inputs;
  const [y = ""] = node.outputs;
  const { block } = blocks;
  if (blocks.constantOf(w) || !blocks.fits(y) || int(node, "group", 1) !== 1) return false;
  if (string(node, "auto_pad", "NOTSET") !== "NOTSET") return false;
  const dims = blocks.dims(w);
  const [out, inner, ...kernel] = dims as [number, number, ...number[]];
  // Images of less than a block are read as they are, which pays where what is made of them stays in blocks.
  const few = inner < block;
  if (few ? !blocks.readers(y).some(({ op }) => op in blockings) : inner % block !== 0) return false;
  // [O, C, kh, kw] as [O/B, C/B, kh, kw, B of C, B of O], or [O/B, C, kh, kw, B], under the dims that it had.
  const inside = few ? [inner] : [inner / block, block];
  const parts = blocks.reshape(`${y}/kernel parts`, w, [out / block, block, ...inside, ...kernel]);
  const perm = few ? [0, 2, 3, 4, 1] : [0, 2, 4, 5, 3, 1];
  const moved = blocks.emit(`${y}/kernel blocks`, "Transpose", [parts], { perm });
  const image = few ? x : blocks.of(x);
  const kernels = blocks.reshape(`${y}/kernel`, moved, dims);
  blocks.put(y, { image, kernels, ...(bias && { bias }), given: node.attributes });
  return true;
};

/** In strides: as many convolutions as there are places between the strides. */
const transposedConvolution: Blocking = (blocks, node) => {
  const apart = apartOf(blocks, node);
  if (apart) blocks.put(node.outputs[0] as ValueId, apart);
  return apart !== undefined;
};

/** A function of each element, of maps and scalars. */
const elementwise: Blocking = (blocks, node) => {
  const [y = ""] = node.outputs;
  const isScalar = (value: ValueId) => count(blocks.dims(value)) === 1;
  const alike = (value: ValueId) => blocks.fits(value) && blocks.dims(value).join() === blocks.dims(y).join();
  if (!node.inputs.some((value) => blocks.has(value)) || !blocks.fits(y)) return false;
  if (!node.inputs.every((value) => value === "" || isScalar(value) || alike(value))) return false;
  const inputs = node.inputs.map((value) => (value === "" || isScalar(value) ? value : blocks.of(value)));
  blocks.put(y, blocks.emit(`${y}/blocks`, node.op, inputs, node.attributes));
  return true;
};

/** What is cut at zero while it is made needs no pass of its own. */
const relu: Blocking = (blocks, node) => {
  const [x = ""] = node.inputs;
  const pending = blocks.pending(x, node);
  if (!pending || "phases" in pending || pending.activation) return elementwise(blocks, node);
  blocks.put(node.outputs[0] as ValueId, { ...pending, activation: "Relu" });
  return true;
};

/** A sum with what is not yet made is made with it. */
const sum: Blocking = (blocks, node) => {
  const [x = "", y = ""] = node.inputs;
  const [z = ""] = node.outputs;
  if (x === y || ![x, y].every((value) => blocks.fits(value) && blocks.dims(value).join() === blocks.dims(z).join())) {
    return elementwise(blocks, node);
  }
  const [first, second] = [blocks.pending(x, node), blocks.pending(y, node)];
  if (first && second && "phases" in first && "phases" in second && first.strides.join() === second.strides.join()) {
    blocks.put(z, added(blocks, z, first, second));
    return true;
  }
  const joinable = (pending: Convolution | Apart | undefined): pending is Convolution =>
    pending !== undefined && !("phases" in pending) && !pending.upon && !pending.activation;
  if (joinable(first)) blocks.put(z, { ...first, upon: blocks.of(y) });
  else if (joinable(second)) blocks.put(z, { ...second, upon: blocks.of(x) });
  else return elementwise(blocks, node);
  return true;
};

/** A product whose sums alone are asked for is left to them; a factor for each channel is a pass of the convolution's. */
const product: Blocking = (blocks, node) => {
  const [x = "", y = ""] = node.inputs;
  const [z = ""] = node.outputs;
  const reader = blocks.onlyReader(z);
  const maps = blocks.fits(x) && blocks.fits(y) && blocks.dims(x).join() === blocks.dims(y).join();
  if (maps && (blocks.has(x) || blocks.has(y)) && reader && isChannelSum(blocks, reader)) {
    blocks.leave(node);
    return true;
  }
  if (elementwise(blocks, node)) return true;
  const [image, factor] = blocks.has(x) ? [x, y] : [y, x];
  if (!blocks.has(image)) return false;
  const dims = blocks.dims(image);
  const [, channels, ...spatial] = dims as [number, number, ...number[]];
  const given = blocks.dims(factor);
  if (given.at(-3) !== channels || count(given) !== channels || spatial.join() !== blocks.dims(z).slice(2).join())
    return false;
  blocks.put(z, perChannel(blocks, z, blocks.of(image), channels, { factor }));
  return true;
};

/** Maps less their mean are there where a normalization by the batch took it from them. */
const difference: Blocking = (blocks, node) => {
  const [x = "", y = ""] = node.inputs;
  const mean = blocks.maker(y)?.op === "Reshape" ? (blocks.maker(y)?.inputs[0] ?? "") : "";
  const known = blocks.maker(mean)?.inputs[0] === x ? blocks.centred.get(mean) : undefined;
  if (known === undefined || !blocks.fits(node.outputs[0] as ValueId)) return elementwise(blocks, node);
  blocks.put(node.outputs[0] as ValueId, known);
  return true;
};

/** The mask of ReLU, y > 0, is left to what makes numbers of it. */
const comparison: Blocking = (blocks, node) => {
  const [x = "", bound = ""] = node.inputs;
  const reader = blocks.onlyReader(node.outputs[0] as ValueId);
  const zero = blocks.constantOf(bound);
  if (!blocks.has(x) || zero?.size !== 1 || zero.numbers()[0] !== 0) return false;
  if (reader?.op !== "Cast" || !blocks.fits(reader.outputs[0] as ValueId)) return false;
  blocks.leave(node);
  return true;
};

/** What takes every normal number above 0 beyond 1. */
const STEEP = 2 ** 127;

/** y > 0 as a number by min(1, max(0, 2¹²⁷ y)), in one pass: less than 1 where y is denormal. */
const mask: Blocking = (blocks, node) => {
  const [y = ""] = node.outputs;
  const compared = blocks.left(node.inputs[0] as ValueId);
  if (!compared) return false;
  const given = { alpha: { float: STEEP }, beta: { float: 0 } };
  blocks.put(y, blocks.emit(`${y}/blocks`, "HardSigmoid", [blocks.of(compared.inputs[0] as ValueId)], given));
  return true;
};

const normalization: Blocking = (blocks, node) => {
  const [x = "", gain = "", offset = "", given = "", givenVariance = ""] = node.inputs;
  const [y = "", mean = given, variance = givenVariance] = node.outputs;
  if (!blocks.has(x)) return false;
  const channels = blocks.dims(x)[1] as number;
  const training = int(node, "training_mode", 0) === 1;
  if (training && (node.outputs.length < 3 || float(node, "momentum", 0.9) !== 0 || !isSummed(blocks, x))) return false;
  const image = training ? centred(blocks, x, mean, variance) : blocks.of(x);
  if (training) blocks.centred.set(mean, image);
  const epsilon = blocks.constant(`${y}/epsilon`, Tensor.float32([], [float(node, "epsilon", 1e-5)]));
  const deviation = blocks.emit(`${y}/deviation`, "Sqrt", [
    blocks.emit(`${y}/padded variance`, "Add", [variance, epsilon]),
  ]);
  const factor = blocks.emit(`${y}/factor`, "Div", [gain, deviation]);
  const moved = () => blocks.emit(`${y}/shift`, "Sub", [offset, blocks.emit(`${y}/moved`, "Mul", [mean, factor])]);
  blocks.put(y, perChannel(blocks, y, image, channels, { factor, shift: training ? offset : moved() }));
  return true;
};

/** Maps up to this many elements are summed one element after the other without harm to float32. */
const LARGEST_SUMMED = 4096;

const isSummed = (blocks: Blocks, maps: ValueId) =>
  blocks.fits(maps) && count(blocks.dims(maps).slice(2)) <= LARGEST_SUMMED;

/** Whether a node adds up whole maps over the samples, [N, C, H, W] to [C]. */
function isChannelSum(blocks: Blocks, node: Node): boolean {
  const [x = "", axes = ""] = node.inputs;
  const summed = blocks.constantOf(axes)?.numbers();
  if (node.op !== "ReduceSum" || int(node, "keepdims", 1) !== 0 || !summed || !isSummed(blocks, x)) return false;
  return Array.from(summed).join() === "0,2,3";
}

const channelSum: Blocking = (blocks, node) => {
  const [x = ""] = node.inputs;
  const [y = ""] = node.outputs;
  if (!isChannelSum(blocks, node)) return false;
  const multiplied = blocks.left(x);
  if (!multiplied && !blocks.has(x)) return false;
  const dims = blocks.dims(x);
  if (multiplied) {
    const [a, b] = multiplied.inputs.map((value) => blocks.of(value)) as [ValueId, ValueId];
    sumOverSamples(blocks, y, dots(blocks, `${y}/dots`, a, b, dims), dims, 1);
  } else {
    sumOverSamples(blocks, y, means(blocks, `${y}/means`, blocks.of(x)), dims, count(dims.slice(2)));
  }
  return true;
};

/** Numbers of one place stand in blocks as they do without. */
const mapMeans: Blocking = (blocks, node) => {
  const [x = ""] = node.inputs;
  if (!blocks.has(x) || !isSummed(blocks, x)) return false;
  means(blocks, node.outputs[0] as ValueId, blocks.of(x));
  return true;
};

/** What there is for the operators of the standard. */
export const blockings: Readonly<Record<string, Blocking>> = {
  ...Object.fromEntries(
    [
      "Div",
      "Neg",
      "Min",
      "Max",
      "Pow",
      "Sqrt",
      "Exp",
      "Erf",
      "Sigmoid",
      "Tanh",
      "Softplus",
      "LeakyRelu",
      "Elu",
      "Clip",
    ].map((op) => [op, elementwise]),
  ),
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  Relu: relu,
  Add: sum,
  Sub: difference,
  Mul: product,
  Greater: comparison,
  Cast: mask,
  BatchNormalization: normalization,
  ReduceSum: channelSum,
  GlobalAveragePool: mapMeans,
};
