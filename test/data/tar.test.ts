import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it, test } from "vitest";
import { FileReader } from "../../src/data/file-reader.ts";
import { tarMembers } from "../../src/data/tar.ts";
import { DataError } from "../../src/errors.ts";
import { survivesMutations } from "../mutations.ts";
import { pageFile } from "./memory-files.ts";
import { joined, put, tarBytes, tarMember } from "./tar-bytes.ts";

const content = (length: number) => Uint8Array.from({ length }, (_, i) => i % 251);
const gz = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes));

async function list(name: string, bytes: Uint8Array, wanted: (name: string) => boolean = () => true) {
  const reader = new FileReader(pageFile(name, bytes));
  const members: [string, number, Uint8Array | undefined][] = [];
  try {
    for await (const member of tarMembers(reader)) {
      members.push([member.name, member.size, wanted(member.name) ? await member.bytes() : undefined]);
    }
  } finally {
    await reader.close();
  }
  return members;
}

/** Written by tars.py. */
const written: Record<string, string> = JSON.parse(readFileSync(new URL("./tars.json", import.meta.url), "utf8"));

describe("what Python's tarfile packs", () => {
  const longName = `${Array(6)
    .fill(`directory-${"x".repeat(40)}`)
    .join("/")}/é.bin`;
  test.each(Object.keys(written))("%s", async (format) => {
    const bytes = new Uint8Array(Buffer.from(written[format]!, "base64"));
    expect(await list("a.tar.gz", bytes)).toEqual([
      ["folder/a.bin", 600, content(600)],
      ["folder/empty", 0, new Uint8Array(0)],
      [`${"d".repeat(90)}/${"f".repeat(90)}`, 600, content(600)],
      ...(format === "ustar" ? [] : [[longName, 600, content(600)]]),
      ["last", 1, Uint8Array.of(0x7a)],
    ]);
  });
});

describe("files written by hand", () => {
  const three = tarBytes([
    ["a", content(512)],
    ["b", content(200_000)],
    ["c", content(1)],
  ]);

  it("contents that nobody asks for are passed over", async () => {
    for (const [name, bytes] of [["a.tar", three] as const, ["a.tgz", gz(three)] as const]) {
      expect(await list(name, bytes, (member) => member === "c")).toEqual([
        ["a", 512, undefined],
        ["b", 200_000, undefined],
        ["c", 1, Uint8Array.of(0)],
      ]);
    }
  });

  it("a size in base 256", async () => {
    const member = tarMember("a", content(300), (header) => {
      header.fill(0, 124, 136);
      header.set([0x80], 124);
      header.set([1, 44], 134);
    });
    expect(await list("a.tar", joined([...member, new Uint8Array(512)]))).toEqual([["a", 300, content(300)]]);
  });

  const part = (header: (bytes: Uint8Array) => void, bytes = content(3)) =>
    joined([...tarMember("a", bytes, header), new Uint8Array(1024)]);
  const pax = (records: string) => {
    const bytes = new TextEncoder().encode(records);
    return joined([
      ...tarMember("a", bytes, (h) => put(h, 156, "x")),
      ...tarMember("b", content(3)),
      new Uint8Array(512),
    ]);
  };
  const cases: [what: string, name: string, bytes: Uint8Array, message: string][] = [
    ["nothing", "a.tar", new Uint8Array(0), "a.tar: truncated: expected 512 bytes of the next member's header"],
    [
      "something else",
      "a.tar",
      content(1024),
      "a.tar: byte 0: damaged, or not a tar file: expected a header whose checksum fits.",
    ],
    [
      "a changed header",
      "a.tar",
      three.with(1025, 9),
      "a.tar: byte 1024: damaged, or not a tar file: expected a header whose checksum fits.",
    ],
    [
      "cut before a header",
      "a.tar",
      three.subarray(0, 1024),
      "bytes of the next member's header, or of the end's zeros, after byte 1024, have 0.",
    ],
    [
      "cut in a content",
      "a.tar",
      three.subarray(0, 3000),
      "a.tar: byte 1024: truncated: expected 200000 bytes of content after byte 1536, have at most 1464.",
    ],
    [
      "cut in a content, in gzip",
      "a.tar.gz",
      gz(three).subarray(0, 700),
      "a.tar.gz: damaged or truncated gzip: expected",
    ],
    [
      "a size beyond the file",
      "a.tar",
      part((h) => put(h, 124, "77777777777\0")),
      "a.tar: byte 0: truncated: expected 8589934591 bytes of content after byte 512, have at most 1536.",
    ],
    [
      "the same in gzip, beyond what it can hold",
      "a.tar.gz",
      gz(part((h) => put(h, 124, "77777777777\0"))),
      "a.tar.gz: byte 0: truncated: expected 8589934591 bytes of content after byte 512, have at most",
    ],
    ["a size that is none", "a.tar", part((h) => put(h, 124, "12345x")), 'expected octal digits as size, came "12345x'],
    ["attributes that are none", "a.tar", pax("path=b\n"), "a.tar: byte 0: damaged: expected a record of attributes."],
    [
      "a record beyond its end",
      "a.tar",
      pax("99 path=b\n"),
      "a.tar: byte 0: damaged: expected a record of attributes.",
    ],
    [
      "a record without content",
      "a.tar",
      pax("2 path=b\n"),
      "a.tar: byte 0: damaged: expected a record of attributes.",
    ],
    ["a size in words", "a.tar", pax("12 size=abc\n"), 'a.tar: byte 1024: damaged: expected a size, came "abc".'],
    [
      "attributes without end",
      "a.tar",
      part((h) => put(h, 156, "x"), content(2 ** 20 + 1)),
      "a.tar: byte 0: damaged: attributes of 1048577 bytes.",
    ],
  ];
  test.each(cases)("damage: %s", async (_, name, bytes, message) => {
    await expect(list(name, bytes)).rejects.toThrow(DataError);
    await expect(list(name, bytes)).rejects.toThrow(message);
  });

  it("a wrong checksum of gzip, behind the last member", async () => {
    const packed = gz(three);
    const changed = packed.with(packed.length - 6, packed.at(-6)! ^ 1);
    await expect(list("a.tar.gz", changed)).rejects.toThrow("damaged or truncated gzip");
  });

  it("thousands of damaged copies, plain and in gzip", async () => {
    const bytes = tarBytes([
      ["a", content(700)],
      ["b", content(10)],
    ]);
    await survivesMutations(bytes, (damaged) => list("a.tar", damaged), { runs: 1000 });
    await survivesMutations(gz(bytes), (damaged) => list("a.tar.gz", damaged), { runs: 1000, holds: bytes.length });
    const real = new Uint8Array(Buffer.from(written["pax"]!, "base64"));
    await survivesMutations(real, (damaged) => list("a.tar.gz", damaged), { runs: 1000, holds: 10 * 1024 });
  });
});
