import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { measures } from "../src/measures/catalog.ts";
import { losses } from "../src/losses/catalog.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map((match) => match[1] as string);

const folder = mkdtempSync(join(tmpdir(), "flatness-readme-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("README", () => {
  test("the library example prints what it says", async () => {
    const [example = ""] = blocks("ts");
    const promised = example.match(/^\/\/ (.*)$/m)?.[1];
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules/flatness"));
    // The example has no type syntax, so that it is JavaScript as well.
    writeFileSync(join(folder, "example.mjs"), example);
    const { stdout } = await run(process.execPath, ["example.mjs"], { cwd: folder });
    expect(stdout.trim()).toBe(promised);
  });

  test("its commands on the embedded model run", async () => {
    const commands = blocks("sh")
      .flatMap((block) => block.split("\n"))
      .filter((line) => line.startsWith("npx flatness") && line.includes("example:"));
    expect(commands.length).toBeGreaterThanOrEqual(2);
    for (const command of commands) {
      const { stdout } = await run(process.execPath, ["bin/flatness.js", ...command.split(" ").slice(2)], {
        cwd: root,
      });
      expect(stdout).toContain("example:digits-mlp (opset 13)");
    }
  });

  test("the two set-up commands are scripts of the package", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    for (const name of [...readme.matchAll(/npm run ([a-z:]+)/g)].map((match) => match[1] as string))
      expect(scripts).toHaveProperty(name);
    expect(scripts["demo"]).toContain("example:digits-mlp");
  });

  test("every measure and loss is listed", () => {
    for (const { name, symbol } of measures) expect(readme).toContain(`| \`${name}\` | ${symbol} |`);
    for (const { name } of losses) expect(readme).toContain(`\`${name}\``);
  });
});
