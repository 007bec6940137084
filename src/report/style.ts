/** The page's look: one column of text, figures on white cards in both colour schemes, fit for print. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #f7f8fa; --card: #ffffff; --text: #1f2933; --faint: #5b6875; --line: #d9dee4; --accent: #2b6ca3;
  --caution: #8a5a00; --caution-page: #fff8e6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181d; --card: #1c2229; --text: #e4e8ec; --faint: #9aa7b4; --line: #343d47; --accent: #7ab6e8;
    --caution: #f0c063; --caution-page: #2a2416;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
header p { margin: 0; color: var(--faint); font-size: 0.9rem; letter-spacing: 0.02em; }
h1 { margin: 2px 0 20px; font-size: 1.8rem; line-height: 1.25; font-weight: 650; overflow-wrap: anywhere; }
h2 { margin: 44px 0 12px; font-size: 1.2rem; font-weight: 650; }
p, ul { max-width: 72ch; }
p { margin: 0 0 12px; }
ul { margin: 0; padding-left: 1.2em; }
li { margin: 0 0 8px; }
a { color: var(--accent); }
.faint { color: var(--faint); font-size: 0.875rem; }
p.faint { max-width: 82ch; }
.notice { margin: 12px 0 0; }
.facts {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 1px; margin: 0;
  background: var(--line); border: 1px solid var(--line); border-radius: 8px; overflow: hidden;
}
.facts + p { margin-top: 16px; }
.facts > div { background: var(--card); padding: 14px 16px; }
.facts dt { color: var(--faint); font-size: 0.8rem; }
.facts dd { margin: 2px 0 0; overflow-wrap: anywhere; }
.facts dd + dd { color: var(--faint); font-size: 0.875rem; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: 0 0 12px; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 12px; text-align: left; vertical-align: baseline; white-space: nowrap; }
thead th { color: var(--faint); font-weight: 500; font-size: 0.82rem; border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody th { font-weight: 600; }
th.number, td.number { text-align: right; }
.error { display: inline-block; text-align: left; color: var(--faint); }
sub, sup { line-height: 0; }
td.reason { white-space: normal; min-width: 220px; color: var(--faint); }
figure {
  margin: 0; padding: 14px; background: #ffffff; border: 1px solid var(--line); border-radius: 8px; color-scheme: light;
}
figure svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px; margin-top: 16px; }
.pair section { min-width: 0; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.warnings { list-style: none; padding: 0; }
.warnings li { background: var(--caution-page); border-left: 3px solid var(--caution); border-radius: 4px; padding: 9px 14px; }
.warnings code { color: var(--caution); }
code, .hash { font: 0.85em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.how { display: grid; grid-template-columns: max-content 1fr; gap: 5px 20px; margin: 0 0 20px; font-size: 0.9rem; }
.how dt { color: var(--faint); }
.how dd { margin: 0; overflow-wrap: anywhere; }
details { border-top: 1px solid var(--line); padding: 10px 0; }
summary { cursor: pointer; font-weight: 600; overflow-wrap: anywhere; }
details[open] > summary { margin-bottom: 12px; }
details h2 { margin-top: 24px; font-size: 1rem; }
@media print {
  :root {
    --page: #ffffff; --card: #ffffff; --text: #000000; --faint: #444444; --line: #bbbbbb; --accent: #000000;
    --caution: #000000; --caution-page: #ffffff;
  }
  @page { margin: 16mm; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  figure, tr, li, .facts { break-inside: avoid; }
  .wide { overflow: visible; }
}
`;
