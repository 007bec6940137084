import { createHash } from "node:crypto";

/** Hexadecimal digits of a key: 128 bits, too many for two contents to share one. */
const DIGITS = 32;

/** A name that follows from the content: the same for the same JSON value, whatever the order of its keys. */
export function contentKey(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex").slice(0, DIGITS);
}

/** JSON with sorted keys; what JSON leaves out (undefined) is left out. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : part,
  );
}
