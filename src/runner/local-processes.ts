import { setTimeout as delay } from "node:timers/promises";
import { UsageError } from "../errors.ts";
import { Claims } from "../store/claims.ts";
import type { ResultFolder } from "../store/result-folder.ts";
import type { Failure, Runner, Running, Task } from "./runner.ts";
import { type WorkerCommand, WorkerProcess } from "./worker-process.ts";

/** A task whose worker died, or failed for a reason that may pass, is tried so often in all. */
const ATTEMPTS = 3;
/** Milliseconds between looks at what another runner does. */
const POLL = 300;

/**
 * Processes of this machine. Each takes one task after another; a crash loses the task at hand, which is retried twice in a new
 * process. Several runners may work on one folder at once, on one machine or on several that share it: each does what the
 * others do not.
 *
 * @param jobs processes at once
 */
export function localProcesses(jobs: number, command: WorkerCommand): Runner {
  return {
    async run(tasks, results, running = {}) {
      const claims = new Claims(results.path);
      const run = new Run(tasks, results, claims, running);
      const lanes = Array.from({ length: Math.min(jobs, tasks.length) }, () => run.lane(command));
      const ended = await Promise.allSettled(lanes);
      claims.close();
      results.sweep();
      for (const lane of ended) if (lane.status === "rejected") throw lane.reason;
      return run.failures;
    },
  };
}

/** One run of tasks, which several lanes share. */
class Run {
  readonly failures: Failure[] = [];
  readonly #results: ResultFolder;
  readonly #claims: Claims;
  readonly #running: Running;
  /** What is not done, not failed and not in a lane. */
  readonly #waiting: Task[];
  /** What ends all lanes: the caller's signal, or results that cannot be written. */
  readonly #broken = new AbortController();
  readonly #signal: AbortSignal;

  constructor(tasks: readonly Task[], results: ResultFolder, claims: Claims, running: Running) {
    this.#waiting = tasks.filter(({ key }) => !results.has(key));
    this.#results = results;
    this.#claims = claims;
    this.#running = running;
    this.#signal = running.signal ? AbortSignal.any([running.signal, this.#broken.signal]) : this.#broken.signal;
  }

  /** Does tasks in a process of its own until there are none. */
  async lane(command: WorkerCommand): Promise<void> {
    let worker: WorkerProcess | undefined;
    const ended = () => void worker?.stop();
    this.#signal.addEventListener("abort", ended);
    try {
      for (let task = await this.#next(); task; task = await this.#next()) {
        for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
          if (!worker?.alive) worker = new WorkerProcess(command);
          if (await this.#attempt(task, attempt, worker)) break;
        }
        this.#claims.release(task.key);
      }
    } catch (error) {
      this.#broken.abort(error);
      throw error;
    } finally {
      this.#signal.removeEventListener("abort", ended);
      await worker?.stop();
    }
  }

  /** The next task that is ours to do; waits while other runners do what is left. */
  async #next(): Promise<Task | undefined> {
    const { onEvent } = this.#running;
    while (this.#waiting.length > 0) {
      this.#signal.throwIfAborted();
      for (const task of this.#waiting.slice()) {
        if (!this.#claims.take(task.key)) continue;
        this.#waiting.splice(this.#waiting.indexOf(task), 1);
        if (!this.#results.has(task.key)) return task;
        this.#claims.release(task.key);
        onEvent?.({ kind: "elsewhere", task });
      }
      if (this.#waiting.length > 0) await delay(POLL);
    }
    return undefined;
  }

  /** Whether the task is settled: done, or failed for good. */
  async #attempt(task: Task, attempt: number, worker: WorkerProcess): Promise<boolean> {
    const { onEvent } = this.#running;
    const started = performance.now();
    onEvent?.({ kind: "started", task, attempt });
    const ending = await worker.do({ folder: this.#results.path, key: task.key, payload: task.payload });
    this.#signal.throwIfAborted();
    if (ending.kind === "unwritable") throw new UsageError(ending.reason);
    if (ending.kind === "done" || this.#results.has(task.key)) {
      onEvent?.({ kind: "finished", task, seconds: (performance.now() - started) / 1000 });
      return true;
    }
    const { reason } = ending;
    if (attempt < ATTEMPTS && !(ending.kind === "failed" && ending.final)) {
      onEvent?.({ kind: "retried", task, reason });
      return false;
    }
    const failure: Failure = { task, attempts: attempt, reason, output: worker.output };
    this.failures.push(failure);
    onEvent?.({ kind: "failed", failure });
    return true;
  }
}
