import fc from "fast-check";
import { expect } from "vitest";
import { DataError, ModelError, UsageError } from "../src/errors.ts";

/** Damaged files a reader: enough that each of a small file's header bytes is hit many times. */
const RUNS = 2000;
/** A read of a damaged file that takes the processor this long hangs; time on the wall would count what else the machine does. */
const LONGEST_MS = 2000;
/** No reader allocates more than this multiple of what it may legitimately hold. */
const MEMORY_FACTOR = 4;
/** Fixed buffers: chunks of a stream, tables of a decoder. */
const FIXED_BYTES = 512 * 1024;

/** A place as a share of the file's length, so that it fits a file of any length; all places alike, which fc.double is not. */
const anywhere = fc.noBias(fc.nat({ max: 2 ** 24 })).map((steps) => steps / 2 ** 24);
const nearTheStart = anywhere.map((share) => 0.02 * share);

/** One kind of damage. */
const damage = fc.oneof(
  ...[anywhere, nearTheStart].map((at) => fc.record({ kind: fc.constant("overwrite"), at, bytes: someBytes() })),
  fc.record({ kind: fc.constantFrom("insert", "remove", "cut"), at: anywhere, bytes: someBytes() }),
);

function someBytes() {
  return fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 8 }),
    fc.constantFrom(
      Uint8Array.of(0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0xff, 0xff, 0xff, 0x7f),
      Uint8Array.of(0, 0, 0, 0),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
    ),
  );
}

/**
 * Reads thousands of damaged copies of a real file: each is read, or refused with the errors that a user is shown, in bounded time,
 * and allocates typed arrays of at most four times what the file may hold.
 *
 * @param read opens the bytes and reads everything in them
 * @param holds bytes that the undamaged file makes when decoded, where that is more than its own length
 */
export async function survivesMutations(
  original: Uint8Array,
  read: (bytes: Uint8Array) => unknown,
  { runs = RUNS, holds = 0 }: { runs?: number; holds?: number } = {},
): Promise<{ refused: number }> {
  let refused = 0;
  const most = MEMORY_FACTOR * Math.max(original.length, holds) + FIXED_BYTES;
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
      const bytes = damages.reduce(damaged, original);
      const started = process.cpuUsage();
      const counter = countAllocations();
      try {
        await read(bytes);
      } catch (error) {
        if (!isExpected(error)) throw error;
        refused++;
      } finally {
        counter.stop();
      }
      expect(counter.bytes, "bytes of typed arrays allocated").toBeLessThanOrEqual(
        most + 4 * (bytes.length - original.length),
      );
      expect(milliseconds(process.cpuUsage(started)), "milliseconds of the processor").toBeLessThan(LONGEST_MS);
    }),
    { numRuns: runs, seed: 1 },
  );
  // Damage that nothing notices would mean that nothing was read.
  expect(refused).toBeGreaterThan(0);
  return { refused };
}

/** What a piece of work took the processor. */
export function milliseconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}

function isExpected(error: unknown): boolean {
  return error instanceof DataError || error instanceof ModelError || error instanceof UsageError;
}

function damaged(
  bytes: Uint8Array,
  { kind, at, bytes: patch }: { kind: string; at: number; bytes: Uint8Array },
): Uint8Array {
  const place = Math.min(bytes.length, Math.floor(at * bytes.length));
  if (kind === "cut") return bytes.slice(0, place);
  if (kind === "remove") return joined(bytes.subarray(0, place), bytes.subarray(place + patch.length));
  if (kind === "insert") return joined(bytes.subarray(0, place), patch, bytes.subarray(place));
  const copy = bytes.slice();
  copy.set(patch.subarray(0, bytes.length - place), place);
  return copy;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const counted = [
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
] as const;

/** Sums the bytes of typed arrays made by length until it is stopped. */
function countAllocations(): { bytes: number; stop(): void } {
  const scope = globalThis as unknown as Record<string, new (...args: never[]) => object>;
  const originals = counted.map((name) => [name, scope[name]!] as const);
  const counter = {
    bytes: 0,
    stop() {
      for (const [name, original] of originals) scope[name] = original;
    },
  };
  for (const [name, original] of originals) {
    scope[name] = new Proxy(original, {
      construct(target, args, newTarget) {
        const made = Reflect.construct(target, args, newTarget) as ArrayBufferView;
        if (!(args[0] instanceof ArrayBuffer)) counter.bytes += made.byteLength;
        return made;
      },
    });
  }
  return counter;
}
