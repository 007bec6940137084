import type { Warning } from "../evaluation/result.ts";
import { warningAdvice } from "./warning-advice.ts";
import { printable, warningText } from "./labels.ts";
import { type Markup, markup } from "./markup.ts";

/** A line that leads to the warnings, where there are any. */
export function notice(count: number): Markup | false {
  return (
    count > 0 &&
    markup`<p class="notice"><a href="#warnings">${count} warning${count > 1 && "s"}</a> about these numbers.</p>`
  );
}

/** The warnings and what to do about them, each with the runs that it is of where it is not of all. */
export function warningList(raised: readonly { readonly warning: Warning; readonly of: readonly string[] }[]): Markup {
  const items = raised.map(({ warning, of }) => {
    const which = of.length === 0 ? "" : ` (${of.join(", ")})`;
    return markup`<li><code>${printable(warning.code)}</code> ${printable(warningText(warning) + which)}</li>\n`;
  });
  const codes = [...new Set(raised.map(({ warning }) => warning.code))].filter((code) =>
    Object.hasOwn(warningAdvice, code),
  );
  const advice = codes.map((code) => markup`<dt><code>${printable(code)}</code></dt><dd>${warningAdvice[code]}</dd>\n`);
  return markup`<section id="warnings"><h2>Warnings</h2>\n<ul class="warnings">\n${items}</ul>
<h3>What to do</h3>
<dl class="how">
${advice}</dl>
<p class="faint">docs/warnings.md, which comes with flatness, says of each what it means and how it is detected.</p>
</section>`;
}
