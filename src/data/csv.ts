import { DataError } from "../errors.ts";

/** A record's fields as text, and the line it begins on, counted from 1. */
export type CsvListener = (fields: readonly string[], line: number) => void;

/** Characters of one record; more is a file without line ends, or a quote that is never closed. */
const longestRecord = 2 ** 24;

/**
 * The records of a CSV file (RFC 4180), handed on as its text is pushed. A field in quotes may hold delimiters, line ends
 * and doubled quotes; a quote within a field that does not begin with one is a character; lines may end in CR LF; empty
 * lines are passed over. The fields' delimiter is that of comma, semicolon and tab which the first line has most often.
 * Time is linear: the text of a record longer than a chunk is looked at again when it has doubled.
 *
 * Written here because csv-parse needs Node's streams, and papaparse takes quadratic time over unbalanced quotes.
 */
export class CsvParser {
  readonly #label: string;
  readonly #listener: CsvListener;
  #delimiter: string | undefined;
  /** The text of a record whose end has not come yet, in parts. */
  #parts: string[] = [];
  /** Characters of the parts, and how many there are to be before they are looked at. */
  #length = 0;
  #enough = 0;
  #line = 1;

  /**
   * @param label what messages call the file
   * @param delimiter where it is known
   */
  constructor(label: string, listener: CsvListener, delimiter?: string) {
    this.#label = label;
    this.#listener = listener;
    this.#delimiter = delimiter;
  }

  /** Takes the next part of the text. Throws DataError, with the line, for broken quotes. */
  push(chunk: string): void {
    this.#parts.push(chunk);
    this.#length += chunk.length;
    if (this.#length >= this.#enough) this.#read();
  }

  #read(): void {
    const text = this.#parts.join("");
    let at = 0;
    let quote = -2;
    for (;;) {
      const end = text.indexOf("\n", at);
      if (end < 0) break;
      this.#delimiter ??= likeliestDelimiter(text.slice(at, end));
      if (quote !== -1 && quote < at) quote = text.indexOf('"', at);
      if (quote < 0 || quote > end) {
        this.#plainRecord(text, at, end);
        at = end + 1;
      } else {
        const next = this.#quotedRecord(text, at);
        if (next === undefined) break;
        at = next;
      }
    }
    const rest = text.slice(at);
    this.#parts = [rest];
    this.#length = rest.length;
    this.#enough = at === 0 ? Math.min(2 * rest.length, longestRecord + 1) : 0;
    if (rest.length > longestRecord) {
      throw this.#error(
        `expected a record of at most ${longestRecord} characters: its line or its quotes have no end.`,
      );
    }
  }

  /** The text has ended: its last line need not. */
  end(): void {
    if (this.#length > 0) {
      this.#parts.push("\n");
      this.#read();
    }
    if (this.#length > 0) throw this.#error("truncated: a field in quotes has no end.");
  }

  #plainRecord(text: string, at: number, end: number): void {
    const line = text.slice(at, text[end - 1] === "\r" && end > at ? end - 1 : end);
    const fields = line.split(this.#delimiter!);
    if (fields.length > 1 || line.trim() !== "") this.#listener(fields, this.#line);
    this.#line++;
  }

  /** Reads a record with quotes that begins at `at`; returns where the next begins, or undefined when its end is not there. */
  #quotedRecord(text: string, at: number): number | undefined {
    const delimiter = this.#delimiter!;
    const fields: string[] = [];
    let start = at;
    let lineEnd = -1;
    let lines = 1;
    for (;;) {
      let end: number;
      if (text[start] === '"') {
        const close = closingQuote(text, start + 1);
        if (close === undefined) return undefined;
        const field = text.slice(start + 1, close).replaceAll('""', '"');
        lines += field.split("\n").length - 1;
        fields.push(field);
        end = text.startsWith("\r\n", close + 1) ? close + 2 : close + 1;
        // The line's end, or its second half, is still to come.
        if (end === text.length || (text[end] === "\r" && end + 1 === text.length)) return undefined;
        if (text[end] !== delimiter && text[end] !== "\n") {
          throw this.#error(
            `field ${fields.length}: expected ${shown(delimiter)} or the line's end behind its quotes.`,
          );
        }
      } else {
        if (lineEnd < start) lineEnd = text.indexOf("\n", start);
        if (lineEnd < 0) return undefined;
        const fieldEnd = text.indexOf(delimiter, start);
        end = fieldEnd >= 0 && fieldEnd < lineEnd ? fieldEnd : lineEnd;
        const field = text.slice(start, end);
        fields.push(end === lineEnd && field.endsWith("\r") ? field.slice(0, -1) : field);
      }
      if (text[end] === "\n") {
        this.#listener(fields, this.#line);
        this.#line += lines;
        return end + 1;
      }
      start = end + 1;
    }
  }

  #error(what: string): DataError {
    return new DataError(`${this.#label}: line ${this.#line}: ${what}`);
  }
}

/** The first quote from `at` on that is not one of a pair; undefined when there is none, or none that is sure to be. */
function closingQuote(text: string, at: number): number | undefined {
  for (let quote = text.indexOf('"', at); quote >= 0 && quote + 1 < text.length; quote = text.indexOf('"', quote + 2)) {
    if (text[quote + 1] !== '"') return quote;
  }
  return undefined;
}

function likeliestDelimiter(line: string): string {
  const bare = line.replace(/"[^"]*"/g, "");
  const counts = [",", ";", "\t"].map((delimiter) => [bare.split(delimiter).length, delimiter] as const);
  return counts.reduce((best, each) => (each[0] > best[0] ? each : best))[1];
}

function shown(delimiter: string): string {
  return delimiter === "\t" ? "a tab" : `"${delimiter}"`;
}
