import type { TopLevelSpec } from "vega-lite";
import { printable } from "./labels.ts";
import { type Content, Markup, markup } from "./markup.ts";
import { style } from "./style.ts";
import { figureSvg } from "./figure.ts";

/** A self-contained page: its styles are in it, it holds no script and refers to nothing outside. */
export function page(
  title: string,
  subject: string,
  content: Markup,
  question = "How flat is the loss surface of",
): string {
  return markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${printable(title)}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
<header><p>${question}</p><h1>${printable(subject)}</h1></header>
${content}
</main>
</body>
</html>
`.text;
}

/** A figure drawn into the page. */
export async function drawn(figure: TopLevelSpec): Promise<Markup> {
  return markup`<figure aria-label="${figure.description ?? ""}">${new Markup(await figureSvg(figure))}</figure>`;
}

/** A line of cards: a term, a value, and a fainter line below. */
export function factList(facts: readonly (readonly [term: string, first: Content, second: Content])[]): Markup {
  return markup`<dl class="facts">
${facts.map(([term, first, second]) => markup`<div><dt>${term}</dt><dd>${first}</dd><dd>${second}</dd></div>\n`)}</dl>`;
}
