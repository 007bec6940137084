import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { parseNpz } from "../../src/data/npz.ts";
import { compilePreprocess, preprocessing, writtenSteps } from "../../src/data/preprocess.ts";
import { count, type ElementType, type TypedArray } from "../../src/graph/tensor.ts";

const pillow = parseNpz(
  new Uint8Array(readFileSync(new URL("pillow-images.npz", import.meta.url))),
  "pillow-images.npz",
);

/** [height, width, channels] as planes. */
function planes(name: string): { dims: number[]; data: Uint8Array } {
  const { dims, data } = pillow.array(name);
  const [height, width, channels] = dims as [number, number, number];
  const turned = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++)
    turned[(i % channels) * height * width + Math.floor(i / channels)] = (data as Uint8Array)[i]!;
  return { dims: [channels, height, width], data: turned };
}

function apply(text: string, dims: readonly number[], data: TypedArray, type: ElementType = "uint8") {
  const { resolved, dims: made, write } = compilePreprocess(text, { name: "x", type, dims });
  const values = new Float32Array(count(made)).fill(-7);
  write(data, 0, values, 0);
  return { resolved, dims: made, values };
}

const photo = planes("photo");
const [, height, width] = photo.dims as [number, number, number];
const sizes = ["24x32", "53x20", "17x67", "100x131", "1x1", "7x90"];

describe("what Pillow makes of a photograph", () => {
  test.each(sizes)("resize=%s of bytes, to the last bit", (size) => {
    const { dims, values } = apply(`resize=${size}`, photo.dims, photo.data);
    const truth = planes(`resize-${size}`);
    expect(dims).toEqual(truth.dims);
    expect(values).toEqual(Float32Array.from(truth.data));
  });

  test.each(sizes)("resize=%s of float32, to the last bit", (size) => {
    const green = Float32Array.from(photo.data.subarray(height * width, 2 * height * width));
    const { values } = apply(`scale=255,resize=${size}`, [height, width], green, "float32");
    expect(values).toEqual(pillow.array(`resize-float-${size}`).data);
    const fromBytes = apply(`scale=255,resize=${size}`, [height, width], Uint8Array.from(green));
    expect(fromBytes.values).toEqual(values);
  });

  it("torchvision's Resize(40) and CenterCrop(33), lying and upright", () => {
    const truth = planes("resize-40-crop-33");
    const { dims, values } = apply("resize=40,crop=33", photo.dims, photo.data);
    expect(dims).toEqual([3, 33, 33]);
    expect(values).toEqual(Float32Array.from(truth.data));
    const turned = new Uint8Array(photo.data.length);
    // By 90° against the clock: row y of the new image is column width − 1 − y of the old.
    for (let plane = 0; plane < 3; plane++)
      for (let y = 0; y < width; y++)
        for (let x = 0; x < height; x++)
          turned[(plane * width + y) * height + x] = photo.data[(plane * height + x) * width + width - 1 - y]!;
    const upright = apply("resize=40,crop=33", [3, width, height], turned);
    expect(upright.values).toEqual(Float32Array.from(planes("resize-40-crop-33-upright").data));
  });

  it("channels=1 is its conversion to grey", () => {
    const { dims, values } = apply("channels=1", photo.dims, photo.data);
    expect(dims).toEqual([1, height, width]);
    expect(values).toEqual(Float32Array.from(pillow.array("luma").data as Uint8Array));
  });
});

/** float32 values up to 1, rounded after each of two passes, in units of 2^-24. */
const FLOAT32_ERROR = 3 * 2 ** -24;
/** Two passes that each round to a byte: the first's ½ is a mean of such, the second adds its own. */
const BYTE_ERROR = 1;

describe("the definition in float64, over all pixels at once", () => {
  /** Σ_ij w_y(i) w_x(j) v_ij with w_o(i) = max(0, 1 − |i + ½ − (o + ½)s| / max(s, 1)), normalised. */
  function defined(values: ArrayLike<number>, [h, w]: [number, number], [tall, wide]: [number, number]): number[] {
    const weight = (i: number, o: number, s: number) =>
      Math.max(0, 1 - Math.abs(i + 0.5 - (o + 0.5) * s) / Math.max(s, 1));
    return Array.from({ length: tall * wide }, (_, to) => {
      const [y, x] = [Math.floor(to / wide), to % wide];
      let [sum, norm] = [0, 0];
      for (let i = 0; i < h; i++) {
        for (let j = 0; j < w; j++) {
          const both = weight(i, y, h / tall) * weight(j, x, w / wide);
          sum += both * values[i * w + j]!;
          norm += both;
        }
      }
      return sum / norm;
    });
  }

  test.each([
    [9, 14],
    [20, 11],
    [60, 33],
    [53, 90],
    [1, 67],
  ] as [number, number][])("to %i × %i", (tall, wide) => {
    const red = photo.data.subarray(0, height * width);
    const truth = defined(red, [height, width], [tall, wide]);
    const bytes = apply(`resize=${tall}x${wide}`, [height, width], red).values;
    const floats = apply(`scale=255,resize=${tall}x${wide}`, [height, width], red).values;
    for (const [i, value] of truth.entries()) {
      expect(Math.abs(bytes[i]! - value)).toBeLessThanOrEqual(BYTE_ERROR);
      expect(Math.abs(floats[i]! - value / 255)).toBeLessThanOrEqual(FLOAT32_ERROR);
    }
  });
});

