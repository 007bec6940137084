import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";

/** A malloc that keeps what it has: PyTorch's own default returns large blocks to the system after every step. */
const MALLOC = {
  MALLOC_MMAP_THRESHOLD_: "4294967296",
  MALLOC_TRIM_THRESHOLD_: "4294967296",
  MALLOC_TOP_PAD_: "268435456",
  OMP_NUM_THREADS: "1",
};

/** Debian's PyTorch on one thread, in a process that waits while we run, so that both are timed in turn. */
export class Torch {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly version: string;

  private constructor(process: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, version: string) {
    this.#process = process;
    this.#lines = lines;
    this.version = version;
  }

  /** Undefined where PyTorch is not installed. */
  static async start(): Promise<Torch | undefined> {
    const child = spawn("/usr/bin/python3", ["bench/torch_training.py"], { env: { ...process.env, ...MALLOC } });
    child.on("error", () => undefined);
    const reader: Interface = createInterface(child.stdout);
    const lines = reader[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done) return undefined;
    return new Torch(child, lines, (JSON.parse(first.value) as { version: string }).version);
  }

  /** Seconds of each of some runs of a case. */
  async seconds(name: string, times: number): Promise<number[]> {
    this.#process.stdin.write(`${name} ${times}\n`);
    const line = await this.#lines.next();
    if (line.done) throw new Error(`PyTorch ended in ${name}`);
    return JSON.parse(line.value) as number[];
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
  }
}
