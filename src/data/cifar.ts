import { DataError } from "../errors.ts";
import type { NamedArray } from "./dataset.ts";
import { numpyGlobals, PickledArray } from "./numpy-pickle.ts";
import { plainGlobals } from "./pickle-globals.ts";
import { pickledText, shownValue } from "./pickle-text.ts";
import { readPickle } from "./pickle.ts";

/** The four ways in which Alex Krizhevsky publishes CIFAR (cs.toronto.edu/~kriz/cifar.html). */
export interface CifarLayout {
  /** The folder that its archive unpacks to. */
  readonly folder: string;
  /** The files of each split, in the order of their samples. */
  readonly splits: Readonly<Record<string, readonly string[]>>;
  /** A file that holds the classes' names, or the fine and the coarse classes' names. */
  readonly names: { readonly y: string; readonly coarse?: string };
  /** Label bytes before the pixels of an image; undefined when the files are pickles. */
  readonly labelBytes?: number;
}

const five = [1, 2, 3, 4, 5];

export const cifarLayouts: readonly CifarLayout[] = [
  {
    folder: "cifar-10-batches-bin",
    splits: { train: five.map((batch) => `data_batch_${batch}.bin`), test: ["test_batch.bin"] },
    names: { y: "batches.meta.txt" },
    labelBytes: 1,
  },
  {
    folder: "cifar-100-binary",
    splits: { train: ["train.bin"], test: ["test.bin"] },
    names: { y: "fine_label_names.txt", coarse: "coarse_label_names.txt" },
    labelBytes: 2,
  },
  {
    folder: "cifar-10-batches-py",
    splits: { train: five.map((batch) => `data_batch_${batch}`), test: ["test_batch"] },
    names: { y: "batches.meta" },
  },
  {
    folder: "cifar-100-python",
    splits: { train: ["train"], test: ["test"] },
    names: { y: "meta", coarse: "meta" },
  },
];

/** Numbers of classes by the field that holds them. */
function classCounts({ names }: CifarLayout): Readonly<Record<string, number>> {
  return names.coarse === undefined ? { y: 10 } : { y: 100, coarse: 20 };
}

