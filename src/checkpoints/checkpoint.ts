import type { Tensor } from "../graph/tensor.ts";
import type { ByteRanges } from "./byte-ranges.ts";

/** What a file of weights holds: tensors by name, whose elements are read when they are asked for. */
export interface Tensors {
  /** In the file's order. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Whether that order is the one in which the network was defined; else it says nothing. */
  readonly ordered: boolean;
  /** The dictionary of the file that each tensor stands in, where it has several: `model`, `optimizer.state`. */
  readonly parts: ReadonlyMap<string, string>;
  /** What is known not to be weights, by its place, and what it is: `optimizer`, the state of an optimizer. */
  readonly asides: ReadonlyMap<string, string>;
}

/** A file of weights. */
export interface Checkpoint extends Tensors {
  /** As the user wrote it. */
  readonly file: string;
  /** SHA-256 of its bytes, those of an index and its shards one after the other. */
  readonly sha256: string;
  /** The part of it that was asked for: `weights.pt#model`. */
  readonly part?: string;
}

/** A way to keep weights in a file. `open.ts` lists them all. */
export interface CheckpointFormat {
  /** What a message that lists the formats says. */
  readonly description: string;
  /** Whether it is, by the first bytes, and by the names of its members where it is a zip file. */
  matches(file: ByteRanges, head: Uint8Array, members: readonly string[]): boolean;
  read(file: ByteRanges): Tensors;
}

/** Tensors of a format that has one flat dictionary. */
export function flat(tensors: ReadonlyMap<string, Tensor>, ordered: boolean): Tensors {
  return { tensors, ordered, parts: new Map(), asides: new Map() };
}
