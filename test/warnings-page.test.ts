import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { warningAdvice } from "../src/report/warning-advice.ts";

const root = resolve(import.meta.dirname, "..");

/** Codes that the sources emit; `custom` is the schema library's. */
const emitted = new Set(
  (readdirSync(join(root, "src"), { recursive: true }) as string[])
    .filter((file) => file.endsWith(".ts") && !file.endsWith("warning-advice.ts"))
    .flatMap((file) => [...readFileSync(join(root, "src", file), "utf8").matchAll(/\bcode: "([a-z-]+)"/g)])
    .map((match) => match[1] as string)
    .filter((code) => code !== "custom"),
);
const sections = readFileSync(join(root, "docs/warnings.md"), "utf8").split(/^## /m).slice(1);
const documented = sections.map((section) => section.slice(0, section.indexOf("\n")));

describe("docs/warnings.md", () => {
  test("has a section on every code that is emitted, and on no other", () => {
    expect(emitted.size).toBeGreaterThan(10);
    expect(documented).toEqual([...emitted].toSorted());
  });

  test.each(sections.map((section, index) => [documented[index]!, section]))(
    "%s: meaning, detection, remedy",
    (_, text) => {
      const heads = [...text.matchAll(/^\*\*(.*?)\*\* (?=\S)/gm)].map((match) => match[1]);
      expect(heads).toEqual(["What it means.", "How it is detected.", "What to do."]);
    },
  );

  test("each is brought up by a test", () => {
    const tests = (readdirSync(join(root, "test"), { recursive: true }) as string[])
      .filter((file) => file.endsWith(".test.ts") && !file.startsWith("report"))
      .map((file) => readFileSync(join(root, "test", file), "utf8"))
      .join();
    expect([...emitted].filter((code) => !new RegExp(`\\b${code}\\b`).test(tests))).toEqual([]);
  });

  test("the report has advice for each", () => {
    expect(Object.keys(warningAdvice).toSorted()).toEqual([...emitted].toSorted());
  });
});
