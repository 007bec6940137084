import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { localProcesses } from "../../src/runner/local-processes.ts";
import type { RunEvent, Task } from "../../src/runner/runner.ts";
import { contentKey } from "../../src/store/content-key.ts";
import { ResultFolder } from "../../src/store/result-folder.ts";
import type { Payload } from "./squaring-worker.ts";

const scratch = mkdtempSync(join(tmpdir(), "flatness-runner-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const command = { module: join(import.meta.dirname, "squaring-worker.ts"), execArgv: ["--import", "tsx"] };
let folders = 0;
const folder = () => new ResultFolder(join(scratch, `results-${folders++}`));
const task = (payload: Payload): Task => ({ key: contentKey(payload), label: `square of ${payload.value}`, payload });
const squareOf = (results: ResultFolder, { key }: Task) =>
  JSON.parse(new TextDecoder().decode(results.read(key, "result.json"))).square as number;
/** What lies in a folder beside finished results: aside directories and claims. */
const leftovers = (results: ResultFolder) => readdirSync(results.path).filter((name) => name.startsWith("."));

describe("local processes", () => {
  test("do all tasks, and then none", async () => {
    const results = folder();
    const tasks = [1, 2, 3, 4, 5].map((value) => task({ value }));
    expect(await localProcesses(2, command).run(tasks, results)).toEqual([]);
    expect(tasks.map((each) => squareOf(results, each))).toEqual([1, 4, 9, 16, 25]);
    expect(leftovers(results)).toEqual([]);
    const events: RunEvent[] = [];
    await localProcesses(2, command).run(tasks, results, { onEvent: (event) => events.push(event) });
    expect(events).toEqual([]);
  });

  test("a crash loses one task, which is tried again", async () => {
    const results = folder();
    const events: RunEvent[] = [];
    const crashing = task({ value: 7, crash: true, once: join(scratch, "crashed") });
    const tasks = [task({ value: 1 }), crashing, task({ value: 2 })];
    const failures = await localProcesses(1, command).run(tasks, results, { onEvent: (event) => events.push(event) });
    expect(failures).toEqual([]);
    expect(tasks.map((each) => squareOf(results, each))).toEqual([1, 49, 4]);
    expect(events.filter(({ kind }) => kind === "retried")).toMatchObject([
      { task: crashing, reason: "the worker was ended by SIGKILL" },
    ]);
  });

  test("what crashes each time fails after three attempts, with its last lines, and the rest is done", async () => {
    const results = folder();
    const tasks = [task({ value: 3, crash: true }), task({ value: 4 })];
    const failures = await localProcesses(2, command).run(tasks, results);
    expect(failures).toEqual([
      { task: tasks[0], attempts: 3, reason: "the worker was ended by SIGKILL", output: ["squaring 3"] },
    ]);
    expect(results.has(tasks[0]!.key)).toBe(false);
    expect(squareOf(results, tasks[1]!)).toBe(16);
  });

  test("an error that would come again is not tried again; a bug is", async () => {
    const results = folder();
    const tasks = [task({ value: 5, fail: "for good" }), task({ value: 6, fail: "by a bug" })];
    const failures = await localProcesses(1, command).run(tasks, results);
    expect(failures.map(({ attempts, reason }) => [attempts, reason])).toEqual([
      [1, "data 5 is no good"],
      [3, "value 6 is not a function"],
    ]);
    expect(failures[1]!.output.join("\n")).toMatch(/TypeError: value 6 .*\n.* at /);
  });

  test("two runners on one folder do each task once", async () => {
    const results = folder();
    const tasks = Array.from({ length: 12 }, (_, value) => task({ value, wait: 60 }));
    const done: string[] = [];
    const elsewhere: string[] = [];
    const onEvent = (event: RunEvent) => {
      if (event.kind === "finished") done.push(event.task.key);
      if (event.kind === "elsewhere") elsewhere.push(event.task.key);
    };
    const runs = [1, 2].map(() => localProcesses(1, command).run(tasks, new ResultFolder(results.path), { onEvent }));
    expect(await Promise.all(runs)).toEqual([[], []]);
    expect(done.toSorted()).toEqual(tasks.map(({ key }) => key).toSorted());
    expect(results.keys()).toEqual(done.toSorted());
    expect(leftovers(results)).toEqual([]);
    expect(elsewhere.length).toBeLessThanOrEqual(tasks.length);
  });

  test("an interrupt ends the workers, and keeps what is done", async () => {
    const results = folder();
    const tasks = [task({ value: 1 }), task({ value: 2, wait: 60_000 }), task({ value: 3 })];
    const interrupt = new AbortController();
    const run = localProcesses(1, command).run(tasks, results, {
      signal: interrupt.signal,
      onEvent: (event) => event.kind === "started" && event.task === tasks[1] && interrupt.abort(),
    });
    await expect(run).rejects.toMatchObject({ name: "AbortError" });
    expect(results.keys()).toEqual([tasks[0]!.key]);
    expect(leftovers(results)).toEqual([]);
  });

  test("a worker that cannot be started is a failure with its reason", async () => {
    const failures = await localProcesses(1, { module: join(scratch, "absent.mjs") }).run(
      [task({ value: 1 })],
      folder(),
    );
    expect(failures).toMatchObject([{ attempts: 3, reason: "the worker ended with exit code 1" }]);
    expect(failures[0]!.output.join("\n")).toContain("Cannot find module");
  });
});

/** Only root can mount, and only where the kernel lets it. */
const small = join(scratch, "small-disk");
mkdirSync(small);
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", small]).status === 0;
afterAll(() => {
  if (mounted) execFileSync("umount", [small]);
});

describe.skipIf(!mounted)("a disk", () => {
  test("that is full ends the run with a sentence, and what is done is kept; with room it goes on", async () => {
    const results = new ResultFolder(join(small, "full"));
    const tasks = [1, 2, 3, 4, 5].map((value) => task({ value, fill: 64 * 1024 }));
    await expect(localProcesses(2, command).run(tasks, results)).rejects.toThrow(
      `${results.path}: cannot be written: no space is left on the disk; make room and run the same command again`,
    );
    const kept = results.keys();
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(tasks.length);
    expect(leftovers(results)).toEqual([]);
    for (const each of tasks) if (kept.includes(each.key)) expect(squareOf(results, each)).toBeGreaterThan(0);
    execFileSync("mount", ["-o", "remount,size=4m", small]);
    expect(await localProcesses(2, command).run(tasks, results)).toEqual([]);
    expect(results.keys()).toHaveLength(tasks.length);
  });

  test("that is read-only is refused before the work", async () => {
    execFileSync("mount", ["-o", "remount,ro", small]);
    expect(() => new ResultFolder(join(small, "full"))).toThrow(
      /full: cannot be written: the file system is read-only/,
    );
    execFileSync("mount", ["-o", "remount,rw", small]);
  });
});

test("results that are written by a runner that is gone are cleaned up, those of others are not", () => {
  const results = folder();
  const gone = spawnSync("true").pid;
  const host = execFileSync("hostname", { encoding: "utf8" }).trim();
  mkdirSync(join(results.path, `.abc.${host}.${gone}.0`));
  mkdirSync(join(results.path, `.abc.${host}.${process.pid}.999`));
  mkdirSync(join(results.path, `.abc.elsewhere.${gone}.0`));
  new ResultFolder(results.path);
  expect(existsSync(join(results.path, `.abc.${host}.${gone}.0`))).toBe(false);
  expect(leftovers(results)).toHaveLength(2);
});
