import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { Interruption, UsageError } from "../errors.ts";
import { localProcesses } from "../runner/local-processes.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { ResultFolder } from "../store/result-folder.ts";
import { writeFileWhole } from "../store/write-file.ts";
import { collected, discardUnreadable, failedTask } from "../studies/collection.ts";
import { expand } from "../studies/expansion.ts";
import { diskContents, findStudy } from "../studies/files.ts";
import { runProgress } from "./study-progress.ts";
import { STUDY_FILE, writeResults } from "./study-report.ts";

interface Flags {
  readonly out: string;
  readonly jobs: number;
  readonly networks?: number;
}

/** Expands a study, does what is missing in worker processes, and writes results and report. */
export async function runStudy(name: string, { out, jobs, networks }: Flags): Promise<void> {
  const { study, text } = findStudy(name);
  checkSameStudy(out, study.name);
  // A study that cannot be expanded leaves no trace, and a folder that cannot be written is told before the work.
  const tasks = await expand(study, diskContents(nodeRuntime.version), networks);
  const results = new ResultFolder(join(out, "tasks"));
  writeFileWhole(join(out, STUDY_FILE), text);
  discardUnreadable(tasks, results);
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  process.once("SIGINT", onInterrupt).once("SIGTERM", onInterrupt);
  const missing = tasks.filter(({ key }) => !results.has(key)).length;
  if (missing < tasks.length)
    process.stderr.write(`${tasks.length - missing} of ${tasks.length} tasks are done already\n`);
  const show = runProgress(missing, jobs);
  const command = { module: process.argv[1]!, args: ["study", "work"] };
  let failures;
  try {
    failures = await localProcesses(jobs, command).run(tasks, results, {
      signal: interrupt.signal,
      onEvent: (event) => show.update(event),
    });
  } catch (error) {
    await show.finish();
    if ((error as Error).name !== "AbortError") throw error;
    const done = tasks.filter(({ key }) => results.has(key)).length;
    throw new Interruption(`${done} of ${tasks.length} tasks are done; the same command again does the rest`);
  } finally {
    process.off("SIGINT", onInterrupt).off("SIGTERM", onInterrupt);
  }
  await show.finish();
  const runs = [...collected(tasks, results).values()].flatMap((each) => each ?? []);
  if (runs.length === 0) {
    const [first] = failures;
    throw new UsageError(
      `study ${study.name}: all ${tasks.length} tasks failed, the first: ${first?.reason ?? "unknown"}`,
    );
  }
  await writeResults(out, study, runs, failures.map(failedTask));
}

/** One folder holds one study: another's report would take the place of the first's. */
function checkSameStudy(out: string, name: string): void {
  const path = join(out, STUDY_FILE);
  if (!existsSync(path)) return;
  const known = nameOf(readFileSync(path, "utf8"));
  if (known !== undefined && known !== name) {
    throw new UsageError(`${out}: holds the results of study ${known}; expected another folder for ${name}.`);
  }
}

/** The name that a study's file gives it; undefined where it is damaged. */
function nameOf(text: string): unknown {
  try {
    return (parse(text) as { name?: unknown } | null)?.name;
  } catch {
    return undefined;
  }
}
