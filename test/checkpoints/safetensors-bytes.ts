import type { Dims } from "../../src/graph/tensor.ts";

/** A tensor as the format has it: its name for the type, and the bytes. */
export interface Written {
  readonly dtype: string;
  readonly shape: Dims;
  readonly bytes: Uint8Array;
}

/** The bytes of some numbers, as the machine keeps them: little-endian. */
export function bytesOf(data: Float32Array | Float64Array | Uint16Array | BigInt64Array | Uint8Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export function float32(shape: Dims, data: ArrayLike<number>): Written {
  return { dtype: "F32", shape, bytes: bytesOf(Float32Array.from(data)) };
}

/** A file by the public format: 8 bytes of the header's length, the header, the tensors one after the other. */
export function safetensorsBytes(tensors: Readonly<Record<string, Written>>, metadata?: object): Uint8Array {
  let at = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    const entry = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
    return [name, entry] as const;
  });
  const header = { ...(metadata && { __metadata__: metadata }), ...Object.fromEntries(entries) };
  return withHeader(JSON.stringify(header), ...Object.values(tensors).map(({ bytes }) => bytes));
}

/** Any text as the header, filled up with spaces to a multiple of 8 as the format allows. */
export function withHeader(text: string, ...data: readonly Uint8Array[]): Uint8Array {
  const header = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  return Uint8Array.from([length, header, ...data].flatMap((part) => [...part]));
}
