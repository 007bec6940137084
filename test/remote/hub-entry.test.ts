import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { DataError } from "../../src/errors.ts";
import { recall, remember } from "../../src/remote/files.ts";
import { isInside } from "../../src/remote/hub-address.ts";
import { checkedEntries, type HubEntry } from "../../src/remote/hub-entry.ts";
import { survivesMutations } from "../mutations.ts";

const folder = mkdtempSync(join(tmpdir(), "flatness-entries-"));
afterAll(() => rmSync(folder, { recursive: true }));

const sha256 = { algorithm: "sha256" as const, hex: "c4a38c50a1bc5f3a" };
const entries: HubEntry[] = [
  { type: "folder", path: "data", bytes: 0, checksum: { algorithm: "git-sha1", hex: "ce013625" } },
  { type: "file", path: "data/train.parquet", bytes: 123456, checksum: sha256 },
];

describe("a list that was kept", () => {
  test("is what was kept", async () => {
    const file = join(folder, "a/b.json");
    await remember(file, entries);
    expect(checkedEntries(await recall(file))).toEqual(entries);
    expect(await recall(join(folder, "none.json"))).toBeUndefined();
  });

  test("and damaged is none, or has entries that stay inside", async () => {
    const file = join(folder, "damaged.json");
    await survivesMutations(new TextEncoder().encode(JSON.stringify(entries)), async (bytes) => {
      writeFileSync(file, bytes);
      const read = checkedEntries(await recall(file));
      if (!read) throw new DataError("none");
      for (const { path, bytes: size } of read) expect(isInside(path) && size >= 0).toBe(true);
    });
  });
});

test.each([
  ["no list", {}],
  ["a path that leads out", [{ ...entries[1], path: "data/../../x" }]],
  ["a path from the root", [{ ...entries[1], path: "/etc/passwd" }]],
  ["a negative length", [{ ...entries[1], bytes: -1 }]],
  ["no checksum", [{ ...entries[1], checksum: undefined }]],
])("%s is no list of entries", (_, value) => {
  expect(checkedEntries(value)).toBeUndefined();
});
