import { expect, test } from "vitest";
import { parseParquet, tableCsv, tableParquet } from "../../src/store/table.ts";
import { resultsTable, runsOf } from "../../src/studies/results-table.ts";
import type { StudyRun } from "../../src/studies/study-run.ts";
import { run, value } from "./tiny-study.ts";

const runs: StudyRun[] = [
  {
    ...run("a", 0.1 + 0.2, 1 / 3, { settings: { optimizer: 'sgd, "fast"', rate: 0.1 }, epoch: 5 }),
    values: [
      { ...value("m", 1e-300), warnings: ["dead-features", "large-gradient"], options: { delta: 0.1 } },
      { ...value("n", -0), layer: null, errorData: 0.5, errorProbe: 0 },
    ],
  },
  run("a", 2, 3, { settings: { optimizer: "sgd" }, epoch: 10, facts: { stopped: "epochs", epochs: 10 } }),
  { ...run("b", 0, 3), values: [] },
];

test("runs come back from Parquet as they were, to the last digit", async () => {
  const bytes = tableParquet(resultsTable(runs));
  expect(runsOf(await parseParquet(bytes, "results.parquet"), "results.parquet")).toEqual(runs);
  expect(tableParquet(resultsTable(structuredClone(runs)))).toEqual(bytes);
});

test("a row a run, layer and measure; what is not a number is empty", () => {
  const broken = { ...run("c", Number.NaN, 1) };
  const lines = tableCsv(resultsTable([...runs, broken]))
    .trimEnd()
    .split("\r\n");
  expect(lines).toHaveLength(1 + 2 + 1 + 1 + 1);
  expect(lines[0]).toBe(
    "run,epoch,setting.optimizer,setting.rate,fact.generalization-gap,fact.stopped,fact.epochs,layer,measure,value,error_data,error_probe,n,method,curvature,options,warnings,model,data,flatness,onnxruntime,provider,threads,batch,seed",
  );
  expect(lines[1]).toContain(
    'a,5,"sgd, ""fast""",0.1,0.3333333333333333,,,fc1,m,1e-300,,,1,exact,,"{""delta"":0.1}",dead-features large-gradient',
  );
  expect(lines.at(-1)).toContain("c,,,,1,,,fc1,m,,,,1,exact");
});

test("a table of other things is refused", async () => {
  const table = { columns: resultsTable(runs).columns.filter(({ name }) => name !== "method") };
  expect(() => runsOf(table, "x.parquet")).toThrow("x.parquet: no column method: expected the results of a study");
  await expect(parseParquet(Uint8Array.of(1, 2, 3), "x.parquet")).rejects.toThrow("x.parquet: not a Parquet file");
});
