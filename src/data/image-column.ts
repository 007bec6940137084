import { DataError, FlatnessError, UsageError } from "../errors.ts";
import { count, type TypedArray } from "../graph/tensor.ts";
import type { Files } from "./byte-file.ts";
import type { Column } from "./column-dataset.ts";
import type { Field } from "./dataset.ts";
import { decodeImage } from "./decode-image.ts";
import type { Image } from "./image.ts";
import { preprocessing, type PreprocessOption, writtenSteps } from "./preprocess.ts";

/** Encoded images, wherever they are kept. */
export interface EncodedImages {
  /** The whole PNG or JPEG file of an image. */
  bytes(index: number): Promise<Uint8Array>;
  /** What messages call an image. */
  label(index: number): string;
}

/** An encoded image of more bytes than this is none. */
export const mostEncodedBytes = 2 ** 28;

/**
 * Images as a column, decoded and preprocessed one by one when they are read: samples [3, H, W], uint8 or uint16 as the
 * first image has, or float32 when they are preprocessed.
 *
 * @param name the field's name
 * @returns the column, and the steps in canonical form
 * @throws DataError when the first image is damaged; on reading, also for an image of another size or depth than the
 *   first when the steps do not make them alike. UsageError for steps that do not fit.
 */
export async function imageColumn(
  name: string,
  images: EncodedImages,
  steps: PreprocessOption | undefined,
  wasm: Files["wasm"],
): Promise<{ column: Column; resolved: string }> {
  const written = writtenSteps(steps);
  const make = preprocessing(written);
  const decoded = async (index: number) => decodeImage(await images.bytes(index), images.label(index), wasm);
  const converted = (image: Image, index: number) => {
    try {
      return make(storedField(name, image));
    } catch (error) {
      if (!(error instanceof FlatnessError)) throw error;
      throw new UsageError(`${images.label(index)}: ${error.message}`);
    }
  };
  const first = await decoded(0);
  const stored = storedField(name, first);
  const { dims, resolved } = converted(first, 0);
  const field: Field = { name, type: written.length > 0 ? "float32" : stored.type, dims };
  const size = count(dims);

  const write = async (index: number, samples: TypedArray, at: number) => {
    const image = await decoded(index);
    const { type, dims: came } = storedField(name, image);
    if (type !== stored.type) {
      throw new DataError(
        `${images.label(index)}: ${bits(image)} bits a channel, ${images.label(0)} has ${bits(first)}: ` +
          `expected one depth; convert one of them.`,
      );
    }
    const { dims: made, write: writeSample } = converted(image, index);
    if (made.join() !== dims.join()) {
      const [here, there] = [came, stored.dims].map(([, height, width]) => `${width} × ${height}`);
      throw new DataError(
        `${images.label(index)}: an image of ${here} pixels becomes [${made.join(", ")}], ` +
          `${images.label(0)} of ${there} [${dims.join(", ")}]: samples need one shape; ` +
          `let --preprocess begin with resize=HxW, or with resize=S,crop=S.`,
      );
    }
    if (samples instanceof Float32Array) writeSample(image.data, 0, samples, at);
    else (samples as Uint8Array).set(image.data as Uint8Array, at);
  };

  return {
    resolved,
    column: {
      field,
      async read(indices, spent) {
        const wanted = indices.length * size;
        const fits = spent?.length === wanted && spent.constructor === arrayOf(field.type);
        const samples = fits ? spent : new (arrayOf(field.type))(wanted);
        // In their stored order, so that a part of the source that holds several is read once.
        const order = Array.from(indices, (index, place) => ({ index, place })).sort((a, b) => a.index - b.index);
        for (const { index, place } of order) await write(index, samples, place * size);
        return samples;
      },
    },
  };
}

function arrayOf(type: Field["type"]): typeof Float32Array | typeof Uint16Array | typeof Uint8Array {
  if (type === "float32") return Float32Array;
  return type === "uint16" ? Uint16Array : Uint8Array;
}

function storedField(name: string, { width, height, data }: Image): Field {
  return { name, type: data instanceof Uint16Array ? "uint16" : "uint8", dims: [3, height, width] };
}

function bits({ data }: Image): number {
  return 8 * data.BYTES_PER_ELEMENT;
}
