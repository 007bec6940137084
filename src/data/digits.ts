import { gunzipSync } from "fflate";
import { DataError } from "../errors.ts";
import type { NamedArray } from "./dataset.ts";
import { crc32 } from "./zip.ts";

const samples = 1797;
const pixels = 64;
const brightest = 16;
const trainSamples = 1437;
/** Every pixel of two digits and a comma, a class and the line's end. */
const longestText = samples * (3 * pixels + 2);

export const digitsClasses: readonly string[] = Array.from("0123456789");

/** Which samples a split has: scikit-learn's order is kept, train is the first 1 437 and test the last 360. */
export const digitsSplits: Readonly<Record<string, readonly [start: number, end: number]>> = {
  train: [0, trainSamples],
  test: [trainSamples, samples],
};

/**
 * The embedded data set: 1 797 handwritten digits of 8×8 pixels, the test part of UCI's "Optical Recognition of
 * Handwritten Digits", in the order of scikit-learn's load_digits. `bytes` is examples/digits.csv.gz: 64 values of
 * 0 to 16 a line, then the class. x is float32 [n, 64], divided by 16: 0 to 1; y is int64 [n].
 * Without a split all samples. Throws DataError when the file is not that.
 */
export function parseDigits(bytes: Uint8Array, file: string, split?: string): NamedArray[] {
  const lines = unpacked(bytes, file).trim().split("\n");
  const x = new Float32Array(samples * pixels);
  const y = new BigInt64Array(samples);
  const damaged = (line: number, what: string) => new DataError(`${file}: line ${line}: damaged: ${what}.`);
  if (lines.length !== samples) throw damaged(lines.length, `expected ${samples} lines, have ${lines.length}`);
  for (const [sample, line] of lines.entries()) {
    const values = line.split(",").map(Number);
    if (values.length !== pixels + 1) throw damaged(sample + 1, `expected 65 numbers, have ${values.length}`);
    const label = values.pop()!;
    if (digitsClasses[label] === undefined) throw damaged(sample + 1, `expected a class of 0 to 9, came ${label}`);
    if (!values.every((value) => value >= 0 && value <= brightest)) throw damaged(sample + 1, "expected 0 to 16");
    for (const [pixel, value] of values.entries()) x[sample * pixels + pixel] = value / brightest;
    y[sample] = BigInt(label);
  }
  const [start, end] = (split !== undefined && digitsSplits[split]) || [0, samples];
  const n = end - start;
  return [
    {
      name: "x",
      type: "float32",
      dims: [n, pixels],
      data: x.subarray(start * pixels, end * pixels),
    },
    { name: "y", type: "int64", dims: [n], data: y.subarray(start, end) },
  ];
}

function unpacked(bytes: Uint8Array, file: string): string {
  const damaged = (what: string) => new DataError(`${file}: damaged gzip: ${what}.`);
  // The last eight bytes are a checksum and the length. fflate passes over the one and allocates what the other says.
  const end = bytes.length - 8;
  if (end < 0) throw damaged(`truncated: expected a checksum and a length, have ${bytes.length} bytes`);
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + end);
  const [checksum, length] = [trailer.getUint32(0, true), trailer.getUint32(4, true)];
  if (length > longestText) throw damaged(`byte ${end + 4}: expected at most ${longestText} bytes, it says ${length}`);
  let text: Uint8Array;
  try {
    text = gunzipSync(bytes);
  } catch (error) {
    throw damaged((error as Error).message);
  }
  if (crc32(text) !== checksum) throw damaged(`byte ${end}: its checksum does not fit its content`);
  return new TextDecoder().decode(text);
}
