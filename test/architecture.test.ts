import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../src");

/** Which rooms each room may import, besides graph/ and itself. Imports run one way. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  graph: [],
  losses: [],
  calculus: ["losses"],
  lowering: [],
  runtime: [],
  statistics: [],
  data: ["statistics"],
  checkpoints: ["data"],
  remote: ["data"],
  measures: ["losses", "calculus", "statistics"],
  evaluation: ["measures", "losses", "calculus", "lowering", "runtime", "data", "statistics"],
  theory: ["measures", "evaluation", "runtime", "data", "statistics"],
  training: [
    "measures",
    "evaluation",
    "calculus",
    "losses",
    "lowering",
    "runtime",
    "data",
    "statistics",
    "checkpoints",
    "remote",
    "store",
  ],
  store: [],
  runner: ["store"],
  report: ["statistics", "evaluation", "theory", "studies"],
  studies: [
    "measures",
    "evaluation",
    "theory",
    "training",
    "store",
    "runner",
    "statistics",
    "checkpoints",
    "data",
    "runtime",
  ],
};
/** The doors: they may import every room, and of the rooms only cli may import them. */
const doors = new Set(["", "cli"]);
/** Files at the root that every room may import. */
const shared = new Set(["errors.ts", "version.ts", "yaml-document.ts"]);
/** Where the machine begins: everything else also runs in a page. */
const node = /^(runtime\/node|store\/.*|runner\/.*|cli\/.*|(.*\/)?files)\.ts$/;

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = (readdirSync(root, { recursive: true }) as string[]).filter((file) => file.endsWith(".ts"));
const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(root, file), "utf8");
  const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] as string);
  return targets.map((target) => ({
    from: file,
    to: target.startsWith(".") ? relative(root, resolve(root, dirname(file), target)) : target,
  }));
});

function room(file: string): string {
  return file.includes("/") ? (file.split("/")[0] as string) : "";
}

describe("architecture", () => {
  test("the sources are found", () => {
    expect(imports.length).toBeGreaterThan(100);
  });

  test("imports run one way", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!to.endsWith(".ts") || shared.has(to)) return false;
      const [here, there] = [room(from), room(to)];
      if (doors.has(here)) return there === "cli" && here !== "cli";
      if (doors.has(there)) return true;
      return here !== there && there !== "graph" && !(allowed[here] ?? []).includes(there);
    });
    expect(wrong).toEqual([]);
  });

  test("report reads result rows and nothing else of evaluation and theory", () => {
    const wrong = imports.filter(
      ({ from, to }) => room(from) === "report" && /^(evaluation|theory)\//.test(to) && to !== `${room(to)}/result.ts`,
    );
    expect(wrong).toEqual([]);
  });

  test("only the edge knows the machine", () => {
    const wrong = imports.filter(
      ({ from, to }) => (to.startsWith("node:") || to === "onnxruntime-node") && !node.test(from),
    );
    expect(wrong).toEqual([]);
  });

  test("no room is called after nothing", () => {
    expect(files.filter((file) => /(^|\/)(utils?|helpers?|common|misc|core)(\.|\/)/.test(file))).toEqual([]);
  });

  test("no file holds several concepts", () => {
    const long = files.filter((file) => {
      const lines = readFileSync(join(root, file), "utf8").split("\n").length;
      return lines > 300 && !file.endsWith("_pb.ts");
    });
    expect(long).toEqual([]);
  });
});
