import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/reparameterization.md"), "utf8");
const commands = [...page.matchAll(/^npx flatness (.*)$/gm)].map((match) => match[1]!.split(" "));
const folder = mkdtempSync(join(tmpdir(), "flatness-page-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the page has commands of both kinds", () => {
  expect(new Set(commands.map(([name]) => name))).toEqual(new Set(["reparameterize", "measure"]));
});

test.each(commands.map((args) => [args.join(" "), args] as const))("%s", (_, args) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "bin/flatness.js"), ...args], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  if (args[0] === "reparameterize") {
    expect(stdout).toMatch(/^twin\.onnx: the function of example:digits-mlp with other weights$/m);
    expect(existsSync(join(folder, "twin.onnx"))).toBe(true);
    rmSync(join(folder, "twin.onnx"));
  } else {
    const table = /^largest relative change[^`]*/m.exec(page)![0];
    const [head, columns] = table.split("\n") as [string, string];
    expect(stdout).toContain(`${head}\n${columns}\n`);
    // What is rounding may round otherwise on another machine; what is change may not.
    for (const [change] of table.matchAll(/\d[\d.]* \(\d\)/g)) expect(stdout).toContain(change);
  }
});
