import type { ValueId } from "../graph/graph.ts";
import { Tensor, type Dims } from "../graph/tensor.ts";
import { type Blocks, type Convolution, DOMAIN } from "./blocks.ts";

// Factors of maps in blocks, [N, C, H, W], and sums over them: one pass each. Sums go an element after the other, in as many sums as a block
// has channels.

/** A factor and a shift, none is 0, of each channel: a convolution of one place with a group for each channel. */
export function perChannel(
  blocks: Blocks,
  name: ValueId,
  image: ValueId,
  channels: number,
  { factor, shift }: { factor: ValueId; shift?: ValueId },
): Convolution {
  const kernels = blocks.reshape(`${name}/factors`, factor, [channels, 1, 1, 1]);
  return { image, kernels, ...(shift && { bias: shift }), given: { group: channels, kernel_shape: [1, 1] } };
}

/** The mean of each map, [N, C, 1, 1], which stands in blocks as it does without. */
export function means(blocks: Blocks, name: ValueId, image: ValueId): ValueId {
  return blocks.emit(name, "GlobalAveragePool", [image], {}, DOMAIN);
}

/** The inner product of the maps of two images, [N · C]: a convolution of one place with a group for each map, one image the kernels. */
export function dots(blocks: Blocks, name: ValueId, image: ValueId, other: ValueId, dims: Dims): ValueId {
  const [n, channels, ...spatial] = dims as [number, number, ...number[]];
  const images = blocks.reshape(`${name}/images`, image, [1, n * channels, ...spatial]);
  const kernels = blocks.reshape(`${name}/kernels`, other, [n * channels, 1, ...spatial]);
  return blocks.emit(name, "Conv", [images, kernels], { group: n * channels, kernel_shape: [...spatial] }, DOMAIN);
}

/** `weight` times the sum over samples of one number for each map, [C]. */
export function sumOverSamples(blocks: Blocks, name: ValueId, maps: ValueId, dims: Dims, weight: number): ValueId {
  const [n, channels] = dims as [number, number];
  const weights = blocks.constant(`${name}/weights`, Tensor.float32([n], new Float32Array(n).fill(weight)));
  return blocks.emit(name, "MatMul", [weights, blocks.reshape(`${name}/maps`, maps, [n, channels])]);
}

/**
 * The blocks of maps less the mean of their channel. The variance is that of the differences: of Σ x² − n μ² nothing is left in
 * float32 where μ is large.
 *
 * @param mean the name that the channels' means get, [C]
 * @param variance the name that the channels' variances get, [C]
 */
export function centred(blocks: Blocks, x: ValueId, mean: ValueId, variance: ValueId): ValueId {
  const dims = blocks.dims(x);
  const [n, channels, height, width] = dims as [number, number, number, number];
  sumOverSamples(blocks, mean, means(blocks, `${mean}/of maps`, blocks.of(x)), dims, 1 / n);
  const factor = blocks.constant(`${mean}/ones`, Tensor.float32([channels], new Float32Array(channels).fill(1)));
  const shift = blocks.emit(`${mean}/negative`, "Neg", [mean]);
  const image = blocks.convolution(
    `${x}/centred`,
    perChannel(blocks, `${x}/centred`, blocks.of(x), channels, { factor, shift }),
  );
  sumOverSamples(
    blocks,
    variance,
    dots(blocks, `${variance}/of maps`, image, image, dims),
    dims,
    1 / (n * height * width),
  );
  return image;
}
