import { UsageError } from "../errors.ts";
import type { Dims } from "../graph/tensor.ts";
import type { RandomStream } from "../statistics/random.ts";
import type { Recipe } from "./recipe.ts";

/** Writes a sample to where a batch has it, changed at random. */
export type Augmentation = (source: Float32Array, target: Float32Array, stream: RandomStream) => void;

/**
 * Mirrors images and shifts them, by as much as the recipe says.
 *
 * @param dims of a sample
 * @throws UsageError for samples that are no images [channels, height, width]
 */
export function augmentationOf({ flip, crop }: Recipe["data"]["augmentation"], dims: Dims): Augmentation | undefined {
  if (!flip && crop === 0) return undefined;
  const [channels = 0, height = 0, width = 0] = dims;
  if (dims.length !== 3) {
    throw new UsageError(
      `augmentation: expected images [channels, height, width], the data has samples of shape [${dims.join(", ")}]`,
    );
  }
  return (source, target, stream) => {
    const mirrored = flip && stream.sign() > 0;
    const down = crop === 0 ? 0 : stream.below(2 * crop + 1) - crop;
    const right = crop === 0 ? 0 : stream.below(2 * crop + 1) - crop;
    for (let channel = 0; channel < channels; channel++) {
      for (let row = 0; row < height; row++) {
        const from = row + down;
        const begin = (channel * height + row) * width;
        for (let column = 0; column < width; column++) {
          const across = (mirrored ? width - 1 - column : column) + right;
          const inside = from >= 0 && from < height && across >= 0 && across < width;
          const place = (channel * height + from) * width + across;
          target[begin + column] = inside ? (source[place] as number) : 0;
        }
      }
    }
  };
}
