import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkWritable, writeFileWhole } from "../../src/store/write-file.ts";

const folder = mkdtempSync(join(tmpdir(), "flatness-write-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a file is replaced by a whole one, and nothing lies beside it", () => {
  const path = join(folder, "a.txt");
  writeFileSync(path, "old and longer");
  checkWritable(path);
  writeFileWhole(path, "new");
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(folder)).toEqual(["a.txt"]);
});

// A pipe stands for devices too: were they replaced, a test that is run by root would take /dev/null away.
test.skipIf(process.platform === "win32")(
  "a pipe is written to, and stays one",
  async () => {
    const path = join(folder, "pipe");
    expect(spawnSync("mkfifo", [path]).status).toBe(0);
    checkWritable(path);
    const reader = spawn("cat", [path]);
    const read = new Promise<string>((resolve) => {
      let text = "";
      reader.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
      reader.on("close", () => resolve(text));
    });
    writeFileWhole(path, "through");
    expect(statSync(path).isFIFO()).toBe(true);
    expect(await read).toBe("through");
  },
  10_000,
);
