import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect } from "vitest";

/** The checkout: commands run in it, as the README has them. */
export const root = resolve(import.meta.dirname, "../..");

/** The built command, run to its end. */
export function flatness(...args: string[]) {
  return spawnSync(process.execPath, ["bin/flatness.js", ...args], { cwd: root, encoding: "utf8" });
}

/** What a command that succeeds prints. */
export function printed(...args: string[]): string {
  const { status, stdout, stderr } = flatness(...args);
  expect(status, stderr).toBe(0);
  return stdout;
}

/** The message of a command that fails with exit code 2 and prints nothing else. */
export function fails(...args: string[]): string {
  const { status, stdout, stderr } = flatness(...args);
  expect(stdout).toBe("");
  expect(status, stderr).toBe(2);
  return stderr.trim().replace(/^error: /, "");
}
