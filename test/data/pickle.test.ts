import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { plainGlobals } from "../../src/data/pickle-globals.ts";
import { type PickleGlobal, type PickleOptions, readPickle } from "../../src/data/pickle.ts";
import { PickleReference } from "../../src/data/pickle-machine.ts";
import { DataError } from "../../src/errors.ts";
import { milliseconds, survivesMutations } from "../mutations.ts";

/** Written by pickles.py. */
const written: Record<string, Record<string, string>> = JSON.parse(
  readFileSync(new URL("./pickles.json", import.meta.url), "utf8"),
);
const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const options: PickleOptions = { label: "a.pkl", globals: plainGlobals };
const read = (bytes: Uint8Array | string, more: Partial<PickleOptions> = {}) =>
  readPickle(typeof bytes === "string" ? ascii(bytes) : bytes, { ...options, ...more }).value;

const big = 2n ** 70n;
const expected: Record<string, unknown> = {
  plain: [null, true, false, 0, 1, 255, 256, 65536, -1, 2 ** 31, -(2 ** 40), big, -big, 1.5, -0.1, Infinity],
  text: ["", "a", "é", "\n\\u0041\\", "漢字😀", "x".repeat(300)],
  bytes: [new Uint8Array(0), Uint8Array.of(0, 255), new Uint8Array(300).fill(121)],
  nested: new Map<unknown, unknown>([
    ["a", [1]],
    ["b", [[1, 2], [1, 2, 3], [1, 2, 3, 4], []]],
    [3, new Map([["c", new Map()]])],
  ]),
  sets: [new Set([1, 2]), new Set(["z"])],
  ordered: new Map([
    ["w", 1],
    ["b", 2],
  ]),
  bytearray: Uint8Array.of(97, 98),
};

describe("what CPython pickles", () => {
  for (const [name, value] of Object.entries(expected)) {
    test.each(Object.entries(written[name]!))(`${name}, protocol %s`, (_, base64) => {
      const bytes = new Uint8Array(Buffer.from(base64, "base64"));
      const padded = Uint8Array.from([...bytes, 1, 2, 3]);
      expect(readPickle(padded, options)).toEqual({ value, end: bytes.length });
    });
  }

  test.each(Object.entries(written["shared"]!))("a list that is there twice, protocol %s", (_, base64) => {
    const [first, second] = read(Buffer.from(base64, "base64")) as unknown[];
    expect(first).toEqual([1, 2]);
    expect(second).toBe(first);
  });

  test.each(Object.entries(written["loop"]!))("a list that holds itself, protocol %s", (_, base64) => {
    const list = read(Buffer.from(base64, "base64")) as unknown[];
    expect(list).toHaveLength(2);
    expect(list[1]).toBe(list);
  });
});

describe("what Python 2 pickles", () => {
  it("keeps its str as bytes, and as text where it is a key", () => {
    expect(read("(dp0\nS'data'\np1\nS'a\\x00\\'\\n\\377'\np2\nsg1\ng1\ns.")).toEqual(
      new Map([["data", ascii("data")]]),
    );
    expect(read("S'a\\x00\\'\\n\\377'\n.")).toEqual(Uint8Array.of(97, 0, 39, 10, 255));
    expect(read('S"it\'s"\n.')).toEqual(ascii("it's"));
    expect(read("}q\u0001(U\u0001aT\u0002\0\0\0\u00ff\u0000u.")).toEqual(new Map([["a", Uint8Array.of(255, 0)]]));
  });

  it("views of the file, not copies", () => {
    const bytes = ascii("U\u0003abc.");
    expect((read(bytes) as Uint8Array).buffer).toBe(bytes.buffer);
  });
});

