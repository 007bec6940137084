import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");

describe.each(["robustness", "bound"])("docs/%s.md", (page) => {
  const text = readFileSync(join(root, `docs/${page}.md`), "utf8");
  const commands = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) => match[1]!.trim().split("\n"));

  test("has commands that run", async () => {
    expect(commands.length).toBeGreaterThan(0);
    for (const command of commands) {
      const [npx, name, ...args] = command.split(" ");
      expect([npx, name]).toEqual(["npx", "flatness"]);
      const { stdout } = await run(process.execPath, ["bin/flatness.js", ...args], { cwd: root });
      expect(stdout).toContain("example:digits-mlp (opset 13)");
    }
  }, 240_000);
});
