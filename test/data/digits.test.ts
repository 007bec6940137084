import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parseDigits } from "../../src/data/digits.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { openDataset } from "../../src/data/open.ts";
import { DataError, UsageError } from "../../src/errors.ts";

const read = (path: string) => new Uint8Array(readFileSync(new URL(path, import.meta.url)));
const whole = Array.from({ length: 1797 }, (_, i) => i);

async function digits(split?: string) {
  const data = await openDataset("example:digits", { split });
  const batch = await data.read(whole.slice(0, data.n));
  return { data, x: batch.get("x")!.data as Float32Array, y: batch.get("y")!.data as BigInt64Array };
}

describe("example:digits", () => {
  it("has 1 797 samples, the first of which is scikit-learn's", async () => {
    const { data, x, y } = await digits();
    expect(data).toMatchObject({ source: "example:digits", n: 1797, preprocess: "", split: undefined });
    expect(data.fields).toEqual([
      { name: "x", type: "float32", dims: [64] },
      { name: "y", type: "int64", dims: [] },
    ]);
    expect(data.classes).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    expect(Array.from(x.subarray(0, 16), (value) => value * 16)).toEqual([
      0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0,
    ]);
    expect(Array.from(y.subarray(0, 10), Number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // The counts of load_digits().target.
    const counts = Array.from("0123456789", (digit) => y.filter((label) => label === BigInt(digit)).length);
    expect(counts).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
  });

  it("holds the 64 samples of the golden batch, bit for bit, with their labels", async () => {
    const { x, y } = await digits();
    const key = (row: Float32Array, label: bigint) => `${row.join()} ${label}`;
    const known = new Set(whole.map((i) => key(x.subarray(i * 64, i * 64 + 64), y[i]!)));
    const golden = parseNpz(read("../golden/digits-mlp-relu/batch.npz"), "batch.npz");
    const goldenX = golden.array("x").data as Float32Array;
    const goldenY = golden.array("y").data as BigInt64Array;
    const found = Array.from(goldenY, (label, i) => known.has(key(goldenX.subarray(i * 64, i * 64 + 64), label)));
    expect(found).toEqual(Array(64).fill(true));
  });

  it("train and test are the first 1 437 and the last 360", async () => {
    const all = await digits();
    const train = await digits("train");
    const test = await digits("test");
    expect([train.data.n, test.data.n, train.data.split]).toEqual([1437, 360, "train"]);
    expect(train.x.join()).toBe(all.x.subarray(0, 1437 * 64).join());
    expect(test.x.join()).toBe(all.x.subarray(1437 * 64).join());
    expect([...train.y, ...test.y]).toEqual([...all.y]);
  });

  it("takes the shape of a convolutional network", async () => {
    const data = await openDataset("example:digits", { preprocess: "shape=1x8x8" });
    expect(data.fields[0]).toEqual({ name: "x", type: "float32", dims: [1, 8, 8] });
  });

  it("no such split, no such example", async () => {
    await expect(digits("valid")).rejects.toThrow(
      new UsageError("example:digits: no split valid. It has: train, test."),
    );
    await expect(openDataset("example:mnist")).rejects.toThrow(
      new UsageError("example:mnist: no such example. There is: example:digits."),
    );
  });

  it("damaged files", () => {
    const csv = gunzipSync(read("../../examples/digits.csv.gz")).toString();
    const parse = (text: string) => () => parseDigits(new Uint8Array(gzipSync(text)), "digits.csv.gz");
    expect(parse(csv.slice(0, 5000))).toThrow(
      new DataError(
        `digits.csv.gz: line ${csv.slice(0, 5000).split("\n").length}: damaged: expected 1797 lines, have ${csv.slice(0, 5000).split("\n").length}.`,
      ),
    );
    expect(parse(csv.replace("0,0,5,13", "0,0,5,17"))).toThrow(
      new DataError("digits.csv.gz: line 1: damaged: expected 0 to 16."),
    );
    expect(parse(csv.replace("0,0,5,13", "0,5,13"))).toThrow(
      new DataError("digits.csv.gz: line 1: damaged: expected 65 numbers, have 64."),
    );
    expect(parse(csv.replace(/,0\n/, ",11\n"))).toThrow(
      new DataError("digits.csv.gz: line 1: damaged: expected a class of 0 to 9, came 11."),
    );
    const packed = new Uint8Array(gzipSync(csv));
    const at = (place: number, byte: number) => () => parseDigits(packed.with(place, byte), "digits.csv.gz");
    expect(at(packed.length - 1, 0x7f)).toThrow(
      new DataError(
        `digits.csv.gz: damaged gzip: byte ${packed.length - 4}: expected at most 348618 bytes, it says ${0x7f000000 + csv.length}.`,
      ),
    );
    expect(at(packed.length - 8, packed.at(-8)! ^ 1)).toThrow(
      new DataError(`digits.csv.gz: damaged gzip: byte ${packed.length - 8}: its checksum does not fit its content.`),
    );
    expect(() => parseDigits(new Uint8Array(5), "digits.csv.gz")).toThrow(
      new DataError("digits.csv.gz: damaged gzip: truncated: expected a checksum and a length, have 5 bytes."),
    );
    expect(() => parseDigits(new Uint8Array(30), "digits.csv.gz")).toThrow(
      new DataError("digits.csv.gz: damaged gzip: invalid gzip data."),
    );
  });
});
