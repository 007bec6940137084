import { InvalidArgumentError, Option } from "commander";

// The options that several commands share; their parsers fail with commander's own message.

export type Format = "table" | "json" | "csv";

export function formatOption(choices: readonly Format[] = ["table", "json", "csv"]): Option {
  return new Option("--format <format>", "how the result is printed").choices(choices).default("table");
}

export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || !Number.isSafeInteger(value)) {
      throw new InvalidArgumentError(`expected a whole number of at least ${least}.`);
    }
    return value;
  };
}

export function integer(text: string): number {
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new InvalidArgumentError("expected a whole number.");
  return Number(text);
}

/** A number between 0 and 1, such as 0.02. */
export function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError("expected a number between 0 and 1, such as 0.02.");
  return value;
}

/** `a,b,c`; a single `all` (or `last`) stands alone. */
export function nameList<Special extends string>(...special: Special[]): (text: string) => Special | string[] {
  return (text) => {
    const names = text
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
    if (names.length === 0) throw new InvalidArgumentError("expected a name, or several with commas between.");
    const [first] = names;
    return names.length === 1 && special.includes(first as Special) ? (first as Special) : names;
  };
}

/** Collects `NAME=VALUE` of a repeated option. */
export function assignment(text: string, known: Record<string, string> = {}): Record<string, string> {
  const split = text.indexOf("=");
  if (split < 1 || split === text.length - 1) throw new InvalidArgumentError("expected NAME=ARRAY.");
  return { ...known, [text.slice(0, split)]: text.slice(split + 1) };
}
