import { describe, expect, test } from "vitest";
import type { TopLevelSpec } from "vega-lite";
import { figurePng } from "../../src/report/files.ts";
import { figureSvg } from "../../src/report/figure.ts";
import { ink } from "../../src/report/theme.ts";

const clipped = (top: number): TopLevelSpec => ({
  data: {
    values: [
      { x: 1, y: 2 },
      { x: 2, y: 9 },
      { x: 3, y: 4 },
    ],
  },
  width: 200,
  height: 120,
  mark: { type: "line", clip: true },
  encoding: {
    x: { field: "x", type: "quantitative", title: "δ" },
    y: { field: "y", type: "quantitative", title: "feature robustness (nats)", scale: { domain: [0, top] } },
  },
});

/** Width and height from a PNG's first chunk. */
function size(png: Uint8Array): [number, number] {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

describe("a figure", () => {
  test("is the same text each time it is drawn, whatever was drawn before", async () => {
    const first = await figureSvg(clipped(5));
    await figureSvg(clipped(6));
    const [again, other] = await Promise.all([figureSvg(clipped(5)), figureSvg(clipped(7))]);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test("refers to its own parts by names that no other figure has", async () => {
    const [one, two] = await Promise.all([figureSvg(clipped(5)), figureSvg(clipped(6))]);
    const names = (text: string) => [...text.matchAll(/ id="([^"]+)"/g)].map((match) => match[1] as string);
    const used = (text: string) => [...text.matchAll(/url\(#([^)]+)\)/g)].map((match) => match[1] as string);
    expect(names(one)).toHaveLength(1);
    expect(new Set(used(one))).toEqual(new Set(names(one)));
    expect(names(one)).not.toEqual(names(two));
  });

  test("is drawn in the theme, before which its own config goes", async () => {
    const themed = await figureSvg(clipped(5));
    expect(themed).toContain(ink.data);
    expect(themed).toContain("δ");
    const own = await figureSvg({ ...clipped(5), config: { line: { color: "#123456" } } });
    expect(own).toContain("#123456");
    expect(own).not.toContain(ink.data);
  });

  test("as PNG has its pixels times the scale, and ink in it", async () => {
    const svg = await figureSvg(clipped(5));
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg) as RegExpExecArray;
    const png = figurePng(svg, 3);
    expect([...png.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    expect(size(png)).toEqual([3 * Number(width), 3 * Number(height)]);
    // An empty picture of this size deflates to a fraction of it.
    const empty = figurePng(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"></svg>`, 3);
    expect(png.length).toBeGreaterThan(5 * empty.length);
  });
});