describe("globals", () => {
  const point: PickleGlobal = {
    call: (args) => ({ args }),
    build: (value, state) => void Object.assign(value, { state }),
  };
  const globals = { "shapes.Point": point, "shapes.Kind": {}, "shapes.Fixed": { call: () => [] } };

  it("are called as the table says, by each of the instructions that call", () => {
    const made = { args: [1], state: "s" };
    for (const text of [
      "cshapes\nPoint\n(K\u0001tRX\u0001\0\0\0sb.",
      "cshapes\nPoint\nK\u0001\u0085\u0081X\u0001\0\0\0sb.",
      "(K\u0001ishapes\nPoint\nX\u0001\0\0\0sb.",
      "(cshapes\nPoint\nK\u0001oX\u0001\0\0\0sb.",
      "\u008c\u0006shapes\u008c\u0005Point\u0093K\u0001\u0085}\u0092X\u0001\0\0\0sb.",
    ]) {
      expect(read(text, { globals }), text).toEqual(made);
    }
  });

  it("that are not read are followed by what is", () => {
    const expected = "tensors";
    expect(() => read("cos\nsystem\n(tR.", { globals, expected })).toThrow(
      "names the Python object os.system, which is not read here: expected tensors. Nothing was executed.",
    );
  });

  it("are values where they are named, and reach the function of persistent ids", () => {
    const persistent = (id: unknown) => ({ id });
    const { id } = read("(X\u0007\0\0\0storagecshapes\nKind\ntQ.", { globals, persistent }) as { id: unknown[] };
    expect(id).toEqual(["storage", new PickleReference("shapes.Kind", globals["shapes.Kind"])]);
    expect(read("P17\n.", { persistent })).toEqual({ id: "17" });
  });

  const refusals: [what: string, text: string, message: string][] = [
    [
      "one that the table has not",
      "]cos\nsystem\n(S'rm -rf /'\ntR.",
      "byte 1: names the Python object os.system, which is not read here. Nothing was executed.",
    ],
    [
      "the same from the stack",
      "\u008c\u0002os\u008c\u0006system\u0093.",
      "byte 12: names the Python object os.system",
    ],
    ["a call of what may only be named", "cshapes\nKind\n)R.", "byte 14: calls shapes.Kind, which may be named here"],
    [
      "a state for what takes none",
      "cshapes\nFixed\n)RNb.",
      "byte 17: gives a state to shapes.Fixed, which takes none",
    ],
    ["a state for what no call made", "]Nb.", "byte 2: damaged: expected an object that a call made"],
    ["a call of a value", "K\u0001)R.", "byte 3: damaged: expected a class or a function to call."],
    [
      "arguments that are none",
      "cshapes\nPoint\nNR.",
      "byte 15: damaged: expected a tuple of arguments of shapes.Point.",
    ],
    ["keywords", "cshapes\nPoint\n)}K\u0001K\u0001s\u0092.", "byte 21: calls a class with keywords"],
    ["a persistent id that nobody expects", "]Q.", "byte 1: refers to data outside the pickle"],
    ["a module that is no text", "K\u0001K\u0002\u0093.", "byte 4: damaged: expected a module and a name."],
  ];
  test.each(refusals)("%s", (_, text, message) => {
    expect(() => read(text, { globals })).toThrow(DataError);
    expect(() => read(text, { globals })).toThrow(`a.pkl: ${message}`);
  });
});

