import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

/** The checkout: commands run in it, as the README has them. */
export const root = resolve(import.meta.dirname, "../..");

/** The built command, run to its end. */
export function flatness(...args: string[]) {
  return spawnSync(process.execPath, ["bin/flatness.js", ...args], { cwd: root, encoding: "utf8" });
}
