import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { DataError } from "../../src/errors.ts";
import { serveTasks } from "../../src/runner/worker.ts";

/** What a task of the tests does; `once` names a file: what goes wrong does so only while it is not there. */
export interface Payload {
  readonly value: number;
  readonly wait?: number;
  readonly crash?: boolean;
  readonly fail?: "for good" | "by a bug";
  readonly once?: string;
  readonly fill?: number;
}

serveTasks(async (payload) => {
  const { value, wait = 0, crash, fail, once, fill = 0 } = payload as Payload;
  await delay(wait);
  const first = once === undefined || !existsSync(once);
  if (once !== undefined) writeFileSync(once, "");
  process.stderr.write(`squaring ${value}\n`);
  if (crash && first) process.kill(process.pid, "SIGKILL");
  if (fail === "for good" && first) throw new DataError(`data ${value} is no good`);
  if (fail === "by a bug" && first) throw new TypeError(`value ${value} is not a function`);
  return { "result.json": JSON.stringify({ square: value * value }), "fill.bin": new Uint8Array(fill) };
});
