import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { decodeModel } from "../../src/graph/onnx.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { changedText } from "../studies/tiny-study.ts";

const root = resolve(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "flatness-kills-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const study = join(scratch, "tiny.yaml");
writeFileSync(study, changedText(["seeds: 3", "seeds: 8"]));
const args = (out: string) => ["bin/flatness.js", "study", "run", study, "--jobs", "2", "--out", out];

/** Processes that a process has started, by /proc. */
function childrenOf(parent: number): number[] {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return numbers.map(Number).filter((pid) => {
    try {
      // The name in brackets may hold anything; the state and the parent come after it.
      const [, ppid] = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      return Number(ppid) === parent;
    } catch {
      return false;
    }
  });
}

const KILLS = 20;
/** Milliseconds from a worker's start to a kill, at random: before its first task, up to several tasks later. */
const LONGEST_WAIT = 1000;

describe.skipIf(!existsSync("/proc/self/stat"))("a study whose runner and workers are killed", () => {
  test(`at ${KILLS} random moments ends with the rows of one that is left alone, and nothing unreadable`, async () => {
    const untouched = join(scratch, "untouched");
    const alone = spawnSync(process.execPath, args(untouched), { cwd: root, encoding: "utf8" });
    expect(alone.status, alone.stderr).toBe(0);
    const stream = new RandomStream(1, "kills");
    let [kills, runners, workers] = [0, 0, 0];
    for (let round = 0; kills < KILLS; round++) {
      const out = join(scratch, `killed-${round}`);
      for (let status: number | null = null; status !== 0;) {
        const child = spawn(process.execPath, args(out), { cwd: root, stdio: "ignore" });
        let over = false;
        const ended = new Promise<number | null>((done) => {
          child.on("close", (code) => {
            over = true;
            done(code);
          });
        });
        while (!over && kills < KILLS) {
          // A runner takes its workers and the run with it: it is every fifth victim, and once before it has any.
          const runner = kills % 5 === 4;
          const early = kills === 9;
          while (!over && !early && childrenOf(child.pid!).length === 0) await delay(20);
          await Promise.race([delay(stream.uniform() * LONGEST_WAIT), ended]);
          const started = over ? [] : childrenOf(child.pid!);
          const victim = runner ? child.pid! : started[stream.below(Math.max(1, started.length))];
          if (over || victim === undefined) continue;
          process.kill(victim, "SIGKILL");
          kills += 1;
          if (runner) runners += 1;
          else workers += 1;
          if (runner) break;
        }
        status = await ended;
        // null: killed. Anything else but 0 would be an error of the study's.
        expect([null, 0]).toContain(status);
        // A task whose worker was killed three times counts as failed; the same command does it.
        const summary = join(out, "summary.json");
        if (status === 0 && JSON.parse(readFileSync(summary, "utf8")).runs.failed.length > 0) status = null;
      }
      for (const name of ["results.csv", "results.parquet", "summary.json"]) {
        expect(readFileSync(join(out, name)).equals(readFileSync(join(untouched, name))), name).toBe(true);
      }
      for (const folder of ["tasks", "networks"]) {
        // No claims and nothing half-written is left.
        expect(readdirSync(join(out, folder)).sort()).toEqual(readdirSync(join(untouched, folder)).sort());
      }
      for (const key of readdirSync(join(out, "tasks"))) {
        expect(JSON.parse(readFileSync(join(out, "tasks", key, "runs.json"), "utf8"))).toHaveLength(1);
      }
      for (const key of readdirSync(join(out, "networks"))) {
        expect(decodeModel(readFileSync(join(out, "networks", key, "model.onnx"))).nodes.length).toBeGreaterThan(2);
      }
    }
    expect([runners, workers]).toEqual([4, 16]);
  }, 600_000);
});

/** Only root can mount, and only where the kernel lets it. */
const small = join(scratch, "small-disk");
mkdirSync(small);
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", small]).status === 0;
afterAll(() => {
  if (mounted) execFileSync("umount", [small]);
});

describe.skipIf(!mounted)("a disk", () => {
  const out = join(small, "study");
  const run = (networks: number) =>
    spawnSync(process.execPath, [...args(out), "--networks", String(networks)], { cwd: root, encoding: "utf8" });

  test("that is full, or read-only, ends the study with a sentence; what is done is kept, and with room it goes on", () => {
    const full = run(20);
    expect(full.status, full.stderr).toBe(2);
    expect(full.stderr).toMatch(
      /error: \S+: cannot be written: no space is left on the disk; make room and run the same command again: what is finished is kept\.\n$/,
    );
    expect(full.stderr).not.toContain("failed:");
    const kept = readdirSync(join(out, "tasks")).filter((name) => !name.startsWith("."));
    execFileSync("mount", ["-o", "remount,size=16m", small]);
    const whole = run(20);
    expect(whole.status, whole.stderr).toBe(0);
    if (kept.length > 0) expect(whole.stderr).toContain(`${kept.length} of 20 tasks are done already`);
    execFileSync("mount", ["-o", "remount,ro", small]);
    const readOnly = run(21);
    execFileSync("mount", ["-o", "remount,rw", small]);
    expect([readOnly.status, readOnly.stdout]).toEqual([2, ""]);
    expect(readOnly.stderr).toBe(`error: ${out}/tasks: cannot be written: the file system is read-only.\n`);
  }, 180_000);
});
