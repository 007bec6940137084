import { DataError } from "../errors.ts";
import { count, type ElementType, elementSize, Tensor } from "../graph/tensor.ts";
import type { ByteFile } from "./byte-file.ts";
import type { NamedArray } from "./dataset.ts";
import { FileReader } from "./file-reader.ts";
import { swapped } from "./npy.ts";

const types: Readonly<Record<number, ElementType>> = {
  0x08: "uint8",
  0x09: "int8",
  0x0b: "int16",
  0x0c: "int32",
  0x0d: "float32",
  0x0e: "float64",
};

/**
 * An IDX file, the format of MNIST (yann.lecun.com/exdb/mnist): two zero bytes, a type, the number of axes, the axes as
 * big-endian 32-bit numbers, the elements. A name in .gz is decompressed on the way, so that the array and a chunk of
 * the file are all that stands in memory. Throws DataError when the file is damaged or holds more than its header says.
 */
export async function readIdx(file: ByteFile, name: string): Promise<NamedArray> {
  const reader = new FileReader(file);
  try {
    const magic = await reader.fill(4, "magic number");
    const [zero, alsoZero, code, rank] = magic as unknown as [number, number, number, number];
    const type = types[code];
    if (zero !== 0 || alsoZero !== 0 || type === undefined || rank === 0) {
      const came = Array.from(magic, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
      const hint = zero === 0x1f && alsoZero === 0x8b ? ": this is gzip, its name must end in .gz" : "";
      throw new DataError(
        `${file.name}: byte 0: not an IDX file: expected 00 00, a type of 08 09 0b 0c 0d 0e and a number of axes, ` +
          `came ${came}${hint}.`,
      );
    }
    const axes = new DataView((await reader.fill(4 * rank, "header")).buffer);
    const dims = Array.from({ length: rank }, (_, axis) => axes.getUint32(4 * axis));
    const size = elementSize(type);
    const expected = count(dims) * size;
    const stored = await reader.fill(expected, "data", `for [${dims.join(", ")}] ${type}`);
    // Reading on to the end also has gzip compare its checksum.
    if ((await reader.upTo(1, "nothing")).length > 0) {
      throw new DataError(
        `${file.name}: damaged: expected ${expected} bytes of data for [${dims.join(", ")}], have more.`,
      );
    }
    return {
      name,
      type,
      dims,
      data: new Tensor(type, dims, size > 1 ? swapped(stored, size) : stored).data,
    };
  } finally {
    await reader.close();
  }
}

const fileName = /^(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?$/;

/** The two files of a split. */
export interface IdxSplit {
  readonly images: string;
  readonly labels: string;
}

/** The splits `train` and `test` that a directory's file names make up, whole pairs only; the unpacked file before the packed. */
export function idxSplits(names: readonly string[]): Map<string, IdxSplit> {
  const found = new Map<string, string>();
  for (const name of [...names].sort()) {
    const [, prefix, content] = fileName.exec(name) ?? [];
    const key = `${prefix === "train" ? "train" : "test"} ${content}`;
    if (prefix && !found.has(key)) found.set(key, name);
  }
  const splits = new Map<string, IdxSplit>();
  for (const split of ["train", "test"]) {
    const images = found.get(`${split} images`);
    const labels = found.get(`${split} labels`);
    if (images && labels) splits.set(split, { images, labels });
  }
  return splits;
}

/** The arrays x [n, 1, h, w] and y [n] of a split. Throws DataError when the files do not belong together. */
export async function readIdxSplit(images: ByteFile, labels: ByteFile): Promise<NamedArray[]> {
  const x = await readIdx(images, "x");
  const y = await readIdx(labels, "y");
  const [n, ...image] = x.dims;
  if (image.length !== 2)
    throw new DataError(`${images.name}: expected images [n, h, w], have [${x.dims.join(", ")}].`);
  if (y.dims.length !== 1) throw new DataError(`${labels.name}: expected labels [n], have [${y.dims.join(", ")}].`);
  if (y.dims[0] !== n) throw new DataError(`${labels.name}: ${y.dims[0]} labels for ${n} images of ${images.name}.`);
  return [{ ...x, dims: [n!, 1, ...image] }, y];
}

const fashionClasses = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/**
 * The class names that a path's last two folders give away (`FashionMNIST/raw`): Fashion-MNIST's or the digits of MNIST; the
 * files themselves have none.
 */
export function idxClasses(path: string): readonly string[] | undefined {
  const folders = path.split(/[\\/]/).filter((part) => part !== "");
  const end = folders.slice(-2).join("/");
  if (/fashion/i.test(end)) return fashionClasses;
  if (/(^|[^a-z])mnist/i.test(end)) return Array.from("0123456789");
  return undefined;
}
