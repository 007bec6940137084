import { DataError } from "../errors.ts";

/** Something whose bytes can be streamed: a file on disk, or the `File` that a page was given. */
export interface ByteFile {
  /** What messages call it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  stream(): AsyncIterable<Uint8Array>;
  /** The bytes from `start` up to, not including, `end`; fewer when the file is shorter. */
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** Where files come from: the disk (`files.ts`), or whatever a page has instead. */
export interface Files {
  /** The names in a directory, sorted; undefined when the path is a file. */
  list(path: string): Promise<string[] | undefined>;
  /** The file at `path`, or inside the directory `directory`. */
  open(path: string, directory?: string): Promise<ByteFile>;
  /** A file of the package's `examples/`. */
  example(name: string): Promise<ByteFile>;
  /** SHA-256, hexadecimal, of the files' bytes one after the other (`cat a b | sha256sum`). */
  sha256(files: readonly Pick<ByteFile, "stream">[]): Promise<string>;
  /** The WebAssembly of a package that this one depends on; undefined in a page, where the package fetches it itself. */
  wasm(module: string): Promise<ArrayBuffer | undefined>;
}

/** Some bytes of a file, in one read. Throws DataError when the file does not have them. */
export async function readPart(file: ByteFile, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await file.slice(start, end).arrayBuffer());
  if (bytes.length === end - start) return bytes;
  throw new DataError(
    `${file.name}: truncated: expected ${end - start} bytes after byte ${start}, have ${bytes.length}.`,
  );
}

/** The whole file in memory. */
export async function readAll(file: ByteFile): Promise<Uint8Array> {
  if (file.size > 0xffffffff) throw new DataError(`${file.name}: ${file.size} bytes: expected less than 4 GiB.`);
  const bytes = new Uint8Array(file.size);
  const reader = new ByteReader(file.stream());
  const have = await reader.fill(bytes);
  await reader.close();
  if (have < bytes.length) {
    throw new DataError(`${file.name}: truncated while it was read: expected ${file.size} bytes, have ${have}.`);
  }
  return bytes;
}

/** Fills arrays one after the other from a stream of chunks, so that no more than a chunk stands in memory beside them. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes handed out so far. */
  position = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** Fills `target`; resolves to the number of bytes there were, which is smaller only at the stream's end. */
  async fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) break;
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, target.length - filled);
      target.set(part, filled);
      this.#rest = this.#rest.subarray(part.length);
      filled += part.length;
      this.position += part.length;
    }
    return filled;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/**
 * A gzip stream, decompressed chunk by chunk. The chunks are written by hand: `pipeThrough` reads ahead and held
 * 40 MB more at the peak of a 26 MB file.
 */
export async function* gunzipped(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  const reader = readable.getReader();
  const feed = async () => {
    try {
      for await (const chunk of stream) await writer.write(chunk as Uint8Array<ArrayBuffer>);
      await writer.close();
    } catch (error) {
      // The reading side throws the same error; after an early end of reading there is nobody left to tell.
      await writer.abort(error).catch(() => {});
    }
  };
  const feeding = feed();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
    await feeding;
  }
}
