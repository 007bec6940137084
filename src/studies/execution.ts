import type { Runtime } from "../runtime/session.ts";
import type { Execute } from "../runner/worker.ts";
import { ResultFolder } from "../store/result-folder.ts";
import { type OpenSubject, runModelTask } from "./model-task.ts";
import type { StudyRun } from "./study-run.ts";
import { runSyntheticTask } from "./synthetic-task.ts";
import { RUNS_FILE, type StudyTask } from "./tasks.ts";
import { runTrainTask } from "./train-task.ts";

/** Where networks are kept, seen from the folder of results. */
export const NETWORKS = "../networks";

/** What a worker does with a task of a study. */
export function studyExecution(runtime: Runtime, open: OpenSubject): Execute {
  return async (payload, results) => ({
    [RUNS_FILE]: `${JSON.stringify(await runsOf(payload as StudyTask, results))}\n`,
  });

  function runsOf(task: StudyTask, results: ResultFolder): Promise<StudyRun[]> {
    if (task.kind === "model") return runModelTask(task, open, runtime);
    if (task.kind === "synthetic") return runSyntheticTask(task, runtime);
    return runTrainTask(task, new ResultFolder(`${results.path}/${NETWORKS}`), runtime);
  }
}
