import { FlatnessError } from "../errors.ts";
import { UnwritableError } from "../store/disk-errors.ts";
import { type Files, ResultFolder } from "../store/result-folder.ts";
import type { Assignment, Reply } from "./messages.ts";

/** Does a task: its files, to be kept under its key. */
export type Execute = (payload: unknown, results: ResultFolder) => Promise<Files>;

/**
 * A worker process: takes one task after another from the runner that started it, until that is gone. Interrupts are the runner's to
 * handle, who gets them too.
 */
export function serveTasks(execute: Execute): void {
  if (!process.send) throw new Error("a worker is started by a runner, and not by hand");
  process.on("SIGINT", () => undefined);
  process.on("disconnect", () => process.exit(0));
  const folders = new Map<string, ResultFolder>();
  const reply = (message: Reply) => process.send?.(message);
  process.on("message", (message) => {
    const { folder, key, payload } = message as Assignment;
    void answer(folder, key, payload).then(reply);
  });
  reply({ kind: "ready" });

  async function answer(folder: string, key: string, payload: unknown): Promise<Reply> {
    let results: ResultFolder;
    let files: Files;
    try {
      results = folders.get(folder) ?? new ResultFolder(folder);
      folders.set(folder, results);
    } catch (error) {
      return { kind: "unwritable", key, reason: (error as Error).message };
    }
    try {
      files = await execute(payload, results);
    } catch (error) {
      if (error instanceof UnwritableError) return { kind: "unwritable", key, reason: error.message };
      const final = error instanceof FlatnessError;
      process.stderr.write(`${final ? error.message : ((error as Error).stack ?? String(error))}\n`);
      return { kind: "failed", key, reason: (error as Error).message ?? String(error), final };
    }
    try {
      results.commit(key, files);
    } catch (error) {
      return { kind: "unwritable", key, reason: (error as Error).message };
    }
    return { kind: "done", key };
  }
}
