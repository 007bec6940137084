import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseDigits } from "../../src/data/digits.ts";
import { readIdx, readIdxSplit } from "../../src/data/idx.ts";
import { npyBytes, parseNpy } from "../../src/data/npy.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { survivesMutations } from "../mutations.ts";
import { pageFile } from "./memory-files.ts";

const numpyArrays = new Uint8Array(readFileSync(new URL("./numpy-arrays.npz", import.meta.url)));

describe("damaged NumPy files are read or refused", () => {
  test("npz", async () => {
    await survivesMutations(numpyArrays, (damaged) => {
      const npz = parseNpz(damaged, "damaged.npz");
      for (const name of npz.names) npz.array(name);
    });
  });

  test("npy", async () => {
    const { names, array } = parseNpz(numpyArrays, "numpy-arrays.npz");
    const [name] = names.filter((each) => array(each).dims.length > 1);
    const bytes = npyBytes(array(name!));
    await survivesMutations(bytes, (damaged) => parseNpy(damaged, "damaged.npy"));
  });
});

/** 20 images of 6×5 pixels and their labels. */
const images = idx([20, 6, 5]);
const labels = idx([20]);

function idx(dims: number[]): Uint8Array {
  const data = Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, i) => (i * 31) % 10);
  return Uint8Array.from([0, 0, 0x08, dims.length, ...dims.flatMap((dim) => [0, 0, 0, dim]), ...data]);
}

describe("damaged IDX files are read or refused", () => {
  test("plain", async () => {
    await survivesMutations(images, (damaged) => readIdx(pageFile("images", damaged), "x"));
  });

  test("in gzip", async () => {
    const packed = new Uint8Array(gzipSync(images));
    const read = (damaged: Uint8Array) => readIdx(pageFile("images.gz", damaged), "x");
    await survivesMutations(packed, read, { holds: images.length });
  });

  test("labels beside whole images", async () => {
    const read = (damaged: Uint8Array) => readIdxSplit(pageFile("images", images), pageFile("labels", damaged));
    await survivesMutations(labels, read, { holds: images.length });
  });
});

test("the embedded digits, damaged, are read or refused", async () => {
  const bytes = new Uint8Array(readFileSync(new URL("../../examples/digits.csv.gz", import.meta.url)));
  const [x, y] = parseDigits(bytes, "digits.csv.gz");
  const holds = x!.data.byteLength + y!.data.byteLength;
  const { refused } = await survivesMutations(bytes, (damaged) => parseDigits(damaged, "damaged.csv.gz"), { holds });
  expect(refused).toBeGreaterThan(1000);
});
