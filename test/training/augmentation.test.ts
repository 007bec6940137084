import { describe, expect, test } from "vitest";
import { RandomStream } from "../../src/statistics/random.ts";
import { augmentationOf } from "../../src/training/augmentation.ts";

/** Two channels of 2×3. */
const dims = [2, 2, 3];
const image = Float32Array.of(1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60);
const mirrored = [3, 2, 1, 6, 5, 4, 30, 20, 10, 60, 50, 40];

/** What becomes of the image in many draws, how often each. */
function results(settings: { flip: boolean; crop: number }, draws: number): Map<string, number> {
  const augment = augmentationOf(settings, dims)!;
  const stream = new RandomStream(3, "images");
  const seen = new Map<string, number>();
  for (let draw = 0; draw < draws; draw++) {
    // What a batch had before must not shine through.
    const target = new Float32Array(image.length).fill(Number.NaN);
    augment(image, target, stream);
    seen.set([...target].join(), (seen.get([...target].join()) ?? 0) + 1);
  }
  return seen;
}

describe("augmentation", () => {
  test("mirrors half of the images, columns and nothing else", () => {
    const seen = results({ flip: true, crop: 0 }, 1000);
    expect([...seen.keys()].toSorted()).toEqual([[...image].join(), mirrored.join()].toSorted());
    // 4 standard errors of a fair coin: 4 √(1000/4).
    expect(Math.abs(seen.get(mirrored.join())! - 500)).toBeLessThan(64);
  });

  test("shifts by up to so many pixels each way, each as likely, and fills with 0", () => {
    const shifts = [-1, 0, 1];
    const shifted = shifts.flatMap((down) =>
      shifts.map((right) =>
        Array.from(image, (_, place) => {
          const [channel, row, column] = [Math.floor(place / 6), Math.floor(place / 3) % 2, place % 3];
          const [from, across] = [row + down, column + right];
          return from < 0 || from > 1 || across < 0 || across > 2 ? 0 : image[channel * 6 + from * 3 + across]!;
        }).join(),
      ),
    );
    expect(shifted).toContain("5,6,0,0,0,0,50,60,0,0,0,0");
    const seen = results({ flip: false, crop: 1 }, 1800);
    expect([...seen.keys()].toSorted()).toEqual(shifted.toSorted());
    // Each in a ninth of the draws: 4 √(1800 · 8/81).
    for (const often of seen.values()) expect(Math.abs(often - 200)).toBeLessThan(54);
  });

  test("both at once give each shift of each mirror image", () => {
    expect(results({ flip: true, crop: 1 }, 2000).size).toBe(18);
  });

  test("nothing is asked for, nothing is done; samples that are no images are refused", () => {
    expect(augmentationOf({ flip: false, crop: 0 }, dims)).toBeUndefined();
    expect(() => augmentationOf({ flip: true, crop: 0 }, [64])).toThrow(
      /^augmentation: expected images \[channels, height, width\], the data has samples of shape \[64\]$/,
    );
  });
});