describe("damage", () => {
  const cases: [text: string, message: string][] = [
    ["", "byte 0: truncated: expected 1 bytes after byte 0, have 0."],
    ["N", "byte 1: truncated: expected 1 bytes after byte 1, have 0."],
    [".", "byte 0: damaged: expected a value on the stack, have none."],
    ["(.", "byte 1: damaged: expected a value on the stack, have none."],
    ["N(.", "byte 2: damaged: expected a value on the stack, have none."],
    ["0.", "byte 0: damaged: expected a value on the stack, have none."],
    ["N\u0086.", "byte 1: damaged: expected a value on the stack, have none."],
    ["Nt.", "byte 1: damaged: expected a mark on the stack, have none."],
    ["\u00ff.", "byte 0: damaged, or not a pickle: no instruction has the code ff."],
    ["\u0097.", "byte 0: damaged, or not a pickle: no instruction has the code 97."],
    ["\u0080\u0006N.", "byte 0: protocol 6: expected at most 5."],
    ["\u0095\u00ff\0\0\0\0\0\0\0N.", "byte 0: truncated: expected 255 bytes after byte 9, have 2."],
    [
      "\u008e\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff.",
      "byte 0: truncated: expected 18446744073709552000 bytes",
    ],
    ["B\u00ff\u00ff\u00ff\u007f.", "byte 0: truncated: expected 2147483647 bytes after byte 5, have 1."],
    ["X\u0001\0\0\0\u00ff.", "byte 0: damaged: expected UTF-8 text."],
    ["Ix\n.", 'byte 0: damaged: expected a whole number, came "x".'],
    ["Iconstructor\n.", 'byte 0: damaged: expected a whole number, came "constructor".'],
    ["I1", "byte 0: truncated: expected a line's end after byte 1, have none."],
    [`L${"9".repeat(401)}\n.`, `byte 0: damaged: expected a whole number, came "${"9".repeat(40)}".`],
    [`\u008b\u0091\u0001\0\0${"\u0001".repeat(401)}.`, "byte 0: damaged: a whole number of 401 bytes."],
    ["F1.5.1\n.", 'byte 0: damaged: expected a number, came "1.5.1".'],
    ["Fconstructor\n.", 'byte 0: damaged: expected a number, came "constructor".'],
    ["S'abc\n.", 'byte 0: damaged: expected a quoted string, came "\'abc".'],
    ["V\\Uffffffff\n.", 'byte 0: damaged: expected text, came "\\\\Uffffffff".'],
    ["h\u0007.", "byte 0: damaged: expected a value that is remembered as 7, have none."],
    ["q\u0001.", "byte 0: damaged: expected a value on the stack, have none."],
    [")Na.", "byte 2: damaged: expected a list to append to."],
    ["N(Nu.", "byte 3: damaged: expected a dictionary to put items in."],
    ["}(Nu.", "byte 3: damaged: expected pairs of keys and values."],
    ["](N\u0090.", "byte 3: damaged: expected a set to add to."],
    ["c_codecs\nencode\n(X\u0001\0\0\0aX\u0005\0\0\0utf-8tR.", "byte 34: damaged: expected text in latin1."],
    ["c__builtin__\nset\n(NtR.", "byte 20: damaged: expected a list."],
    ["ccollections\nOrderedDict\n((NtttR.", "byte 30: damaged: expected a mark on the stack, have none."],
    ["ccollections\nOrderedDict\n((NttR.", "byte 30: damaged: expected a list of pairs."],
  ];
  test.each(cases)("%j", (text, message) => {
    expect(() => read(text)).toThrow(DataError);
    expect(() => read(text)).toThrow(`a.pkl: ${message}`);
  });

  it("a text that is encoded again and again is refused before memory is full", () => {
    const bomb = ascii(
      `c_codecs\nencode\nq\u00010X\u0010\u0027\0\0${"x".repeat(10000)}X\u0006\0\0\0latin1\u0086q\u00020` +
        `${"h\u0001h\u0002R0".repeat(1000)}N.`,
    );
    expect(() => read(bomb)).toThrow(`damaged: its values need more than ${4 * bomb.length} bytes of memory.`);
  });

  it.each([
    ["set", "cbuiltins\nset\n", "K\u0001"],
    ["OrderedDict", "ccollections\nOrderedDict\n", "NN\u0086"],
  ])("a list that many calls of %s share is refused before they take time", (_, callee, item) => {
    const bomb = ascii(
      `${callee}q\u00010](${item.repeat(20_000)}e\u0085q\u00020${"h\u0001h\u0002R0".repeat(20_000)}N.`,
    );
    const started = process.cpuUsage();
    expect(() => read(bomb)).toThrow("damaged: its values need more than");
    // Making all of them takes minutes.
    expect(milliseconds(process.cpuUsage(started))).toBeLessThan(2000);
  });

  it.each([
    ["a number that is none", `F${"1".repeat(100_000)}x\n.`, "byte 0: damaged: expected a number"],
    [
      "an encoding that many calls share",
      `c_codecs\nencode\nq\u00010T${String.fromCharCode(0, 0, 1, 0)}${"k".repeat(2 ** 16)}q\u00020U\u0000q\u00030` +
        `${"h\u0001h\u0003h\u0002\u0086R0".repeat(2 ** 16)}.`,
      "expected a value on the stack",
    ],
  ])("%s takes linear time", (_, text, message) => {
    const bytes = ascii(text);
    const started = process.cpuUsage();
    expect(() => read(bytes)).toThrow(message);
    // A tenth of a second; quadratic time is half a minute.
    expect(milliseconds(process.cpuUsage(started))).toBeLessThan(2000);
  });

  it("a long key that is used again and again takes no more time", () => {
    const uses = 200_000;
    const started = process.cpuUsage();
    const key = `T${String.fromCharCode(0, 0, 16, 0)}${"k".repeat(2 ** 20)}q\u0001`;
    const map = read(`}${key}0${"h\u0001Ns".repeat(uses)}.`) as Map<string, null>;
    expect([...map]).toEqual([["k".repeat(2 ** 20), null]]);
    // Decoding the key at each use takes minutes.
    expect(milliseconds(process.cpuUsage(started))).toBeLessThan(5000);
  });

  test.each(["nested", "bytes", "ordered"])("thousands of damaged copies: %s", async (name) => {
    for (const protocol of ["0", "2", "4"]) {
      const bytes = new Uint8Array(Buffer.from(written[name]![protocol]!, "base64"));
      await survivesMutations(bytes, (damaged) => read(damaged), { runs: 700 });
    }
  });
});
