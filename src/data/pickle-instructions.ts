import type { PickleMachine } from "./pickle-machine.ts";
import { floatOf, integerOf, littleEndianInteger, quotedBytes, rawUnicodeText } from "./pickle-text.ts";

type Instruction = (machine: PickleMachine) => void;

const booleans = new Map([
  ["00", false],
  ["01", true],
]);
const memoKey = (line: string) => (/^\d{1,15}$/.test(line) ? Number(line) : undefined);

function integer(machine: PickleMachine, bytes: Uint8Array): number | bigint {
  return littleEndianInteger(bytes) ?? machine.fail(`damaged: a whole number of ${bytes.length} bytes.`);
}

/** The names and codes are those of CPython's Lib/pickletools.py; STOP is not among them. */
export const instructions: Readonly<Record<number, Instruction>> = {
  // Plain values.
  [code("N")]: (m) => m.push(null),
  0x88: (m) => m.push(true),
  0x89: (m) => m.push(false),
  [code("I")]: (m) => m.push(m.parsedLine((line) => booleans.get(line) ?? integerOf(line), "a whole number")),
  [code("J")]: (m) => m.push(m.int32()),
  [code("K")]: (m) => m.push(m.uint8()),
  [code("M")]: (m) => m.push(m.uint16()),
  [code("L")]: (m) => m.push(m.parsedLine((line) => integerOf(line.replace(/L$/, "")), "a whole number")),
  0x8a: (m) => m.push(integer(m, m.take(m.uint8()))), // LONG1
  0x8b: (m) => m.push(integer(m, m.take(m.uint32()))), // LONG4
  [code("F")]: (m) => m.push(m.parsedLine(floatOf, "a number")),
  [code("G")]: (m) => m.push(m.float64()),

  // Text.
  [code("V")]: (m) => m.push(m.parsedLine(rawUnicodeText, "text")),
  [code("X")]: (m) => m.push(m.utf8(m.uint32())), // BINUNICODE
  0x8c: (m) => m.push(m.utf8(m.uint8())), // SHORT_BINUNICODE
  0x8d: (m) => m.push(m.utf8(m.uint64())), // BINUNICODE8

  // Bytes; STRING, BINSTRING and SHORT_BINSTRING are Python 2's str.
  [code("S")]: (m) => m.push(m.parsedLine(quotedBytes, "a quoted string")),
  [code("T")]: (m) => m.push(m.take(m.uint32())),
  [code("U")]: (m) => m.push(m.take(m.uint8())),
  [code("B")]: (m) => m.push(m.take(m.uint32())), // BINBYTES
  [code("C")]: (m) => m.push(m.take(m.uint8())), // SHORT_BINBYTES
  0x8e: (m) => m.push(m.take(m.uint64())), // BINBYTES8
  0x96: (m) => m.push(m.take(m.uint64())), // BYTEARRAY8

  // Lists, tuples, dictionaries, sets.
  [code("(")]: (m) => m.mark(),
  [code("]")]: (m) => m.push([]),
  [code("l")]: (m) => m.push(m.popMark()),
  [code("a")]: (m) => append(m, [m.pop()]),
  [code("e")]: (m) => append(m, m.popMark()), // APPENDS
  [code(")")]: (m) => m.push(m.popTuple(0)),
  [code("t")]: (m) => m.push(Object.freeze(m.popMark())),
  0x85: (m) => m.push(m.popTuple(1)),
  0x86: (m) => m.push(m.popTuple(2)),
  0x87: (m) => m.push(m.popTuple(3)),
  [code("}")]: (m) => m.push(new Map()),
  [code("d")]: dictionary,
  [code("s")]: (m) => setItems(m, m.popTuple(2)),
  [code("u")]: (m) => setItems(m, m.popMark()), // SETITEMS
  0x8f: (m) => m.push(new Set()),
  0x90: (m) => add(m, m.popMark()), // ADDITEMS
  0x91: (m) => m.push(new Set(m.popMark())), // FROZENSET

  // The stack and what is remembered.
  [code("0")]: (m) => m.drop(),
  [code("1")]: (m) => void m.popMark(),
  [code("2")]: (m) => m.push(m.top()), // DUP
  [code("p")]: (m) => m.put(m.parsedLine(memoKey, "a whole number")),
  [code("q")]: (m) => m.put(m.uint8()), // BINPUT
  [code("r")]: (m) => m.put(m.uint32()), // LONG_BINPUT
  0x94: (m) => m.memoize(),
  [code("g")]: (m) => m.get(m.parsedLine(memoKey, "a whole number")),
  [code("h")]: (m) => m.get(m.uint8()), // BINGET
  [code("j")]: (m) => m.get(m.uint32()), // LONG_BINGET

  // Objects.
  [code("c")]: (m) => m.global(m.line(), m.line()),
  0x93: stackGlobal,
  [code("R")]: reduce,
  [code("b")]: (m) => m.build(),
  [code("i")]: instance,
  [code("o")]: object,
  0x81: reduce, // NEWOBJ: cls.__new__(cls, *args), which for the classes that are read is a call
  0x92: newObjectWithKeywords,
  [code("P")]: (m) => m.persistent(m.line()),
  [code("Q")]: (m) => m.persistent(m.pop()),

  // The file.
  0x80: (m) => m.protocol(),
  0x95: (m) => m.frame(),
};

function code(character: string): number {
  return character.charCodeAt(0);
}

function append(m: PickleMachine, values: readonly unknown[]): void {
  const list = m.top();
  if (!Array.isArray(list) || Object.isFrozen(list)) return m.fail("damaged: expected a list to append to.");
  for (const value of values) list.push(value);
}

function add(m: PickleMachine, values: readonly unknown[]): void {
  const set = m.top();
  if (!(set instanceof Set)) return m.fail("damaged: expected a set to add to.");
  for (const value of values) set.add(value);
}

function setItems(m: PickleMachine, items: readonly unknown[]): void {
  const map = m.top();
  if (!(map instanceof Map)) return m.fail("damaged: expected a dictionary to put items in.");
  if (items.length % 2 > 0) m.fail("damaged: expected pairs of keys and values.");
  for (let at = 0; at < items.length; at += 2) map.set(m.key(items[at]), items[at + 1]);
}

function dictionary(m: PickleMachine): void {
  const items = m.popMark();
  m.push(new Map());
  setItems(m, items);
}

function stackGlobal(m: PickleMachine): void {
  const [module, name] = m.popTuple(2);
  m.global(module, name);
}

function reduce(m: PickleMachine): void {
  const [callee, args] = m.popTuple(2);
  m.call(callee, args);
}

/** INST, of protocol 0: the class by name, its arguments above the mark. */
function instance(m: PickleMachine): void {
  const args = m.popMark();
  m.global(m.line(), m.line());
  m.call(m.pop(), args);
}

/** OBJ, of protocol 1: the class and its arguments above the mark. */
function object(m: PickleMachine): void {
  const [callee, ...args] = m.popMark();
  m.call(callee, args);
}

function newObjectWithKeywords(m: PickleMachine): void {
  const [callee, args, keywords] = m.popTuple(3);
  if (!(keywords instanceof Map) || keywords.size > 0) m.fail("calls a class with keywords, which is not read here.");
  m.call(callee, args);
}
