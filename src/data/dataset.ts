import type { Dims, ElementType, TypedArray } from "../graph/tensor.ts";

/** An array as it stands in a file, whole, in its own element type, C order, native endianness. */
export interface NamedArray {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: Dims;
  readonly data: TypedArray;
}

/** One array of a data set: its name, element type and the shape of one sample. */
export interface Field {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: Dims;
}

/** Some samples of every field, in the order asked for: `dims` begins with their number. */
export type Batch = ReadonlyMap<string, NamedArray>;

/**
 * Samples that can be read by index, a batch at a time. Image data stands in memory in the type that the
 * file has (bytes); only `read`'s answer is converted. `x` is the input and `y` the label unless the user renames.
 */
export interface Dataset {
  /** What the user gave: a path, or `example:digits`. */
  readonly source: string;
  /** SHA-256 of the bytes that were read, hexadecimal. */
  readonly sha256: string;
  /** What the hash is of, where that is not all bytes: "names and sizes" of the files of a very large source. */
  readonly hashed?: "names and sizes";
  readonly n: number;
  readonly fields: readonly Field[];
  /** Names of the classes, where the source has them. */
  readonly classes?: readonly string[];
  /** The split that was taken; absent when all of the source was. */
  readonly split?: string;
  /** How x was changed on its way, in the language of --preprocess; "" when it was not. */
  readonly preprocess: string;
  /**
   * The samples at `indices`, of the fields `names` or of all; arrays may be views of the stored data.
   * Throws DataError for an index out of range, and for NaN or infinity in a field that is read.
   *
   * @param spent a batch that is no longer needed: converted samples may be written over its arrays, which saves a loop
   *   over many batches their memory
   */
  read(indices: ArrayLike<number>, names?: readonly string[], spent?: Batch): Promise<Batch>;
}