/** A file of the layout, not yet read. */
export interface CifarFile {
  /** What messages call it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  bytes(): Promise<Uint8Array>;
}

const imageBytes = 3 * 32 * 32;

/** The images of one file: image i begins at byte `start + i·stride`. */
interface Part {
  readonly n: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly stride: number;
  /** Labels by field. */
  readonly labels: Readonly<Record<string, ArrayLike<number>>>;
}

/**
 * The arrays of a split: x uint8 [n, 3, 32, 32], red, green and blue planes; y uint8 [n], the class; for CIFAR-100 y is
 * the fine class and `coarse` uint8 [n] the superclass. One file after the other is read, so that one stands in memory
 * beside the answer.
 *
 * @param files of the split, in the order of their samples
 * @throws DataError when a file is damaged or holds something else
 */
export async function readCifar(layout: CifarLayout, files: readonly CifarFile[]): Promise<NamedArray[]> {
  // No file holds more images than this, and pickles little less.
  const most = files.reduce((images, { size }) => images + Math.floor(size / imageBytes), 0);
  const images = new Uint8Array(most * imageBytes);
  const labels = new Map(Object.keys(classCounts(layout)).map((field) => [field, new Uint8Array(most)]));
  let n = 0;
  for (const file of files) {
    const bytes = await file.bytes();
    const part = layout.labelBytes === undefined ? pickled(bytes, layout, file) : records(bytes, layout, file);
    for (let i = 0; i < part.n; i++) {
      const start = part.start + i * part.stride;
      images.set(part.bytes.subarray(start, start + imageBytes), (n + i) * imageBytes);
    }
    for (const [field, target] of labels) target.set(part.labels[field]!, n);
    n += part.n;
  }
  return [
    { name: "x", type: "uint8", dims: [n, 3, 32, 32], data: images.subarray(0, n * imageBytes) },
    ...Array.from(labels, ([name, data]) => ({ name, type: "uint8" as const, dims: [n], data: data.subarray(0, n) })),
  ];
}

/** Records of label bytes and pixels; CIFAR-100 has the coarse label before the fine one. */
function records(bytes: Uint8Array, layout: CifarLayout, { name }: CifarFile): Part {
  const counts = Object.entries(classCounts(layout)).reverse();
  const stride = counts.length + imageBytes;
  const n = Math.floor(bytes.length / stride);
  if (n * stride !== bytes.length || n === 0) {
    throw new DataError(
      `${name}: expected images of ${stride} bytes, the label${counts.length > 1 ? "s" : ""} among them, ` +
        `have ${bytes.length} bytes: truncated, or not of ${layout.folder}.`,
    );
  }
  const labels = counts.map(([field, classes], column) => {
    const ofField = Uint8Array.from({ length: n }, (_, image) => bytes[image * stride + column]!);
    checkLabels(ofField, classes, (image) => `${name}: byte ${image * stride + column}`);
    return [field, ofField];
  });
  return { n, bytes, start: counts.length, stride, labels: Object.fromEntries(labels) as Part["labels"] };
}

/** A dictionary with `data`, uint8 [n, 3072], and lists of `labels`, or of `fine_labels` and `coarse_labels`. */
function pickled(bytes: Uint8Array, layout: CifarLayout, { name }: CifarFile): Part {
  const batch = readDictionary(bytes, name);
  const data = batch.get("data");
  const [n, pixels, ...more] = data instanceof PickledArray ? data.dims : [];
  if (!(data instanceof PickledArray) || data.type !== "uint8" || !n || pixels !== imageBytes || more.length > 0) {
    const came = data instanceof PickledArray ? `${data.type} [${data.dims.join(", ")}]` : "none";
    throw new DataError(`${name}: expected an array data of uint8 [n, ${imageBytes}], have ${came}.`);
  }
  const labels = Object.entries(classCounts(layout)).map(([field, classes]) => {
    const key = layout.names.coarse === undefined ? "labels" : `${field === "y" ? "fine" : field}_labels`;
    const values = batch.get(key);
    if (!Array.isArray(values) || values.length !== n) {
      const came = Array.isArray(values) ? `${values.length}` : "none";
      throw new DataError(`${name}: expected a list ${key} of ${n} labels, one an image, have ${came}.`);
    }
    checkLabels(values, classes, (image) => `${name}: ${key}[${image}]`);
    return [field, values];
  });
  return {
    n,
    bytes: data.data as Uint8Array,
    start: 0,
    stride: imageBytes,
    labels: Object.fromEntries(labels) as Part["labels"],
  };
}

function checkLabels(labels: ArrayLike<unknown>, classes: number, place: (image: number) => string): void {
  for (let image = 0; image < labels.length; image++) {
    const label = labels[image];
    if (Number.isInteger(label) && (label as number) >= 0 && (label as number) < classes) continue;
    throw new DataError(`${place(image)}: expected a label from 0 to ${classes - 1}, came ${shownValue(label)}.`);
  }
}

function readDictionary(bytes: Uint8Array, label: string): ReadonlyMap<unknown, unknown> {
  const { value } = readPickle(bytes, { label, globals: { ...plainGlobals, ...numpyGlobals } });
  if (value instanceof Map) return value;
  throw new DataError(`${label}: expected the pickle of a dictionary.`);
}

/** The classes' names, of the fine classes (`y`) or of the coarse ones. Throws DataError when there are not as many. */
export async function readCifarNames(layout: CifarLayout, field: string, file: CifarFile): Promise<string[]> {
  const bytes = await file.bytes();
  const names = layout.labelBytes === undefined ? pickledNames(bytes, layout, field, file.name) : lines(bytes);
  const expected = classCounts(layout)[field]!;
  if (names.length === expected) return names;
  throw new DataError(`${file.name}: expected the names of ${expected} classes, have ${names.length}.`);
}

function pickledNames(bytes: Uint8Array, layout: CifarLayout, field: string, label: string): string[] {
  const key = layout.names.coarse === undefined ? "label_names" : `${field === "y" ? "fine" : field}_label_names`;
  const names = readDictionary(bytes, label).get(key);
  return Array.isArray(names) ? names.map((name) => pickledText(name) ?? "?") : [];
}

function lines(bytes: Uint8Array): string[] {
  const text = new TextDecoder().decode(bytes);
  return text.split(/\r?\n/).filter((line) => line.trim() !== "");
}
