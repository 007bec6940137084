/** The bytes' characters, one each: Latin-1, which TextDecoder reads as windows-1252. */
export function latin1Text(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return parts.join("");
}

/** One byte a character; undefined when there is one beyond Latin-1. */
export function latin1Bytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 255) return undefined;
    bytes[at] = code;
  }
  return bytes;
}

/** A value that is text in Python: a str, or Python 2's str, which is bytes; undefined for anything else. */
export function pickledText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof Uint8Array ? latin1Text(value) : undefined;
}

const longestShown = 1000;
const mostShown = 8;

/** A value as a message or a name says it. Tuples in tuples, which may hold one another again and again, are not written out. */
export function shownValue(value: unknown): string {
  if (!isObject(value)) return String(value).slice(0, longestShown);
  if (value instanceof Uint8Array) return latin1Text(value.subarray(0, longestShown));
  const short = Array.isArray(value) && value.length <= mostShown && !value.some(isObject);
  return short ? `(${value.map(shownValue).join(", ")})` : "(…)";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

/** The bytes of a quoted Python 2 string, such as 'a\x00b'; undefined when it is none. */
export function quotedBytes(line: string): Uint8Array | undefined {
  const quoted = /^'(.*)'$|^"(.*)"$/s.exec(line);
  if (!quoted) return undefined;
  const text = (quoted[1] ?? quoted[2]!).replace(
    /\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([ntrabfv\\'"]))/g,
    (_, hex?: string, octal?: string, letter?: string) => {
      if (letter !== undefined) return escapes[letter]!;
      return String.fromCharCode(hex === undefined ? Number.parseInt(octal!, 8) & 255 : Number.parseInt(hex, 16));
    },
  );
  return latin1Bytes(text);
}

/** The text of Python's raw-unicode-escape; undefined when an escape is no character. */
export function rawUnicodeText(line: string): string | undefined {
  let fits = true;
  const text = line.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g, (_, short?: string, long?: string) => {
    const code = Number.parseInt(short ?? long!, 16);
    if (code <= 0x10ffff) return String.fromCodePoint(code);
    fits = false;
    return "";
  });
  return fits ? text : undefined;
}

const infinities: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, "-inf": -Infinity };

/** A float as Python writes it; undefined when it is none. One way alone to match the digits: two take quadratic time. */
export function floatOf(line: string): number | undefined {
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(line)) return Number(line);
  return Object.hasOwn(infinities, line) ? infinities[line] : undefined;
}

/** Longer whole numbers, in decimal digits or bytes, are damage: 2^64 has 20 digits. */
const mostDigits = 400;

/** A whole number in decimal; undefined when it is none. */
export function integerOf(line: string): number | bigint | undefined {
  return line.length <= mostDigits && /^-?\d+$/.test(line) ? narrowed(BigInt(line)) : undefined;
}

/** A whole number in two's complement, little endian; undefined when it is longer than any that means something. */
export function littleEndianInteger(bytes: Uint8Array): number | bigint | undefined {
  if (bytes.length > mostDigits) return undefined;
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!);
  return narrowed(BigInt.asIntN(8 * bytes.length, value));
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
