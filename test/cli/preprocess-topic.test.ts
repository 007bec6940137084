import { afterEach, expect, test, vi } from "vitest";
import { main } from "../../src/cli/cli.ts";
import { steps } from "../../src/data/preprocess-steps.ts";

afterEach(() => vi.restoreAllMocks());

async function printed(...args: string[]): Promise<string> {
  let text = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  expect(await main(["node", "flatness", ...args])).toBe(0);
  return text;
}

test("flatness help preprocess lists every step with what it does, in lines that fit a terminal", async () => {
  const text = await printed("help", "preprocess");
  const words = text.replace(/\s+/g, " ");
  for (const { form, description } of Object.values(steps)) expect(words).toContain(`${form} ${description}`);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
  expect(await printed("preprocess")).toBe(text);
});

test("flatness --help says where the steps are listed, and is not longer by a command", async () => {
  const text = await printed("help");
  expect(text).toContain("flatness help preprocess lists the steps of --preprocess.");
  expect(text).not.toMatch(/^ +preprocess/m);
});
