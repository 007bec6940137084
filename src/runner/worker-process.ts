import { type ChildProcess, fork } from "node:child_process";
import type { Assignment, Reply } from "./messages.ts";

/** How a worker process is started. */
export interface WorkerCommand {
  /** A module that calls `serveTasks`. */
  readonly module: string;
  readonly args?: readonly string[];
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** Milliseconds that the output of a task that failed is waited for. */
const LAST_WORDS = 100;
/** Lines of output that are kept. */
const KEPT = 20;

/** How a worker came to the end of a task; `died` when its process ended without a word. */
export type Ending = Exclude<Reply, { kind: "ready" }> | { readonly kind: "died"; readonly reason: string };

/** A worker process seen from the runner: one task at a time. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<string>;
  #output: string[] = [];
  #partial = "";
  #settle: ((ending: Ending) => void) | undefined;
  #dead: string | undefined;

  constructor({ module, args = [], execArgv, env }: WorkerCommand) {
    this.#child = fork(module, [...args], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      ...(execArgv && { execArgv: [...execArgv] }),
      env: { ...process.env, ...env },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => this.#keep(text));
    }
    this.#child.on("message", (message) => {
      const reply = message as Reply;
      if (reply.kind === "ready") return;
      if (reply.kind === "failed") setTimeout(() => this.#fail(reply), LAST_WORDS);
      else this.#end(reply);
    });
    this.#exit = new Promise((resolve) => {
      const gone = (reason: string) => {
        this.#dead ??= reason;
        this.#end({ kind: "died", reason });
        resolve(reason);
      };
      this.#child.on("error", (error) => gone(`the worker could not be started: ${error.message}`));
      // Its last words have been read when both streams are closed.
      this.#child.on("close", (code, signal) =>
        gone(signal === null ? `the worker ended with exit code ${code}` : `the worker was ended by ${signal}`),
      );
    });
  }

  get alive(): boolean {
    return this.#dead === undefined;
  }

  /** The last lines written since the task began. */
  get output(): readonly string[] {
    return [...this.#output, this.#partial].filter((line) => line !== "").slice(-KEPT);
  }

  do(assignment: Assignment): Promise<Ending> {
    this.#output = [];
    this.#partial = "";
    return new Promise((resolve) => {
      if (this.#dead !== undefined) return resolve({ kind: "died", reason: this.#dead });
      this.#settle = resolve;
      this.#child.send(assignment, (error) => {
        // A broken channel: the exit that broke it is told by `close`.
        if (error && !this.#child.connected) this.#child.kill("SIGKILL");
      });
    });
  }

  async stop(): Promise<void> {
    if (this.alive) this.#child.kill("SIGKILL");
    await this.#exit;
  }

  #end(ending: Ending): void {
    this.#settle?.(ending);
    this.#settle = undefined;
  }

  /** What the worker wrote comes by another pipe, which may be read later than its word: then the word stands in its place. */
  #fail(reply: Extract<Reply, { kind: "failed" }>): void {
    const [first = ""] = reply.reason.split("\n");
    if (!this.output.some((line) => line.includes(first))) this.#keep(`${reply.reason}\n`);
    this.#end(reply);
  }

  #keep(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop()!.slice(-2000);
    this.#output = [...this.#output, ...lines].slice(-KEPT);
  }
}
