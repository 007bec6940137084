// npm run bench [-- --json FILE] [-- NAME…]: prints ratios to plain forward passes; see cases/.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { measureRows } from "./cases/measure.ts";
import { memoryRows } from "./cases/memory.ts";
import { networkRows } from "./cases/networks.ts";
import type { Row } from "./row.ts";

const cases: Readonly<Record<string, () => Promise<Row[]>>> = {
  measure: measureRows,
  networks: networkRows,
  memory: memoryRows,
};

const { values, positionals } = parseArgs({ options: { json: { type: "string" } }, allowPositionals: true });
const rows: Row[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(cases)) {
  const run = cases[name];
  if (!run) throw new Error(`no benchmark ${name}; there are ${Object.keys(cases).join(", ")}`);
  for (const row of await run()) {
    rows.push(row);
    const goal = row.goal === undefined ? "" : `   goal ≤ ${row.goal}${row.holds ? "" : "   MISSED"}`;
    process.stdout.write(`${row.name.padEnd(52)} ${row.value.toPrecision(4).padStart(8)} ${row.unit}${goal}\n`);
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
