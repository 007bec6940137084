import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/worked-examples.md"), "utf8");

/** Each section's title, program and the comment at its end, which is what it prints. */
const examples = page
  .split(/^## /m)
  .slice(1)
  .flatMap((section) => {
    const title = section.slice(0, section.indexOf("\n"));
    return [...section.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => {
      const program = match[1] as string;
      const promised = program.match(/(^\/\/ .*\n)+$/m)?.[0].replaceAll(/^\/\/ /gm, "") ?? "";
      return { title, program, promised };
    });
  });

const folder = mkdtempSync(join(tmpdir(), "flatness-examples-"));
beforeAll(() => {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/flatness"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("there are four", () => {
  expect(examples.map(({ title }) => title)).toEqual([
    "1. The ridge property",
    "2. A rewriting that moves the Hessian and not κ",
    "3. Theorem 5 at a minimum",
    "4. Labels that are not locally constant",
  ]);
});

test.each(examples)("$title: prints what the page says", async ({ title, program, promised }) => {
  expect(promised).not.toBe("");
  // The examples have no type syntax, so that they are JavaScript as well.
  const file = join(folder, `${title.slice(0, 1)}.mjs`);
  writeFileSync(file, program);
  const { stdout } = await run(process.execPath, [file], { cwd: folder });
  expect(stdout).toBe(promised);
});

test("what the page says of its numbers holds for them", () => {
  const numbers = (index: number) =>
    (examples[index]!.promised.match(/-?\d+(\.\d+)?(e-?\d+)?/g) as string[]).map((text) => Number(text));
  const [measured, byHand] = numbers(0) as [number, number];
  expect(measured).toBe(byHand);
  // Names of models and Tr(H) bring no numbers of their own.
  const [loss, trace, kappa, twinLoss, twinTrace, twinKappa] = numbers(1) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  expect([twinLoss, twinKappa]).toEqual([loss, kappa]);
  expect(Math.round(trace / twinTrace)).toBe(49);
  for (const line of examples[2]!.promised.trim().split("\n")) {
    const [robustness, theory, least] = line.match(/\d\.\d+e-\d+/g)!.map(Number) as [number, number, number];
    expect(Math.abs(robustness / theory - 1)).toBeLessThan(0.02);
    expect(least).toBeGreaterThan(0);
  }
  const [far, near] = examples[3]!.promised
    .trim()
    .split(/\n(?=\d)/)
    .map((text) => text.match(/\d+\.\d+/g)!.map(Number)) as [number[], number[]];
  expect(near[0]).toBeLessThan(far[0]!);
  expect(near[3]! / near[2]!).toBeGreaterThan(20);
  expect(far[3]! / far[2]!).toBeLessThan(2);
});
