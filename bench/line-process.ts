import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A process that answers lines with JSON. It waits while others run, so that they are timed in turn. */
export class LineProcess {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #command: string;
  /** What it says when it is ready. */
  readonly greeting: unknown;

  private constructor(
    process: ChildProcessWithoutNullStreams,
    lines: AsyncIterator<string>,
    command: string,
    greeting: unknown,
  ) {
    this.#process = process;
    this.#lines = lines;
    this.#command = command;
    this.greeting = greeting;
  }

  /** Undefined where it ends before it is ready, or there is no such command. */
  static async start(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<LineProcess | undefined> {
    const child = spawn(command, args, { env: { ...process.env, ...env } });
    child.on("error", () => undefined);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const first = await lines.next();
    return first.done
      ? undefined
      : new LineProcess(child, lines, `${command} ${args.join(" ")}`, JSON.parse(first.value));
  }

  async ask(question: string): Promise<unknown> {
    this.#process.stdin.write(`${question}\n`);
    const line = await this.#lines.next();
    if (line.done) throw new Error(`${this.#command}: ended at ${question}`);
    return JSON.parse(line.value);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
  }
}
