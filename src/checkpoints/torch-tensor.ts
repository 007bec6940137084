import { ModelError } from "../errors.ts";
import { count, type ElementType, elementSize, Tensor, type TypedArray } from "../graph/tensor.ts";

/** A run of elements in a member of the archive, which tensors are views of. */
export interface Storage {
  /** The member's name in `data/`. */
  readonly key: string;
  /** Undefined for bytes that the tensor says the type of. */
  readonly type: ElementType | undefined;
  /** In elements of the type. */
  readonly length: number;
}

/** A tensor as the pickle describes it; strides and offset in elements. */
export class StoredTensor {
  constructor(
    readonly storage: Storage,
    readonly type: ElementType,
    readonly offset: number,
    readonly dims: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** What has a place among tensors but is none that is read here: sparse, quantized. */
export class UnreadTensor {
  constructor(readonly what: string) {}
}

/**
 * The tensor in C order. Its elements are read when they are asked for; that they lie in their storage is checked now.
 * A view where they lie in order, else a copy.
 */
export function tensorOf(stored: StoredTensor, label: string, read: (key: string) => Uint8Array): Tensor {
  const { storage, type, offset, dims, strides } = stored;
  const size = elementSize(type);
  const length = storage.type === undefined ? Math.floor(storage.length / size) : storage.length;
  const elements = count(dims);
  const last = elements === 0 ? 0 : 1 + offset + dims.reduce((sum, dim, axis) => sum + (dim - 1) * strides[axis]!, 0);
  if (elements > length || last > length) {
    throw new ModelError(
      `${label}: [${dims.join(", ")}] needs ${Math.max(elements, last)} elements, its storage ${storage.key} has ${length}: ` +
        `the file is damaged, or the tensor was expanded (save it after .contiguous()).`,
    );
  }
  return new Tensor(type, dims, () => {
    if (elements === 0) return new Uint8Array(0);
    const bytes = read(storage.key);
    if (bytes.length < last * size) {
      throw new ModelError(
        `${label}: truncated: expected ${last * size} bytes in data/${storage.key}, have ${bytes.length}.`,
      );
    }
    const start = bytes.byteOffset + offset * size;
    if (isInOrder(dims, strides)) return new Uint8Array(bytes.buffer, start, elements * size);
    const span = new Tensor(type, [last - offset], new Uint8Array(bytes.buffer, start, (last - offset) * size)).data;
    const gathered = gather(span, dims, strides);
    return new Uint8Array(gathered.buffer, gathered.byteOffset, gathered.byteLength);
  });
}

function isInOrder(dims: readonly number[], strides: readonly number[]): boolean {
  return dims.every((dim, axis) => dim === 1 || strides[axis] === count(dims.slice(axis + 1)));
}

/** The elements of a strided view in C order. */
function gather(source: TypedArray, dims: readonly number[], strides: readonly number[]): TypedArray {
  const from = source as Float64Array;
  const target = new (source.constructor as Float64ArrayConstructor)(count(dims));
  const at = dims.map(() => 0);
  let place = 0;
  for (let index = 0; index < target.length; index++) {
    target[index] = from[place]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place += strides[axis]!;
      if (++at[axis]! < dims[axis]!) break;
      place -= strides[axis]! * dims[axis]!;
      at[axis] = 0;
    }
  }
  return target;
}
