import type { Spec } from "vega";
import type { TopLevelSpec } from "vega-lite";

/**
 * Draws a Vega-Lite figure as SVG text, without a canvas: text widths are Vega's estimates.
 *
 * @throws Error where the specification is not one
 */
export async function svg(figure: TopLevelSpec): Promise<string> {
  // Half a second to load: only who draws a figure pays for it.
  const [{ parse, View }, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const view = new View(parse(compile(figure).spec as Spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
