import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { chosenWeights } from "../../src/checkpoints/patterns.ts";
import { npzBytes } from "../../src/data/npz.ts";
import { UsageError } from "../../src/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "flatness-patterns-"));
afterAll(() => rmSync(folder, { recursive: true }));
const one = { type: "float32" as const, dims: [1], data: new Float32Array(1) };

for (const run of ["b", "a", "c.10", "c.9"]) mkdirSync(join(folder, run));
for (const file of ["epoch-1.pt", "epoch-10.pt", "epoch-9.pt", "epoch-x.pt", ".epoch-2.pt", "notes.txt", "odd[1].pt"]) {
  writeFileSync(join(folder, file), "");
}
for (const file of ["a/last.pt", "c.9/last.pt", "c.10/last.pt", "b/first.pt"]) writeFileSync(join(folder, file), "");
writeFileSync(join(folder, "nets.npz"), npzBytes({ "net10.w": one, "net9.w": one, "ema.w": one, scale: one }));

/** What patterns find in the folder, without its name. */
async function found(...patterns: string[]): Promise<string[]> {
  const { paths } = await chosenWeights(patterns.map((pattern) => join(folder, pattern)));
  return paths.map((path) => path.slice(folder.length + 1));
}

test.each<[string, string[], string[]]>([
  ["numbers as people count", ["epoch-[0-9]*.pt"], ["epoch-1.pt", "epoch-9.pt", "epoch-10.pt"]],
  ["no hidden files", ["*epoch*"], ["epoch-1.pt", "epoch-9.pt", "epoch-10.pt", "epoch-x.pt"]],
  ["one character", ["epoch-?.pt"], ["epoch-1.pt", "epoch-9.pt", "epoch-x.pt"]],
  ["none of some", ["epoch-[!0-9].pt"], ["epoch-x.pt"]],
  ["folders, where the file is there", ["*/last.pt"], ["a/last.pt", "c.9/last.pt", "c.10/last.pt"]],
  ["a dot is a dot", ["c.?/l*t.pt"], ["c.9/last.pt"]],
  ["a path, whether it leads somewhere or not", ["none.pt"], ["none.pt"]],
  ["a file that is called like a pattern", ["odd[1].pt"], ["odd[1].pt"]],
  ["each file once, in the order asked for", ["epoch-9.pt", "epoch-[19].pt"], ["epoch-9.pt", "epoch-1.pt"]],
  ["parts of a file", ["nets.npz#net*"], ["nets.npz#net9", "nets.npz#net10"]],
  ["one part of several files", ["epoch-[19].pt#ema"], ["epoch-1.pt#ema", "epoch-9.pt#ema"]],
])("%s", async (_, patterns, expected) => {
  expect(await found(...patterns)).toEqual(expected);
});

test("a path alone is one; a pattern may be several, whatever it finds", async () => {
  const several = async (...patterns: string[]) =>
    (await chosenWeights(patterns.map((pattern) => join(folder, pattern)))).several;
  expect(await several("epoch-1.pt")).toBe(false);
  expect(await several("epoch-x*.pt")).toBe(true);
  expect(await several("epoch-1.pt", "epoch-9.pt")).toBe(true);
});

test.each([
  ["best-*.pt", "best-*.pt: no file of this pattern: expected at least one."],
  ["none/*.pt", "none/*.pt: no file of this pattern"],
  ["notes.txt/*.pt", "no file of this pattern"],
  ["nets.npz#best*", "nets.npz#best*: no part of this pattern: expected at least one."],
  ["epoch-[z-a].pt", "not a pattern: expected *, ?, or [a-c] for one of a to c."],
])("refuses %s", async (pattern, message) => {
  await expect(found(pattern)).rejects.toThrow(UsageError);
  await expect(found(pattern)).rejects.toThrow(message);
});
