import { DataError } from "../errors.ts";
import type { PickleContext, PickleGlobal, PickleOptions } from "./pickle.ts";
import { latin1Text } from "./pickle-text.ts";

/** A global as a value, such as the class of a storage among the parts of a persistent id. */
export class PickleReference {
  constructor(
    /** Module and name: `torch.FloatStorage`. */
    readonly name: string,
    readonly global: PickleGlobal,
  ) {}
}

const newestProtocol = 5;
/** What calls may allocate, in lengths of the file. */
const memoryFactor = 4;
/** Well below the longest string of a JavaScript engine. */
const longestText = 2 ** 28;

/** The stack machine whose program a pickle is. */
export class PickleMachine implements PickleContext {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #options: PickleOptions;
  readonly #stack: unknown[] = [];
  /** Heights of the stack that lists, tuples and dictionaries begin at. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();
  readonly #texts = new WeakMap<Uint8Array, string>();
  /** What made the objects that calls made. */
  readonly #makers = new WeakMap<object, PickleReference>();
  #at = 0;
  /** Where the instruction begins. */
  #start = 0;
  #spent = 0;

  constructor(bytes: Uint8Array, options: PickleOptions) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#options = options;
  }

  /** The code of the next instruction. */
  begin(): number {
    this.#start = this.#at;
    return this.uint8();
  }

  get position(): number {
    return this.#at;
  }

  fail(what: string): never {
    throw new DataError(`${this.#options.label}: byte ${this.#start}: ${what}`);
  }

  spend(bytes: number): void {
    this.#spent += bytes;
    const most = memoryFactor * this.#bytes.length;
    if (!(this.#spent <= most)) this.fail(`damaged: its values need more than ${most} bytes of memory.`);
  }

  /** The next bytes, as a view. */
  take(length: number): Uint8Array {
    const have = this.#bytes.length - this.#at;
    if (length > have) this.fail(`truncated: expected ${length} bytes after byte ${this.#at}, have ${have}.`);
    // Not subarray: a Node Buffer would stay one.
    const taken = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, length);
    this.#at += length;
    return taken;
  }

  /** Moves on by `length` bytes; returns where they begin. */
  #skip(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) this.take(length);
    this.#at += length;
    return at;
  }

  uint8 = (): number => this.#view.getUint8(this.#skip(1));
  uint16 = (): number => this.#view.getUint16(this.#skip(2), true);
  uint32 = (): number => this.#view.getUint32(this.#skip(4), true);
  int32 = (): number => this.#view.getInt32(this.#skip(4), true);
  uint64 = (): number => Number(this.#view.getBigUint64(this.#skip(8), true));
  float64 = (): number => this.#view.getFloat64(this.#skip(8));

  /** The text up to the line's end, Latin-1. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) this.fail(`truncated: expected a line's end after byte ${this.#at}, have none.`);
    const text = this.#text(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  /** The next line as `parse` reads it. */
  parsedLine<T>(parse: (line: string) => T | undefined, what: string): T {
    const line = this.line();
    return parse(line) ?? this.fail(`damaged: expected ${what}, came ${JSON.stringify(line.slice(0, 40))}.`);
  }

  utf8(length: number): string {
    const bytes = this.take(length);
    try {
      return utf8.decode(bytes);
    } catch {
      return this.fail("damaged: expected UTF-8 text.");
    }
  }

  push = (value: unknown): void => void this.#stack.push(value);

  /** The value on top of the stack, above the last mark. */
  top(): unknown {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0))
      this.fail("damaged: expected a value on the stack, have none.");
    return this.#stack.at(-1);
  }

  pop(): unknown {
    this.top();
    return this.#stack.pop();
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  /** The values above the last mark, which is taken away. */
  popMark(): unknown[] {
    const mark = this.#marks.pop() ?? this.fail("damaged: expected a mark on the stack, have none.");
    return this.#stack.splice(mark);
  }

  /** POP: the value on top, or a mark that has no value above it. */
  drop(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  popTuple(length: number): readonly unknown[] {
    const values: unknown[] = [];
    while (values.length < length) values.push(this.pop());
    return Object.freeze(values.reverse());
  }

  put(key: number): void {
    this.#memo.set(key, this.top());
  }

  memoize(): void {
    this.put(this.#memo.size);
  }

  get(key: number): void {
    if (!this.#memo.has(key)) this.fail(`damaged: expected a value that is remembered as ${key}, have none.`);
    this.push(this.#memo.get(key));
  }

  /**
   * A name or a dictionary's key, for which bytes, which a Map cannot look up, become text. Shared bytes are read once,
   * so that the work stays linear.
   */
  key(value: unknown): unknown {
    if (!(value instanceof Uint8Array)) return value;
    const known = this.#texts.get(value);
    if (known !== undefined) return known;
    const text = this.#text(value);
    this.#texts.set(value, text);
    return text;
  }

  #text(bytes: Uint8Array): string {
    if (bytes.length > longestText) this.fail(`damaged: a name of ${bytes.length} bytes.`);
    return latin1Text(bytes);
  }

  protocol(): void {
    const protocol = this.uint8();
    if (protocol > newestProtocol) this.fail(`protocol ${protocol}: expected at most ${newestProtocol}.`);
  }

  frame(): void {
    const length = this.uint64();
    const have = this.#bytes.length - this.#at;
    if (length > have) this.fail(`truncated: expected ${length} bytes after byte ${this.#at}, have ${have}.`);
  }

  global(module: unknown, name: unknown): void {
    const parts = [this.key(module), this.key(name)];
    if (!parts.every((part) => typeof part === "string")) this.fail("damaged: expected a module and a name.");
    const full = parts.join(".");
    const { globals, expected } = this.#options;
    const instead = expected === undefined ? "" : `: expected ${expected}`;
    const global = Object.hasOwn(globals, full) ? globals[full] : undefined;
    this.push(
      global
        ? new PickleReference(full, global)
        : this.fail(
            `names the Python object ${full.slice(0, 200)}, which is not read here${instead}. Nothing was executed.`,
          ),
    );
  }

  call(callee: unknown, args: unknown): void {
    if (!(callee instanceof PickleReference)) return this.fail("damaged: expected a class or a function to call.");
    if (!Array.isArray(args)) return this.fail(`damaged: expected a tuple of arguments of ${callee.name}.`);
    if (!callee.global.call) return this.fail(`calls ${callee.name}, which may be named here, but not called.`);
    const value = callee.global.call(args, this);
    if (typeof value === "object" && value !== null) this.#makers.set(value, callee);
    this.push(value);
  }

  build(): void {
    const state = this.pop();
    const value = this.top();
    const maker = typeof value === "object" && value !== null ? this.#makers.get(value) : undefined;
    if (!maker) return this.fail("damaged: expected an object that a call made, to give a state to.");
    if (!maker.global.build) return this.fail(`gives a state to ${maker.name}, which takes none here.`);
    maker.global.build(value as object, state, this);
  }

  persistent(id: unknown): void {
    const { persistent } = this.#options;
    this.push(
      persistent ? persistent(id, this) : this.fail("refers to data outside the pickle, which is not read here."),
    );
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
