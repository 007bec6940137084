// npm run bench [-- --json FILE] [-- NAME…]: prints ratios to plain forward passes, of training to PyTorch's; see cases/. `training` is
// all of those that begin with it.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { measureRows } from "./cases/measure.ts";
import { memoryRows } from "./cases/memory.ts";
import { networkRows } from "./cases/networks.ts";
import { trainingCases } from "./cases/training.ts";
import type { Row } from "./row.ts";

const cases: Readonly<Record<string, () => AsyncIterable<Row> | Iterable<Row>>> = {
  measure: measureRows,
  networks: networkRows,
  memory: memoryRows,
  ...trainingCases,
};

const { values, positionals } = parseArgs({ options: { json: { type: "string" } }, allowPositionals: true });
const rows: Row[] = [];
const chosen = (name: string) => Object.entries(cases).filter(([key]) => key === name || key.startsWith(`${name}-`));
for (const name of positionals) {
  if (chosen(name).length === 0) throw new Error(`no benchmark ${name}; there are ${Object.keys(cases).join(", ")}`);
}
for (const [, run] of positionals.length > 0 ? positionals.flatMap(chosen) : Object.entries(cases)) {
  for await (const row of run()) {
    rows.push(row);
    const goal = row.goal === undefined ? "" : `   goal ≤ ${row.goal}${row.holds ? "" : "   MISSED"}`;
    process.stdout.write(`${row.name.padEnd(52)} ${row.value.toPrecision(4).padStart(8)} ${row.unit}${goal}\n`);
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
