import { DefaultRenderer, Listr, ListrLogger, type ListrTaskWrapper, ProcessOutput, type SimpleRenderer } from "listr2";
import { duration } from "../report/number.ts";
import type { RunEvent, Task } from "../runner/runner.ts";
import { progress } from "./progress.ts";

/** Shows a run of tasks while it goes on. */
export interface RunProgress {
  update(event: RunEvent): void;
  /** The run is over, or was given up. */
  finish(): Promise<void>;
}

/** A narrower terminal, or one of unknown width, has plain lines. */
const NARROWEST = 40;
/** Milliseconds between two drawings of the list. */
const REDRAW = 200;

/**
 * Progress on standard error. On a terminal a list: how many tasks are done, with the time left, and the task of each worker.
 * Elsewhere plain lines. Failures and retries are lines of their own.
 *
 * @param missing how many tasks are to be done
 */
export function runProgress(missing: number, jobs: number, stream: NodeJS.WriteStream = process.stderr): RunProgress {
  if (missing === 0) return { update: () => undefined, finish: async () => undefined };
  return stream.isTTY && stream.columns >= NARROWEST
    ? new TaskList(missing, Math.min(jobs, missing), stream)
    : plainLines(missing, stream);
}

function plainLines(missing: number, stream: NodeJS.WriteStream): RunProgress {
  const bar = progress(stream, { total: missing, label: "study", unit: "tasks" });
  let done = 0;
  const line = (text: string) => {
    bar.finish();
    stream.write(`${text}\n`);
  };
  return {
    update(event) {
      if (event.kind === "started") return bar.update(done, event.task.label);
      const note = noteOf(event);
      if (note !== undefined) line(note);
      if (event.kind === "retried") return;
      bar.update(++done);
    },
    finish: async () => bar.finish(),
  };
}

/** What a failure or a retry is told as. */
function noteOf(event: RunEvent): string | undefined {
  if (event.kind === "retried") return `tried again: ${event.task.label}: ${event.reason}`;
  if (event.kind === "failed") return `failed: ${event.failure.task.label}: ${event.failure.reason}`;
  return undefined;
}

/** Draws whatever standard output is: the list is on standard error. */
class ListRenderer extends DefaultRenderer {
  static override nonTTY = true;
}

type Line = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

/** A worker's place in the list. */
interface Lane {
  line?: Line;
  task?: Task;
  since: number;
}

class TaskList implements RunProgress {
  readonly #missing: number;
  readonly #started = performance.now();
  readonly #lanes: readonly Lane[];
  readonly #running: Promise<unknown>;
  readonly #timer: NodeJS.Timeout;
  #whole: Line | undefined;
  #done = 0;
  /** What stays when the list is gone. */
  readonly #notes: string[] = [];
  readonly #stream: NodeJS.WriteStream;
  #end: () => void = () => undefined;

  constructor(missing: number, lanes: number, stream: NodeJS.WriteStream) {
    this.#missing = missing;
    this.#stream = stream;
    this.#lanes = Array.from({ length: lanes }, () => ({ since: 0 }));
    const over = new Promise<void>((resolve) => (this.#end = resolve));
    // The list is drawn on the first of the two streams.
    const logger = new ListrLogger({ processOutput: new ProcessOutput(stream, process.stdout) });
    const list = new Listr(
      [
        {
          title: "study",
          task: (_, line) => {
            this.#whole = line;
            return over;
          },
          rendererOptions: { persistentOutput: true, outputBar: Number.POSITIVE_INFINITY },
        },
        ...this.#lanes.map((lane) => ({
          title: "starting",
          task: (_: unknown, line: Line) => {
            lane.line = line;
            return over;
          },
        })),
      ],
      // Signals are the command's: it keeps what is done.
      {
        renderer: ListRenderer,
        concurrent: true,
        registerSignalListeners: false,
        rendererOptions: { logger, clearOutput: true },
      },
    );
    this.#running = list.run();
    this.#timer = setInterval(() => this.#draw(), REDRAW);
    this.#timer.unref();
  }

  update(event: RunEvent): void {
    const task = event.kind === "failed" ? event.failure.task : event.task;
    if (event.kind === "started") {
      const lane = this.#laneOf(task) ?? this.#lanes.find((each) => each.task === undefined);
      if (lane) Object.assign(lane, { task, since: performance.now() });
    } else if (event.kind !== "retried") {
      this.#done += 1;
      const lane = this.#laneOf(task);
      if (lane) delete lane.task;
    }
    const note = noteOf(event);
    if (note !== undefined) {
      this.#notes.push(note);
      if (this.#whole) this.#whole.output = note;
    }
    this.#draw();
  }

  async finish(): Promise<void> {
    clearInterval(this.#timer);
    for (const lane of this.#lanes) delete lane.task;
    this.#draw();
    this.#end();
    await this.#running;
    for (const note of this.#notes) this.#stream.write(`${note}\n`);
  }

  #laneOf(task: Task): Lane | undefined {
    return this.#lanes.find((lane) => lane.task?.key === task.key);
  }

  #draw(): void {
    const now = performance.now();
    const seconds = (now - this.#started) / 1000;
    const left = this.#missing - this.#done;
    const time = this.#done > 0 && left > 0 ? `, ${duration(Math.round((seconds * left) / this.#done))} left` : "";
    if (this.#whole) this.#whole.title = `study: ${this.#done} of ${this.#missing} tasks${time}`;
    for (const { line, task, since } of this.#lanes) {
      if (line) line.title = task ? `${task.label} (${duration(Math.round((now - since) / 1000))})` : "idle";
    }
  }
}
