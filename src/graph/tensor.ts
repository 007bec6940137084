import { ModelError } from "../errors.ts";

/** ONNX element types, by their names in the specification's lower case. */
export type ElementType =
  | "float32"
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "int32"
  | "int64"
  | "string"
  | "bool"
  | "float16"
  | "float64"
  | "uint32"
  | "uint64"
  | "bfloat16";

export type Dims = readonly number[];

export type TypedArray =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigInt64Array
  | BigUint64Array;

interface ArrayConstructorOf {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
}

const arrays: Record<Exclude<ElementType, "string">, ArrayConstructorOf> = {
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
};

/** Bytes an element takes; strings have no fixed size. */
export function elementSize(type: ElementType): number {
  return type === "string" ? 0 : arrays[type].BYTES_PER_ELEMENT;
}

/** Number of elements of a tensor of these dimensions. */
export function count(dims: Dims): number {
  let product = 1;
  for (const dim of dims) product *= dim;
  return product;
}

/**
 * A constant tensor: little-endian bytes as they stand in the file, viewed and not copied.
 * `stored` says where the bytes lie when they are not in the model file itself.
 */
export class Tensor {
  readonly type: ElementType;
  readonly dims: Dims;
  readonly stored: StoredBytes | undefined;
  /** The tensor of half precision whose elements these are. */
  readonly narrow: Tensor | undefined;
  readonly #load: () => Uint8Array;
  #bytes: Uint8Array | undefined;

  constructor(type: ElementType, dims: Dims, source: Uint8Array | (() => Uint8Array) | StoredBytes, narrow?: Tensor) {
    this.type = type;
    this.dims = dims;
    this.narrow = narrow;
    if (typeof source === "function") this.#load = source;
    else if (source instanceof Uint8Array) this.#load = () => source;
    else {
      this.stored = source;
      this.#load = () => source.read();
    }
  }

  static of(type: ElementType, dims: Dims, data: TypedArray): Tensor {
    return new Tensor(type, dims, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  static float32(dims: Dims, data: ArrayLike<number>): Tensor {
    return Tensor.of("float32", dims, data instanceof Float32Array ? data : Float32Array.from(data));
  }

  /** The elements of a float16 or bfloat16 tensor in float32, which has them all. They are made when they are needed. */
  static widening(narrow: Tensor): Tensor {
    const bytes = () => new Uint8Array((narrow.numbers() as Float32Array).buffer);
    return new Tensor("float32", narrow.dims, bytes, narrow);
  }

  /** A one-dimensional int64 tensor, or a scalar when given a number. What overflows (a Slice's INT64_MAX) is clamped. */
  static int64(data: number | readonly number[]): Tensor {
    const list = typeof data === "number" ? [data] : data;
    const dims = typeof data === "number" ? [] : [data.length];
    return Tensor.of("int64", dims, BigInt64Array.from(list, clampedInt64));
  }

  get size(): number {
    return count(this.dims);
  }

  get bytes(): Uint8Array {
    this.#bytes ??= this.#load();
    return this.#bytes;
  }

  /** The elements as stored: a view where the bytes are aligned, else one copy. */
  get data(): TypedArray {
    if (this.type === "string") throw new ModelError("a tensor of strings has no numeric data");
    const constructor = arrays[this.type];
    const { bytes } = this;
    const aligned = bytes.byteOffset % constructor.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
    return new constructor(aligned.buffer, aligned.byteOffset, this.size);
  }

  /** The elements as numbers; float16 and bfloat16 are widened. Copies only where it must. */
  numbers(): Float32Array | Float64Array | number[] {
    const { data } = this;
    if (this.type === "float16") return widenFloat16s(data as Uint16Array);
    if (this.type === "bfloat16") return widenBfloat16s(data as Uint16Array);
    if (data instanceof Float32Array || data instanceof Float64Array) return data;
    return Array.from(data as ArrayLike<number | bigint>, Number);
  }
}

/** A place in a file beside the model. */
export interface ExternalLocation {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Bytes that stay in a file beside the model until they are needed. */
export interface StoredBytes {
  readonly location: ExternalLocation;
  read(): Uint8Array;
  /** All bytes in order, whole elements at a time. Each piece is gone when the next is asked for. */
  pieces(): Iterable<Uint8Array>;
  /** The file's path, for a runtime that maps it into memory; absent where there is no such file. Throws as `read` does. */
  path?(): string;
}

const INT64_MAX = 2n ** 63n - 1n;

/** The int64 nearest to a number: a double cannot hold INT64_MAX and rounds it up to 2^63. */
export function clampedInt64(value: number): bigint {
  if (value >= 2 ** 63) return INT64_MAX;
  return value <= -(2 ** 63) ? -INT64_MAX - 1n : BigInt(value);
}

/** A bfloat16 number is the upper half of a float32 number. */
function widenBfloat16s(stored: Uint16Array): Float32Array {
  const bits = new Uint32Array(stored.length);
  for (let index = 0; index < bits.length; index++) bits[index] = (stored[index] as number) << 16;
  return new Float32Array(bits.buffer);
}

/** All there are, by their bits. */
let float16s: Float32Array | undefined;

function widenFloat16s(stored: Uint16Array): Float32Array {
  float16s ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => widenFloat16(bits));
  const values = new Float32Array(stored.length);
  for (let index = 0; index < values.length; index++) values[index] = float16s[stored[index] as number] as number;
  return values;
}

function widenFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
