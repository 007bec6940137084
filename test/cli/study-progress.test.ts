import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { runProgress } from "../../src/cli/study-progress.ts";
import type { Task } from "../../src/runner/runner.ts";

const tasks: Task[] = ["first", "second"].map((label, index) => ({ key: `${index}`, label, payload: {} }));
const [first, second] = tasks as [Task, Task];

/** What a stream was given, as text. */
function recorded(terminal: boolean) {
  let text = "";
  const stream = new Writable({
    write(chunk, _, done) {
      text += String(chunk);
      done();
    },
  });
  Object.assign(stream, { isTTY: terminal, columns: 90, rows: 30 });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => text };
}

async function shown(terminal: boolean): Promise<string> {
  const { stream, text } = recorded(terminal);
  const show = runProgress(tasks.length, 2, stream);
  show.update({ kind: "started", task: first, attempt: 1 });
  show.update({ kind: "started", task: second, attempt: 1 });
  // The list is drawn in its own time.
  await new Promise((resolve) => setTimeout(resolve, 600));
  show.update({ kind: "finished", task: first, seconds: 1 });
  show.update({ kind: "failed", failure: { task: second, attempts: 3, reason: "no more memory", output: [] } });
  await show.finish();
  return text();
}

const failure = "failed: second: no more memory\n";

test("a terminal has a list: all tasks, and the task of each worker; failures stay", async () => {
  const text = await shown(true);
  expect(text).toContain("study: 0 of 2 tasks");
  expect(text).toMatch(/first \(\d+ m?s\)/);
  expect(text).toMatch(/second \(\d+ m?s\)/);
  expect(text.endsWith(failure)).toBe(true);
});

test("elsewhere there are plain lines without cursor codes", async () => {
  const text = await shown(false);
  expect(text).toContain(failure);
  expect(text).not.toContain("\u001b");
});

test("nothing to do shows nothing", async () => {
  const { stream, text } = recorded(true);
  await runProgress(0, 2, stream).finish();
  expect(text()).toBe("");
});
