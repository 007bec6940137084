import { DataError } from "../errors.ts";
import type { ElementType } from "../graph/tensor.ts";

/** What the head of an .npy file says of the data behind it. */
export interface NpyHeader {
  readonly type: ElementType;
  readonly bigEndian: boolean;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Byte at which the data begins. */
  readonly dataStart: number;
}

/** Element types by NumPy's kind and size. */
export const types: Readonly<Record<string, ElementType>> = {
  b1: "bool",
  u1: "uint8",
  i1: "int8",
  u2: "uint16",
  i2: "int16",
  u4: "uint32",
  i4: "int32",
  u8: "uint64",
  i8: "int64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
};

export const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** More than any array of plain numbers needs: 64 axes of 15 digits. */
const longestHeader = 65535;
/** A file's head is within so many bytes. */
export const longestHead = 12 + longestHeader;
const mostAxes = 64;

/** The head of the .npy file `bytes`, which messages call `label`. Throws DataError. */
export function parseNpyHeader(bytes: Uint8Array, label: string): NpyHeader {
  const fail = (what: string): never => {
    throw new DataError(`${label}: ${what}`);
  };
  if (bytes.length < 10) fail(`truncated: expected a header of 10 bytes or more, have ${bytes.length}.`);
  if (magic.some((byte, i) => bytes[i] !== byte)) {
    const came = Array.from(bytes.subarray(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    fail(`byte 0: not an .npy file: expected 93 4e 55 4d 50 59, came ${came}.`);
  }
  const version = bytes[6]!;
  if (version < 1 || version > 3) fail(`byte 6: .npy version ${version}: expected 1, 2 or 3.`);
  const textStart = version === 1 ? 10 : 12;
  if (bytes.length < textStart) fail(`truncated: expected a header of 12 bytes or more, have ${bytes.length}.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > longestHeader) fail(`byte 8: a header of ${length} bytes: expected at most ${longestHeader}.`);
  const dataStart = textStart + length;
  if (dataStart > bytes.length) {
    fail(`truncated: expected ${length} bytes of header after byte ${textStart}, have ${bytes.length - textStart}.`);
  }
  const text = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(bytes.subarray(textStart, dataStart));
  const header = parseLiteral(text, (at, what) => fail(`byte ${textStart + at}: damaged header: ${what}`));
  const misfit = (what: string) => fail(`byte ${textStart}: damaged header: ${what}`);
  if (!(header instanceof Map)) return misfit("expected a dictionary.");
  const keys = [...header.keys()].sort().join(", ");
  if (keys !== "descr, fortran_order, shape") misfit(`expected the keys descr, fortran_order, shape, came ${keys}.`);
  const shape = header.get("shape");
  const fortranOrder = header.get("fortran_order");
  if (typeof fortranOrder !== "boolean") return misfit("expected True or False as fortran_order.");
  if (!Array.isArray(shape) || shape.length > mostAxes || !shape.every((dim) => typeof dim === "number")) {
    return misfit(`expected a tuple of at most ${mostAxes} numbers as shape.`);
  }
  return {
    ...parseDescr(header.get("descr"), fail),
    fortranOrder,
    shape: shape as number[],
    dataStart,
  };
}

/** What the kinds that we do not read are called. */
const kinds: Record<string, string> = {
  O: "Python objects",
  U: "strings",
  S: "strings",
  a: "strings",
  V: "raw bytes",
  c: "complex numbers",
  f: "long doubles",
  M: "dates",
  m: "time spans",
};

function parseDescr(descr: unknown, fail: (what: string) => never): Pick<NpyHeader, "type" | "bigEndian"> {
  const [, order, kind, size] = (typeof descr === "string" && /^([<>|=]?)([A-Za-z])(\d*)/.exec(descr)) || [];
  const type = typeof descr === "string" && /^.?[a-z]\d$/.test(descr) ? types[`${kind}${size}`] : undefined;
  if (type) return { type, bigEndian: order === ">" };
  const shown = typeof descr === "string" ? `'${descr}'` : "[…]";
  const called = typeof descr === "string" ? (kinds[kind ?? ""] ?? "an unknown type") : "a structured type";
  return fail(
    `dtype ${shown} (${called}) is not supported: expected booleans, integers or floats of 1 to 8 bytes; ` +
      `convert the array with .astype(...) before it is saved.`,
  );
}

type Literal = string | number | boolean | null | Literal[] | Map<string, Literal>;

/** The Python literals that a header is made of: strings, whole numbers, True, False, None, tuples, lists, dictionaries. */
function parseLiteral(text: string, fail: (at: number, what: string) => never): Literal {
  const pattern = /\s*(?:'([^'\\]*)'|"([^"\\]*)"|(\d{1,15})L?(?!\w)|(True|False|None)(?!\w)|([(){}[\],:])|$)/y;
  const words: Record<string, boolean | null> = { True: true, False: false, None: null };
  const closing: Record<string, string> = { "(": ")", "[": "]", "{": "}" };
  let token: RegExpExecArray;
  const skipped = (at: number) => at + text.slice(at).search(/\S|$/);
  const advance = () => {
    const at = skipped(pattern.lastIndex);
    const found = pattern.exec(text);
    token = found ?? fail(at, `expected a Python literal, came ${JSON.stringify(text.slice(at, at + 12))}.`);
  };
  const expected = (what: string) => {
    const came = token[0].trim();
    return fail(skipped(token.index), `expected ${what}, came ${came ? JSON.stringify(came) : "its end"}.`);
  };
  const take = (mark: string) => (token[5] === mark ? advance() : expected(mark));

  const value = (depth: number): Literal => {
    const [, single, double, digits, word, mark] = token;
    const close = closing[mark ?? ""];
    if (close !== undefined && depth < 8) {
      advance();
      return mark === "{" ? dictionary(depth + 1) : sequence(close, depth + 1);
    }
    const string = single ?? double;
    if (string === undefined && digits === undefined && word === undefined) expected("a value");
    advance();
    return string ?? (word === undefined ? Number(digits) : words[word]!);
  };
  const sequence = (close: string, depth: number): Literal[] => {
    const items: Literal[] = [];
    while (token[5] !== close) {
      items.push(value(depth));
      if (token[5] !== close) take(",");
    }
    advance();
    return items;
  };
  const dictionary = (depth: number): Map<string, Literal> => {
    const entries = new Map<string, Literal>();
    while (token[5] !== "}") {
      const key = value(depth);
      if (typeof key !== "string") return expected("a string as key");
      take(":");
      entries.set(key, value(depth));
      if (token[5] !== "}") take(",");
    }
    advance();
    return entries;
  };

  advance();
  const literal = value(0);
  if (token!.index + token![0].length < text.length || token![0].trim()) expected("the header's end");
  return literal;
}
