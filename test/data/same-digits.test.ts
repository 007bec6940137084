import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zlibSync } from "fflate";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseNpz } from "../../src/data/npz.ts";
import { measure } from "../../src/measure.ts";
import { png } from "./png-bytes.ts";

/** The same batches: every bit is the same. */
const SAME = 0;
/** A folder has its samples class by class: a float32 product is summed otherwise in another batch. */
const OTHER_ORDER = 1e-7;

const golden = new URL("../golden/digits-mlp-relu/", import.meta.url).pathname;
const model = join(golden, "model.onnx");
const npz = parseNpz(new Uint8Array(readFileSync(join(golden, "batch.npz"))), "batch.npz");
const x = npz.array("x").data as Float32Array;
const labels = Array.from(npz.array("y").data as BigInt64Array, Number);
/** Pixels of 0 to 16, as the digits were before they were divided. */
const rows = labels.map((_, i) => Array.from(x.subarray(64 * i, 64 * (i + 1)), (value) => 16 * value));
const images = rows.map((pixels) => {
  const filtered = Array.from({ length: 8 }, (_, row) => [0, ...pixels.slice(8 * row, 8 * row + 8)]);
  return png({ width: 8, height: 8 }, zlibSync(Uint8Array.from(filtered.flat())));
});
const names = Array.from("0123456789", (digit) => `digit ${digit}`);

describe("64 digits give the same relative flatness", () => {
  const folder = mkdtempSync(join(tmpdir(), "flatness-digits-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  let expected: readonly number[];
  const values = async (data: string, preprocess: string, classes?: readonly string[]) => {
    const { result } = await measure(model, data, { preprocess, threads: 1 });
    expect(result.data.classes).toEqual(classes);
    expect(result.data.preprocess).toBe(preprocess);
    expect(result.loss.accuracy).toBe(0.9375);
    return [...result.results.map(({ value }) => value), result.loss.value];
  };
  beforeAll(async () => {
    const { result } = await measure(model, join(golden, "batch.npz"), { threads: 1 });
    expected = [...result.results.map(({ value }) => value), result.loss.value];
    expect(expected.length).toBeGreaterThan(9);
  });
  const check = (came: readonly number[], tolerance: number) => {
    for (const [i, value] of expected.entries()) {
      expect(Math.abs(came[i]! / value - 1)).toBeLessThanOrEqual(tolerance);
    }
  };

  test("as a folder of images", async () => {
    for (const [i, label] of labels.entries()) {
      mkdirSync(join(folder, "images", names[label]!), { recursive: true });
      writeFileSync(join(folder, "images", names[label]!, `${i}.png`), images[i]!);
    }
    check(await values(join(folder, "images"), "channels=1,scale=16,flatten", names), OTHER_ORDER);
  });

  test("as a Hugging Face data set", async () => {
    const path = join(folder, "train-00000-of-00001.parquet");
    const data = new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: "image", data: images.map((bytes) => ({ bytes, path: null })) },
          { name: "label", data: labels.map(BigInt) },
        ],
        schema: [
          { name: "root", num_children: 2 },
          { name: "image", repetition_type: "OPTIONAL", num_children: 2 },
          { name: "bytes", repetition_type: "OPTIONAL", type: "BYTE_ARRAY" },
          { name: "path", repetition_type: "OPTIONAL", type: "BYTE_ARRAY", converted_type: "UTF8" },
          { name: "label", repetition_type: "OPTIONAL", type: "INT64" },
        ],
        rowGroupSize: 10,
      }),
    );
    writeFileSync(path, data);
    check(await values(path, "channels=1,scale=16,flatten"), SAME);
  });

  test("as lists of bytes in Parquet", async () => {
    const path = join(folder, "lists.parquet");
    const data = parquetWriteBuffer({
      columnData: [
        { name: "pixels", data: rows },
        { name: "label", data: Int32Array.from(labels) },
      ],
      schema: [
        { name: "root", num_children: 2 },
        { name: "pixels", repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        { name: "item", repetition_type: "OPTIONAL", type: "INT32", converted_type: "UINT_8" },
        { name: "label", repetition_type: "REQUIRED", type: "INT32" },
      ],
      rowGroupSize: 16,
    });
    writeFileSync(path, new Uint8Array(data));
    check(await values(path, "scale=16"), SAME);
  });
});
