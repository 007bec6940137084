import { Resvg } from "@resvg/resvg-js";
import { UsageError } from "../errors.ts";

/** Families that are looked for where a figure's own is absent; they have Greek letters and superscripts. */
const FALLBACK = "DejaVu Sans";
/** Pixels of the picture for each of the figure's: sharp on paper and on dense screens. */
const SCALE = 2;

const LETTER = '<svg xmlns="http://www.w3.org/2000/svg"><text y="20">k</text></svg>';

/** Whether a letter leaves a mark, once it was tried: reading the machine's fonts takes time. */
let lettered: boolean | undefined;

/**
 * A figure as a PNG picture, for documents that take no SVG. Letters are the machine's own fonts.
 *
 * @param svg what `figureSvg` drew
 * @param scale pixels of the picture for each of the figure's
 * @throws UsageError where the machine has no font to draw letters with
 */
export function figurePng(svg: string, scale = SCALE): Uint8Array {
  const options = { fitTo: { mode: "zoom" as const, value: scale }, font: { defaultFontFamily: FALLBACK } };
  lettered ??= new Resvg(LETTER, options).getBBox() !== undefined;
  if (!lettered) {
    throw new UsageError(
      "no font is installed to draw a PNG's letters with; install one such as DejaVu Sans, or take the SVG.",
    );
  }
  return new Uint8Array(new Resvg(svg, options).render().asPng());
}
