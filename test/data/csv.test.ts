import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { CsvParser } from "../../src/data/csv.ts";
import { DataError } from "../../src/errors.ts";
import { milliseconds } from "../mutations.ts";

/** The records, the text pushed in pieces that end at `cuts`, shares of its length. */
function parse(text: string, { cuts = [], delimiter }: { cuts?: number[]; delimiter?: string } = {}) {
  const records: [line: number, ...fields: string[]][] = [];
  const parser = new CsvParser("a.csv", (fields, line) => records.push([line, ...fields]), delimiter);
  let at = 0;
  for (const end of [...cuts.map((share) => Math.floor(share * text.length)).sort((a, b) => a - b), text.length]) {
    parser.push(text.slice(at, end));
    at = end;
  }
  parser.end();
  return records;
}

describe("records", () => {
  const cases: [what: string, text: string, records: [number, ...string[]][]][] = [
    [
      "plain",
      "a,b\n1,2\n",
      [
        [1, "a", "b"],
        [2, "1", "2"],
      ],
    ],
    [
      "without a last line's end",
      "a,b\n1,2",
      [
        [1, "a", "b"],
        [2, "1", "2"],
      ],
    ],
    [
      "with CR LF",
      "a,b\r\n1,2\r\n",
      [
        [1, "a", "b"],
        [2, "1", "2"],
      ],
    ],
    [
      "with empty lines",
      "\na,b\n\n  \r\n1,2\n\n",
      [
        [2, "a", "b"],
        [5, "1", "2"],
      ],
    ],
    [
      "empty fields",
      ",\n,,\n",
      [
        [1, "", ""],
        [2, "", "", ""],
      ],
    ],
    [
      "quotes",
      '"a","b,c"\n"d ""e""",f\n',
      [
        [1, "a", "b,c"],
        [2, 'd "e"', "f"],
      ],
    ],
    [
      "a line's end in quotes",
      '"a\n\nb",c\r\nd,e',
      [
        [1, "a\n\nb", "c"],
        [4, "d", "e"],
      ],
    ],
    [
      "a quoted last field",
      'a,"b"\r\nc,"d"',
      [
        [1, "a", "b"],
        [2, "c", "d"],
      ],
    ],
    [
      "empty quotes",
      'a,""\n"",""\n',
      [
        [1, "a", ""],
        [2, "", ""],
      ],
    ],
    [
      "a quote inside a field",
      '5" disk,x\ny,z"\n',
      [
        [1, '5" disk', "x"],
        [2, "y", 'z"'],
      ],
    ],
    [
      "tabs",
      "a\tb\n1\t2\n",
      [
        [1, "a", "b"],
        [2, "1", "2"],
      ],
    ],
  ];
  test.each(cases)("%s", (_, text, records) => {
    expect(parse(text)).toEqual(records);
  });

  it("the delimiter is the first line's most frequent, outside quotes", () => {
    expect(parse("a;b;c,d\n1;2;3,4\n")).toEqual([
      [1, "a", "b", "c,d"],
      [2, "1", "2", "3,4"],
    ]);
    expect(parse('"a;b;c",d\n1,2\n')).toEqual([
      [1, "a;b;c", "d"],
      [2, "1", "2"],
    ]);
    expect(parse("a,b\tc\n", { delimiter: "\t" })).toEqual([[1, "a,b", "c"]]);
  });

  it("a row of empty fields is no empty line", () => {
    expect(parse("a\tb\n\t\n")).toEqual([
      [1, "a", "b"],
      [2, "", ""],
    ]);
  });

  it("what is written is read, wherever the chunks end", () => {
    const cell = fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.stringMatching(/^[a",\r\n;é😀]{0,6}$/u),
      fc.double().map(String),
    );
    const table = fc
      .integer({ min: 2, max: 5 })
      .chain((columns) => fc.array(fc.array(cell, { minLength: columns, maxLength: columns })));
    const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    fc.assert(
      fc.property(
        table,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
        fc.constantFrom("\n", "\r\n"),
        (rows, cuts, end) => {
          const text = rows.map((row) => row.map(quoted).join(",") + end).join("");
          const read = parse(text, { cuts, delimiter: "," });
          expect(read.map(([, ...fields]) => fields)).toEqual(rows);
          let line = 1;
          for (const [place, row] of rows.entries()) {
            expect(read[place]![0]).toBe(line);
            line += row.join(",").split("\n").length;
          }
        },
      ),
      { numRuns: 1000, seed: 3 },
    );
  });
});

describe("damage", () => {
  const cases: [text: string, message: string][] = [
    ['a,b\n1,"2\n3,4\n', "a.csv: line 2: truncated: a field in quotes has no end."],
    ['a,b\n1,"2', "a.csv: line 2: truncated: a field in quotes has no end."],
    ['a,b\n"1\n2",3\n"4"5,6\n', 'a.csv: line 4: field 1: expected "," or the line\'s end behind its quotes.'],
    ['a\tb\n1\t"2"x\n', "a.csv: line 2: field 2: expected a tab or the line's end behind its quotes."],
    ['a,b\n1,"2"\rx\n', 'a.csv: line 2: field 2: expected "," or the line\'s end behind its quotes.'],
  ];
  test.each(cases)("%j", (text, message) => {
    for (const cuts of [[], [0.3, 0.6], [0.9]]) expect(() => parse(text, { cuts })).toThrow(new DataError(message));
  });

  it("a line, and quotes, that have no end", () => {
    for (const start of ["", '"', '""", "']) {
      const parser = new CsvParser("a.csv", () => {}, ",");
      parser.push(`a,b\n${start}`);
      const chunk = "x".repeat(2 ** 20);
      const fill = () => {
        for (let chunks = 0; chunks < 17; chunks++) parser.push(chunk);
      };
      expect(fill).toThrow("a.csv: line 2: expected a record of at most 16777216 characters");
    }
  });

  it("a record of many chunks takes linear time", () => {
    const records: [number, number][] = [];
    const parser = new CsvParser("a.csv", (fields, line) => records.push([line, fields.length]), ",");
    const started = process.cpuUsage();
    for (const quote of ["", '"']) {
      parser.push(`a,${quote}`);
      for (let chunk = 0; chunk < 1000; chunk++) parser.push("x".repeat(2 ** 13));
      parser.push(`${quote},b\n1,2\n`);
    }
    parser.end();
    expect(records).toEqual([
      [1, 3],
      [2, 2],
      [3, 3],
      [4, 2],
    ]);
    // Looking at all of it with each chunk takes twenty times as long.
    expect(milliseconds(process.cpuUsage(started))).toBeLessThan(3000);
  });

  it("a row of many quoted and plain fields takes linear time", () => {
    const row = Array.from({ length: 200_000 }, (_, i) => (i % 2 === 0 ? '"1"' : "2")).join(",");
    const started = performance.now();
    expect(parse(`${row}\n${row}\n`, { delimiter: "," }).map((record) => record.length)).toEqual([200_001, 200_001]);
    // A tenth of a second on a machine at rest; a search to the line's end at each field takes minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
