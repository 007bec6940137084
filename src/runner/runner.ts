import type { ResultFolder } from "../store/result-folder.ts";

/** A piece of work that can be done anywhere: its key follows from its payload. */
export interface Task {
  /** The name of its directory of results. */
  readonly key: string;
  /** What people call it. */
  readonly label: string;
  /** JSON: all that a worker needs to know. */
  readonly payload: unknown;
}

/** A task that has no result. */
export interface Failure {
  readonly task: Task;
  readonly attempts: number;
  /** One line: what went wrong. */
  readonly reason: string;
  /** The last lines that its last worker wrote. */
  readonly output: readonly string[];
}

export type RunEvent =
  | { readonly kind: "started"; readonly task: Task; readonly attempt: number }
  | { readonly kind: "finished"; readonly task: Task; readonly seconds: number }
  | { readonly kind: "retried"; readonly task: Task; readonly reason: string }
  | { readonly kind: "failed"; readonly failure: Failure }
  /** Another runner on the same folder did it. */
  | { readonly kind: "elsewhere"; readonly task: Task };

export interface Running {
  readonly onEvent?: (event: RunEvent) => void;
  /** Ends the run: tasks that are under way are dropped. */
  readonly signal?: AbortSignal;
}

/** Who runs tasks: processes of this machine; a cluster's queue could be another. */
export interface Runner {
  /**
   * Does the tasks that the folder does not hold.
   *
   * @returns those that failed; all others are in the folder
   * @throws UsageError when results cannot be written; AbortError when it was ended
   */
  run(tasks: readonly Task[], results: ResultFolder, running?: Running): Promise<Failure[]>;
}
