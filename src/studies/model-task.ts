import type { Subject } from "../evaluation/measure-model.ts";
import type { Runtime } from "../runtime/session.ts";
import { measureNetwork } from "./measurement.ts";
import type { StudyRun } from "./study-run.ts";
import type { ModelTask } from "./tasks.ts";
import { dataOf } from "./training-data.ts";

/** Reads a model, and puts the weights of a file in place of its own. */
export type OpenSubject = (model: string, weights: string | null) => Promise<Subject>;

/** Measures a model of a file, with its own weights or those of another. */
export async function runModelTask(task: ModelTask, open: OpenSubject, runtime: Runtime): Promise<StudyRun[]> {
  const subject = await open(task.model, task.weights);
  const data = await dataOf({ data: task.data, test: task.test });
  const measured = await measureNetwork(subject, data, task.measure, 0, runtime);
  return [{ run: task.run, epoch: null, settings: task.settings, ...measured }];
}
