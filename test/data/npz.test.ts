import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { zipSync } from "fflate";
import { describe, expect, it, test } from "vitest";
import { npyBytes } from "../../src/data/npy.ts";
import { npzBytes, parseNpz } from "../../src/data/npz.ts";
import { DataError } from "../../src/errors.ts";

const read = (path: string) => new Uint8Array(readFileSync(new URL(path, import.meta.url)));
const text = (words: string) => new TextEncoder().encode(words);
const pair = {
  x: { type: "float32", dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
  y: { type: "int64", dims: [2], data: BigInt64Array.of(0n, 9n) },
} as const;

describe("files that NumPy wrote", () => {
  const numpy = parseNpz(read("numpy-arrays.npz"), "numpy-arrays.npz");

  it("has every type in both byte orders and both memory orders", () => {
    expect(numpy.names.length).toBe(12 * 2 * 2);
  });

  test.each(numpy.names)("%s holds 0 to 23", (name) => {
    const array = numpy.array(name);
    expect(array.dims).toEqual([2, 3, 4]);
    const expected = Array.from({ length: 24 }, (_, i) => (name.startsWith("b1") ? i % 2 : i));
    expect(Array.from(array.data as ArrayLike<number | bigint>, Number)).toEqual(expected);
  });
});

/** −log softmax(z)_y in float64. */
function crossEntropy(logits: Float64Array, label: number): number {
  const largest = Math.max(...logits);
  return largest + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - largest), 0)) - logits[label]!;
}

// The losses were computed by PyTorch from arrays that NumPy wrote: 1e-12 leaves room for the order of summation.
const lossTolerance = 1e-12;
const golden = [
  "digits-mlp-relu",
  "digits-mlp-tanh",
  "digits-cnn-gelu-bn",
  "mini-resnet",
  "lenet5-fashion/net00-batch64",
  "mini-gpt",
];

test.each(golden)("golden %s: the loss of logits_f64 and y is that of truth.json", (folder) => {
  const npz = parseNpz(read(`../golden/${folder}/batch.npz`), "batch.npz");
  const truth = JSON.parse(new TextDecoder().decode(read(`../golden/${folder}/truth.json`))) as {
    mean_loss: number;
    n: number;
  };
  const logits = npz.array("logits_f64").data as Float64Array;
  const y = npz.array("y").data as BigInt64Array;
  const classes = logits.length / y.length;
  let loss = 0;
  for (const [i, label] of y.entries()) {
    loss += crossEntropy(logits.subarray(i * classes, (i + 1) * classes), Number(label)) / y.length;
  }
  expect(npz.array("x").dims[0]).toBe(truth.n);
  expect(Math.abs(loss - truth.mean_loss)).toBeLessThan(lossTolerance);
});

test("the golden folder has no batch.npz that this cannot read", () => {
  const folder = new URL("../golden/", import.meta.url);
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith(".npz"));
  for (const path of files) {
    const npz = parseNpz(read(`../golden/${path}`), path);
    for (const name of npz.names) expect(npz.array(name).data.length).toBeGreaterThan(0);
  }
  expect(files.length).toBeGreaterThanOrEqual(8);
});

describe("writing", () => {
  it("what is written is read again, in this order", () => {
    const npz = parseNpz(npzBytes(pair), "a.npz");
    expect(npz.names).toEqual(["x", "y"]);
    expect(npz.array("x")).toEqual({ name: "x", ...pair.x });
    expect(npz.array("y")).toEqual({ name: "y", ...pair.y });
  });

  it("gives the same bytes every time", () => {
    expect(npzBytes(pair)).toEqual(npzBytes(pair));
  });
});

describe("members", () => {
  it("what is no .npy is passed over", () => {
    const zip = zipSync({ "README.txt": text("hello"), "x.npy": npyBytes(pair.x) });
    expect(parseNpz(zip, "a.npz").names).toEqual(["x"]);
  });

  it("an empty zip file has no arrays", () => {
    const npz = parseNpz(zipSync({}), "a.npz");
    expect(npz.names).toEqual([]);
  });

  it("a comment at the end of the zip file", () => {
    const commented = Uint8Array.of(...npzBytes(pair), ...text("made by hand"));
    commented[commented.length - 14] = 12;
    expect(parseNpz(commented, "a.npz").array("x").data).toEqual(pair.x.data);
  });

  it("an array that is not there", () => {
    expect(() => parseNpz(npzBytes(pair), "a.npz").array("z")).toThrow(
      new DataError("a.npz: no array z. It has: x, y."),
    );
  });
});

