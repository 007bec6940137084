import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { hostname } from "node:os";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { Claims } from "../../src/store/claims.ts";
import { canonical, contentKey } from "../../src/store/content-key.ts";
import { ResultFolder } from "../../src/store/result-folder.ts";

const scratch = mkdtempSync(join(tmpdir(), "flatness-store-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("content keys", () => {
  test("do not depend on the order of keys, and on everything else", () => {
    expect(contentKey({ a: 1, b: { c: [1, 2], d: undefined } })).toBe(contentKey({ b: { c: [1, 2] }, a: 1 }));
    expect(contentKey({ a: [1, 2] })).not.toBe(contentKey({ a: [2, 1] }));
    expect(contentKey({ a: "1" })).not.toBe(contentKey({ a: 1 }));
  });

  test("canonical JSON is the same value", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.parse(canonical(JSON.parse(text)))).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe("a folder of results", () => {
  test("gives back what was written; the first of two writers wins", () => {
    const results = new ResultFolder(join(scratch, "made", "on", "the", "way"));
    const bytes = Uint8Array.of(1, 2, 3);
    results.commit("ab12", { "rows.json": "[]", "model.bin": bytes });
    results.commit("ab12", { "rows.json": "other" });
    expect(results.keys()).toEqual(["ab12"]);
    expect(new Uint8Array(results.read("ab12", "model.bin")!)).toEqual(bytes);
    expect(new TextDecoder().decode(results.read("ab12", "rows.json"))).toBe("[]");
    expect(results.read("ab12", "absent")).toBeUndefined();
    expect(readdirSync(results.path)).toEqual(["ab12"]);
    results.discard("ab12");
    expect(results.has("ab12")).toBe(false);
  });

  test("is swept of claims on what is finished, and of no others", () => {
    const results = new ResultFolder(join(scratch, "claimed"));
    results.commit("ab12", { "rows.json": "[]" });
    for (const key of ["ab12", "cd34"]) writeFileSync(join(results.path, `.${key}.claim`), "elsewhere 1");
    results.sweep();
    expect(readdirSync(results.path).sort()).toEqual([".cd34.claim", "ab12"]);
  });

  test("a path through a file is refused", () => {
    writeFileSync(join(scratch, "file"), "");
    expect(() => new ResultFolder(join(scratch, "file"))).toThrow(UsageError);
    expect(() => new ResultFolder(join(scratch, "file", "x"))).toThrow(
      /x: cannot be written: a part of the path is a file/,
    );
  });
});

describe("claims", () => {
  const folder = join(scratch, "claims");
  new ResultFolder(folder);

  test("are held by one, and free when released or closed", () => {
    const [one, two] = [new Claims(folder), new Claims(folder)];
    expect([one.take("a"), two.take("a"), two.take("b")]).toEqual([true, false, true]);
    one.release("a");
    expect(two.take("a")).toBe(true);
    two.close();
    expect([one.take("a"), one.take("b")]).toEqual([true, true]);
    one.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of a process that is gone, or of a machine that does not renew them, are taken over", () => {
    const claims = new Claims(folder);
    writeFileSync(join(folder, ".dead.claim"), `${hostname()} ${spawnSync("true").pid}`);
    writeFileSync(join(folder, ".alive.claim"), `${hostname()} ${process.ppid}`);
    writeFileSync(join(folder, ".far.claim"), "elsewhere 1");
    writeFileSync(join(folder, ".silent.claim"), "elsewhere 1");
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(join(folder, ".silent.claim"), hourAgo, hourAgo);
    expect(["dead", "alive", "far", "silent"].map((key) => claims.take(key))).toEqual([true, false, false, true]);
    claims.close();
  });
});
