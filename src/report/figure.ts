import type { Spec } from "vega";
import type { TopLevelSpec } from "vega-lite";
import { theme } from "./theme.ts";

/**
 * Draws a Vega-Lite figure as SVG text in the report's theme, without a canvas: text widths are Vega's estimates.
 *
 * The same specification gives the same text. What the figure refers to within itself (clips, gradients) has names of its own, so
 * that several figures can stand in one page.
 *
 * @param figure its own `config` goes before the theme's
 * @throws Error where the specification is not one
 */
export async function figureSvg(figure: TopLevelSpec): Promise<string> {
  // Half a second to load: only who draws a figure pays for it.
  const [{ parse, View }, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const view = new View(parse(compile(figure, { config: theme }).spec as Spec), { renderer: "none" });
  try {
    return withOwnNames(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/** Vega numbers its clips and gradients through all figures of a process: here each figure's are counted from 0. */
function withOwnNames(svg: string): string {
  const names = [...svg.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1] as string);
  if (names.length === 0) return svg;
  const placed = (name: (index: number) => string) =>
    names.reduce(
      (text, old, index) =>
        text.replaceAll(` id="${old}"`, ` id="${name(index)}"`).replaceAll(`url(#${old})`, `url(#${name(index)})`),
      svg,
    );
  const own = fingerprint(placed((index) => `\0${index}`));
  return placed((index) => `figure-${own}-${index}`);
}

/** FNV-1a of a text, 32 bits in hexadecimal. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
