import type { Failure, Task } from "../runner/runner.ts";
import type { ResultFolder } from "../store/result-folder.ts";
import type { StudyRun } from "./study-run.ts";
import type { FailedTask } from "./summary.ts";
import { RUNS_FILE } from "./tasks.ts";

/** The runs of the tasks that are done, in the order of the tasks; null where what is kept of a task cannot be read. */
export function collected(tasks: readonly Task[], results: ResultFolder): Map<Task, StudyRun[] | null> {
  const found = new Map<Task, StudyRun[] | null>();
  for (const task of tasks) {
    const bytes = results.has(task.key) ? results.read(task.key, RUNS_FILE) : undefined;
    if (results.has(task.key)) found.set(task, bytes ? parsed(bytes) : null);
  }
  return found;
}

function parsed(bytes: Uint8Array): StudyRun[] | null {
  try {
    const runs = JSON.parse(new TextDecoder().decode(bytes)) as StudyRun[];
    return Array.isArray(runs) && runs.every(({ run, values }) => typeof run === "string" && Array.isArray(values))
      ? runs
      : null;
  } catch {
    return null;
  }
}

/** Takes away tasks of which something unreadable is kept: they are done again. */
export function discardUnreadable(tasks: readonly Task[], results: ResultFolder): void {
  for (const [task, runs] of collected(tasks, results)) if (runs === null) results.discard(task.key);
}

export function failedTask({ task, reason, attempts, output }: Failure): FailedTask {
  return { task: task.label, reason, attempts, output };
}