describe("damaged files", () => {
  const batch = read("../golden/lenet5-fashion/net00-batch64/batch.npz");
  const stored = npzBytes({ x: pair.x });
  const deflated = zipSync({ "x.npy": npyBytes({ type: "uint8", dims: [4000], data: new Uint8Array(4000) }) });
  const local = 30 + "x.npy".length;
  const directory = (zip: Uint8Array) => zip.length - 22 - 46 - "x.npy".length;
  const patched = (zip: Uint8Array, at: number, ...bytes: number[]) => {
    const copy = zip.slice();
    copy.set(bytes, at);
    return copy;
  };
  const cases: [name: string, bytes: Uint8Array, message: string][] = [
    [
      "cut",
      batch.subarray(0, 5000),
      "x.npz: truncated, or not a zip file: expected an end of central directory, found none.",
    ],
    [
      "empty",
      new Uint8Array(0),
      "x.npz: truncated, or not a zip file: expected an end of central directory, found none.",
    ],
    [
      "an .npy inside that is cut",
      zipSync({ "x.npy": npyBytes(pair.x).subarray(0, 140) }),
      "x.npz: x.npy: truncated: expected 16 bytes of data after byte 128, have 12.",
    ],
    [
      "a changed value",
      patched(stored, local + 130, 77),
      "x.npz: x.npy: damaged: its checksum does not fit its content.",
    ],
    [
      "a changed deflate block",
      patched(deflated, local, 0xff),
      "x.npz: x.npy: damaged: it cannot be inflated: invalid block type.",
    ],
    [
      "an impossible size",
      patched(deflated, directory(deflated) + 24, 0, 0, 0, 0x7f),
      `x.npz: x.npy: damaged: ${deflated.length - 22 - 46 - 5 - local} bytes cannot hold the 2130706432 that the directory says.`,
    ],
    [
      "a size that is too large",
      patched(deflated, directory(deflated) + 24, 0xff, 0x10),
      "x.npz: x.npy: damaged: expected 4351 bytes when inflated, have 4128.",
    ],
    [
      "an unknown method",
      patched(stored, directory(stored) + 10, 14),
      "x.npz: x.npy: compression method 14: expected 0 (stored) or 8 (deflated).",
    ],
    [
      "a password",
      patched(stored, directory(stored) + 8, 1),
      "x.npz: x.npy: encrypted, which is not supported: write it without a password.",
    ],
    [
      "zip64",
      patched(stored, directory(stored) + 24, 255, 255, 255, 255),
      "x.npz: x.npy: zip64 (4 GiB or more) is not supported: write the arrays to several smaller files.",
    ],
    [
      "zip64 of the directory",
      patched(stored, stored.length - 6, 255, 255, 255, 255),
      "x.npz: zip64 (4 GiB or more) is not supported: write the arrays to several smaller files.",
    ],
    [
      "a wrong place of the member",
      patched(stored, directory(stored) + 42, 1),
      "x.npz: x.npy: byte 1: damaged: expected the member's header.",
    ],
    [
      "a wrong place of the directory",
      patched(stored, stored.length - 6, 1),
      "x.npz: byte 1: damaged: expected entry 1 of 1 of the directory.",
    ],
    [
      "a name that leaves the directory",
      patched(stored, directory(stored) + 28, 255),
      `x.npz: byte ${directory(stored)}: damaged: entry 1 leaves the directory.`,
    ],
  ];
  test.each(cases)("%s", (_, bytes, message) => {
    expect(() => parseNpz(bytes, "x.npz").array("x")).toThrow(new DataError(message));
  });

  it("a file with some bytes changed gives the same arrays or a DataError, never anything else", () => {
    const files = [
      stored,
      deflated,
      zipSync({
        "x.npy": npyBytes({
          type: "uint8",
          dims: [900],
          data: Uint8Array.from({ length: 900 }, (_, i) => (i * i) % 251),
        }),
      }),
    ];
    const change = fc.array(
      fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat({ max: 255 })),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    let refused = 0;
    fc.assert(
      fc.property(fc.constantFrom(...files), change, (file, changes) => {
        const bytes = file.slice();
        for (const [place, byte] of changes) bytes[Math.floor(place * bytes.length)] = byte;
        try {
          expect(parseNpz(bytes, "x.npz").array("x")).toEqual(parseNpz(file, "x.npz").array("x"));
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
          refused++;
        }
      }),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(500);
  });
});