describe("values by hand", () => {
  it("half the width is the mean under a triangle of four pixels", () => {
    // Weights ¼ ¾ ¾ ¼ of the neighbours, at the edges cut off: (¾·0 + ¾·8 + ¼·16) / 1¾ and (¼·8 + ¾·16 + ¾·24) / 1¾.
    const { values } = apply("resize=1x2", [1, 4], Float32Array.of(0, 8, 16, 24), "float32");
    expect(values).toEqual(Float32Array.of(10 / 1.75, 32 / 1.75));
  });

  it("twice the width is linear between pixel centres", () => {
    const { values } = apply("resize=1x4", [1, 2], Float32Array.of(0, 8), "float32");
    expect(values).toEqual(Float32Array.of(0, 2, 6, 8));
  });

  it("bytes stay bytes until something is computed", () => {
    // 3 and 4 at ¾ and ¼: 3.25 and 3.75.
    const source = Uint8Array.of(3, 4);
    expect(apply("resize=1x4", [1, 2], source).values).toEqual(Float32Array.of(3, 3, 4, 4));
    expect(apply("scale=1,resize=1x4", [1, 2], source).values).toEqual(Float32Array.of(3, 3.25, 3.75, 4));
    expect(apply("resize=1x4", [1, 2], Uint16Array.of(3, 4), "uint16").values).toEqual(
      Float32Array.of(3, 3.25, 3.75, 4),
    );
    // Moving them about is no computing; a padding that is no byte is.
    expect(apply("shape=2x1,shape=1x2,resize=1x4", [1, 2], source).values).toEqual(Float32Array.of(3, 3, 4, 4));
    expect(apply("pad-value=4,pad=1,crop=1x2,resize=1x4", [1, 1], Uint8Array.of(3)).values).toEqual(
      Float32Array.of(4, 4, 3, 3),
    );
    expect(apply("pad-value=3.5,pad=1,crop=1x2,resize=1x4", [1, 1], Uint8Array.of(4)).values).toEqual(
      Float32Array.of(3.5, 3.625, 3.875, 4),
    );
  });

  it("the shorter side, the longer cut to a whole number", () => {
    expect(apply("resize=4", [1, 7, 5], new Uint8Array(35)).dims).toEqual([1, 5, 4]);
    expect(apply("resize=4", [1, 5, 7], new Uint8Array(35)).dims).toEqual([1, 4, 5]);
    expect(apply("resize=4", [2, 5, 5], new Uint8Array(50)).dims).toEqual([2, 4, 4]);
  });

  it("crop keeps the middle; an odd rest is halved to the even side", () => {
    const row = (n: number) => Uint8Array.from({ length: n }, (_, i) => i);
    // (n − 2) / 2 is 0.5, 1.5 and 2.5: Python's round gives 0, 2 and 2.
    expect(apply("crop=1x2", [1, 3], row(3)).values).toEqual(Float32Array.of(0, 1));
    expect(apply("crop=1x2", [1, 5], row(5)).values).toEqual(Float32Array.of(2, 3));
    expect(apply("crop=1x2", [1, 7], row(7)).values).toEqual(Float32Array.of(2, 3));
    expect(apply("crop=2", [2, 2, 3], row(12)).values).toEqual(Float32Array.of(0, 1, 3, 4, 6, 7, 9, 10));
  });

  it("grey of equal channels is what they were", () => {
    const sixteen = Uint16Array.of(65535, 1, 65535, 1, 65535, 1);
    expect(apply("channels=1", [3, 1, 2], sixteen, "uint16").values).toEqual(Float32Array.of(65535, 1));
    expect(apply("scale=255,channels=1", [3, 1, 1], Uint8Array.of(255, 0, 0)).values).toEqual(
      Float32Array.of(19595 / 65536),
    );
  });

  it("writes into the middle of a batch, from the middle of the data, through several passes", () => {
    const { write } = compilePreprocess("resize=1x4,scale=2,resize=1x2", { name: "x", type: "uint8", dims: [1, 2] });
    const batch = new Float32Array(6);
    write(Uint8Array.of(9, 9, 4, 4, 9, 9), 2, batch, 2);
    expect(batch).toEqual(Float32Array.of(0, 0, 2, 2, 0, 0));
  });
});

test("steps compiled for shape after shape give what each alone gives", () => {
  const text = "resize=6,crop=5,scale=255,mean=.1:.2:.3,layout=nhwc";
  const make = preprocessing(writtenSteps(text));
  // More shapes than are kept, and back again.
  const shapes = Array.from({ length: 40 }, (_, i) => [3, 6 + (i % 20), 30 - (i % 20)]);
  for (const dims of shapes) {
    const data = Uint8Array.from({ length: count(dims) }, (_, i) => (i * 31) % 256);
    const { write, dims: made, resolved } = make({ name: "x", type: "uint8", dims });
    const values = new Float32Array(count(made));
    write(data, 0, values, 0);
    expect(resolved).toBe("resize=6,crop=5,scale=255,mean=0.1:0.2:0.3,layout=nhwc");
    expect(values).toEqual(apply(text, dims, data).values);
  }
});

test("the canonical form reads as itself", () => {
  const { resolved } = apply(" resize=08x9 ,crop=07,channels=01", [3, 10, 10], new Uint8Array(300));
  expect(resolved).toBe("resize=8x9,crop=7,channels=1");
  expect(apply(resolved, [3, 10, 10], new Uint8Array(300)).resolved).toBe(resolved);
});
