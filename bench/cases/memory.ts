import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { row, type Row } from "../row.ts";
import { writeStoredModel } from "../stored-model.ts";

/** Eight layers of 5632 × 5632 and a last one: 1.02 GB. */
const WIDTH = 5632;
const LAYERS = 8;

/** Peak memory of the last layer of a model of a gigabyte, whose weights lie in a file beside it. */
export function* memoryRows(): Generator<Row> {
  const folder = mkdtempSync(join(tmpdir(), "flatness-bench-"));
  try {
    const { model, data, bytes } = writeStoredModel(folder, WIDTH, LAYERS);
    const { stdout, stderr } = spawnSync(process.execPath, ["bench/stored.mjs", model, data], { encoding: "utf8" });
    if (!stdout) throw new Error(stderr);
    const { peak, seconds } = JSON.parse(stdout) as { peak: number; seconds: { total: number } };
    yield row("last layer of a model of 1 GB, peak memory over its size", peak / bytes, "ratio", 1.3);
    yield row("the same, whole measurement", seconds.total, "s");
  } finally {
    rmSync(folder, { recursive: true });
  }
}
