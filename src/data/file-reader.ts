import { DataError } from "../errors.ts";
import { type ByteFile, ByteReader, gunzipped } from "./byte-file.ts";
import { bestDeflateRatio } from "./zip.ts";

const chunkBytes = 65536;

/**
 * A file read from its beginning to its end, decompressed on the way when its name ends in .gz or .tgz, so that a chunk
 * of it is all that stands in memory. Its errors say at which byte, of the decompressed content, the file ends or breaks.
 */
export class FileReader {
  readonly name: string;
  readonly zipped: boolean;
  readonly #size: number;
  readonly #reader: ByteReader;
  /** Where bytes go that nobody wants. */
  #skipped: Uint8Array | undefined;

  constructor(file: ByteFile) {
    this.name = file.name;
    this.#size = file.size;
    this.zipped = /\.t?gz$/i.test(file.name);
    this.#reader = new ByteReader(this.zipped ? gunzipped(file.stream()) : file.stream());
  }

  /** Bytes read so far, of the decompressed content. */
  get position(): number {
    return this.#reader.position;
  }

  /** Bytes that may still come: no more than that is to be allocated. */
  get most(): number {
    return this.zipped ? this.#size * bestDeflateRatio : this.#size - this.position;
  }

  /** The next bytes: as many as there are, `length` at most. Throws DataError where gzip is damaged. */
  async upTo(length: number, what: string): Promise<Uint8Array> {
    const target = new Uint8Array(length);
    return target.subarray(0, await this.#filled(target, what));
  }

  async #filled(target: Uint8Array, what: string): Promise<number> {
    const start = this.position;
    try {
      return await this.#reader.fill(target);
    } catch (error) {
      if (error instanceof DataError || !this.zipped) throw error;
      const have = `have ${this.position - start}: ${(error as Error).message}`;
      throw new DataError(
        `${this.name}: damaged or truncated gzip: ${this.#place(target.length, what, start)}, ${have}.`,
      );
    }
  }

  /**
   * The next `length` bytes. Throws DataError when there are fewer, before anything is allocated where that is plain.
   *
   * @param what the bytes are, and `why` so many, for messages
   */
  async fill(length: number, what: string, why = ""): Promise<Uint8Array> {
    const start = this.position;
    if (length > this.most) {
      const have = this.zipped ? `cannot be in ${this.#size} bytes of gzip` : `have ${this.most}`;
      const expected = `expected ${length} bytes of ${what} after byte ${start}`;
      throw new DataError(`${this.name}: truncated: ${expected}${why && ` ${why}`}, ${have}.`);
    }
    const bytes = await this.upTo(length, what);
    if (bytes.length === length) return bytes;
    throw new DataError(`${this.name}: truncated: ${this.#place(length, what, start)}, have ${bytes.length}.`);
  }

  /** Passes over the next `length` bytes. Throws DataError when there are fewer. */
  async skip(length: number, what: string): Promise<void> {
    const end = this.position + length;
    while (this.position < end) {
      this.#skipped ??= new Uint8Array(chunkBytes);
      const part = this.#skipped.subarray(0, end - this.position);
      const start = this.position;
      const have = await this.#filled(part, what);
      if (have < part.length) {
        throw new DataError(`${this.name}: truncated: ${this.#place(end - start, what, start)}, have ${have}.`);
      }
    }
  }

  /** Reads on to the end, which has gzip compare its checksum. */
  async skipToEnd(): Promise<void> {
    this.#skipped ??= new Uint8Array(chunkBytes);
    while ((await this.#filled(this.#skipped, "nothing")) > 0);
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }

  #place(length: number, what: string, start: number): string {
    return `expected ${length} bytes of ${what} after byte ${start}${this.zipped ? " when decompressed" : ""}`;
  }
}
