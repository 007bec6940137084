import type { PickleContext, PickleGlobal } from "./pickle.ts";
import { latin1Bytes, pickledText } from "./pickle-text.ts";

const set: PickleGlobal = {
  call([values = []], context) {
    if (!Array.isArray(values)) return context.fail("damaged: expected a list.");
    // A list may be shared by many calls.
    context.spend(values.length);
    return new Set(values);
  },
};

const bytes: PickleGlobal = {
  call([value], context) {
    if (value === undefined) return new Uint8Array(0);
    return value instanceof Uint8Array ? value : context.fail("damaged: expected bytes.");
  },
};

/** Before protocol 3 bytes are written as text and encoded by a call; the text may be shared by many calls. */
function encode([value, encoding]: readonly unknown[], context: PickleContext): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== "string" || !/^latin-?1$/.test(pickledText(encoding) ?? "")) {
    return context.fail("damaged: expected text in latin1.");
  }
  context.spend(value.length);
  return latin1Bytes(value) ?? context.fail("damaged: expected text in latin1, came a character beyond it.");
}

const orderedDict: PickleGlobal = {
  call([items = []], context) {
    if (!Array.isArray(items)) return context.fail("damaged: expected a list of pairs.");
    context.spend(items.length);
    if (!items.every((item) => Array.isArray(item) && item.length === 2)) {
      return context.fail("damaged: expected a list of pairs.");
    }
    return new Map((items as [unknown, unknown][]).map(([key, value]) => [context.key(key), value]));
  },
  // Attributes, such as the _metadata of PyTorch's state dictionaries, are not items.
  build: () => {},
};

/** Python's own classes that plain data is made of. */
export const plainGlobals: Readonly<Record<string, PickleGlobal>> = {
  "_codecs.encode": { call: encode },
  "__builtin__.bytes": bytes,
  "__builtin__.bytearray": bytes,
  "__builtin__.set": set,
  "__builtin__.frozenset": set,
  "builtins.bytes": bytes,
  "builtins.bytearray": bytes,
  "builtins.set": set,
  "builtins.frozenset": set,
  "collections.OrderedDict": orderedDict,
};
