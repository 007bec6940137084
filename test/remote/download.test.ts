import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DownloadError, Interruption, UsageError } from "../../src/errors.ts";
import type { DownloadOptions } from "../../src/remote/download.ts";
import { fetchFile } from "../../src/remote/files.ts";
import { type FileServer, serveFiles, sha256, someBytes } from "./file-server.ts";

/** Three chunks of a socket and a bit, so that a file does not come at once. */
const content = someBytes(200_001);
const half = 100_000;

let server: FileServer;
let folder = "";
let target = "";
beforeEach(async () => {
  server = await serveFiles({ "/set/a.bin": content });
  folder = mkdtempSync(join(tmpdir(), "flatness-download-"));
  target = join(folder, "a.bin");
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const source = () => ({ name: "a.bin", url: `${server.url}/set/a.bin`, bytes: content.length });
const checksum = { algorithm: "sha256" as const, hex: sha256(content) };
const waits = [1, 1, 1];
const run = (options: DownloadOptions = {}) => fetchFile(source(), checksum, target, { waits, ...options });
const ranges = () => server.requests.map(({ headers, status }) => [headers.range, status]);
const fetched = () => Buffer.compare(readFileSync(target), content) === 0;
/** The target alone: nothing half-written, nothing left over. */
const alone = () => expect(readdirSync(folder)).toEqual(["a.bin"]);

/** Leaves the first bytes as a process does that was interrupted. */
function leavePart(bytes: Uint8Array, validator?: string, name = "a.bin.part"): string {
  const part = join(folder, name);
  mkdirSync(part);
  writeFileSync(join(part, "content"), bytes);
  if (validator !== undefined) writeFileSync(join(part, "validator"), validator);
  return part;
}
const etag = `"${sha256(content).slice(0, 16)}"`;

describe("a file", () => {
  test("is fetched once, with its progress", async () => {
    const seen: [string, number, number][] = [];
    expect(await run({ onDownload: (...args) => seen.push(args) })).toBe(true);
    expect(fetched()).toBe(true);
    alone();
    const done = seen.map(([, bytes]) => bytes);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toEqual(["a.bin", content.length, content.length]);
    expect(await run()).toBe(false);
    expect(ranges()).toEqual([[undefined, 200]]);
    expect(server.requests[0]!.headers["accept-encoding"]).toBe("identity");
  });

  test("of no bytes", async () => {
    server.files.set("/set/a.bin", new Uint8Array());
    const empty = { algorithm: "sha256" as const, hex: sha256(new Uint8Array()) };
    expect(await fetchFile({ ...source(), bytes: 0 }, empty, target, {})).toBe(true);
    expect(readFileSync(target).length).toBe(0);
  });

  test("whose checksum is git's: the SHA-1 that git hash-object prints", async () => {
    server.files.set("/set/a.bin", new TextEncoder().encode("hello\n"));
    const hello = { algorithm: "git-sha1" as const, hex: "ce013625030ba8dba906f756967f9e9ca394464a" };
    expect(await fetchFile({ ...source(), bytes: 6 }, hello, target, {})).toBe(true);
  });

  test("of another length in its place is replaced", async () => {
    writeFileSync(target, "short");
    expect(await run()).toBe(true);
    expect(fetched()).toBe(true);
    alone();
  });
});

describe("a connection that ends early", () => {
  test("is taken up where it ended", async () => {
    server.mishaps = [{ cutAfter: half }, { cutAfter: half / 2 }];
    expect(await run()).toBe(true);
    expect(fetched()).toBe(true);
    const [first, second, third] = server.requests;
    expect(first!.headers.range).toBeUndefined();
    for (const request of [second, third]) {
      expect([request!.status, request!.headers["if-range"]]).toEqual([206, etag]);
      expect(Number(/bytes=(\d+)-/.exec(request!.headers.range!)![1])).toBeGreaterThan(0);
    }
  });

  test("that brings something each time is taken up any number of times", async () => {
    server.mishaps = Array.from({ length: 9 }, () => ({ cutAfter: 20_000 }));
    expect(await run()).toBe(true);
    expect(server.requests).toHaveLength(10);
  });

  test("and brings nothing four times is given up; the part is kept", async () => {
    server.mishaps = [{ cutAfter: half }, ...Array.from({ length: 9 }, () => ({ status: 503 }))];
    const failure = await run().catch((error: unknown) => error as Error);
    expect(failure).toBeInstanceOf(DownloadError);
    expect(failure).toMatchObject({
      message: expect.stringMatching(
        /^a\.bin: http.*\/set\/a\.bin answers 503 Service Unavailable; \d+ of 200001 bytes are kept, and the same command goes on from there\.$/,
      ),
    });
    expect(server.requests).toHaveLength(5);
    expect(readdirSync(folder)).toEqual(["a.bin.part"]);
    server.mishaps = [];
    expect(await run()).toBe(true);
    expect(fetched()).toBe(true);
    expect(server.requests.at(-1)!.status).toBe(206);
    alone();
  });

  test("or is none: who was asked, and why not", async () => {
    await server.close();
    await expect(run()).rejects.toThrow(
      /^a\.bin: no connection to 127\.0\.0\.1:\d+: .*ECONNREFUSED.*; 0 of 200001 bytes/,
    );
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("bytes that were left", () => {
  test("by an interrupted process are gone on from", async () => {
    leavePart(content.subarray(0, half), etag);
    await run();
    expect(ranges()).toEqual([[`bytes=${half}-`, 206]]);
    expect(fetched()).toBe(true);
    alone();
  });

  test("of another version are fetched anew", async () => {
    leavePart(someBytes(half, 2), '"another"');
    await run();
    expect(ranges()).toEqual([[`bytes=${half}-`, 200]]);
    expect(fetched()).toBe(true);
  });

  test("of which no version is known are fetched anew", async () => {
    leavePart(content.subarray(0, half));
    await run();
    expect(ranges()).toEqual([[undefined, 200]]);
    expect(fetched()).toBe(true);
  });

  test("from a server that names versions weakly are fetched anew", async () => {
    server.etag = () => 'W/"1"';
    server.mishaps = [{ cutAfter: half }];
    await run();
    expect(ranges()).toEqual([
      [undefined, 200],
      [undefined, 200],
    ]);
    expect(fetched()).toBe(true);
  });

  test("from a server without ranges are fetched anew", async () => {
    leavePart(content.subarray(0, half), etag);
    server.mishaps = [{ whole: true }];
    await run();
    expect(ranges()).toEqual([[`bytes=${half}-`, 200]]);
    expect(fetched()).toBe(true);
  });

  test("that are damaged are found out, and fetched anew", async () => {
    leavePart(someBytes(half, 2), etag);
    expect(await run()).toBe(true);
    expect(ranges()).toEqual([
      [`bytes=${half}-`, 206],
      [undefined, 200],
    ]);
    expect(fetched()).toBe(true);
    alone();
  });

  test("that are all there need no request", async () => {
    leavePart(content, etag);
    expect(await run()).toBe(true);
    expect(server.requests).toEqual([]);
    expect(fetched()).toBe(true);
  });

  test("that are more than the file has are fetched anew", async () => {
    leavePart(new Uint8Array(Buffer.concat([content, content])), etag);
    expect(await run()).toBe(true);
    expect(fetched()).toBe(true);
  });

  test("by a process that is gone are gone on from, those of one that writes are not touched", async () => {
    const live = leavePart(content.subarray(0, half), etag, "a.bin.11111111.part");
    const dead = leavePart(content.subarray(0, half), etag, "a.bin.22222222.part");
    const long = Date.now() / 1000 - 3600;
    utimesSync(join(dead, "content"), long, long);
    await run();
    expect(ranges()).toEqual([[`bytes=${half}-`, 206]]);
    expect(existsSync(live)).toBe(true);
    expect(existsSync(dead)).toBe(false);
    expect(fetched()).toBe(true);
  });
});

describe("what is refused", () => {
  test("bytes of another checksum: the file is not there, and nothing is left of them", async () => {
    server.files.set("/set/a.bin", someBytes(content.length, 3));
    const came = sha256(someBytes(content.length, 3));
    await expect(run()).rejects.toThrow(
      new DownloadError(`a.bin: damaged: expected sha256 ${checksum.hex}, ${source().url} has ${came}.`),
    );
    expect(readdirSync(folder)).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  test("another length, before any of it is written", async () => {
    server.files.set("/set/a.bin", content.subarray(1));
    await expect(run()).rejects.toThrow(new DownloadError(`a.bin: expected 200001 bytes, ${source().url} has 200000.`));
    expect(readdirSync(folder)).toEqual([]);
  });

  test("more than the length, of a server that says none", async () => {
    server.files.delete("/set/a.bin");
    server.also = (_, response) => {
      response.writeHead(200, { "transfer-encoding": "chunked" });
      for (let sent = 0; sent < 300_000; sent += 10_000) response.write(someBytes(10_000));
      response.end();
      return true;
    };
    await expect(run()).rejects.toThrow(`a.bin: ${source().url} sends more than the 200001 bytes expected.`);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a file that is not there, at once", async () => {
    server.files.clear();
    await expect(run()).rejects.toThrow(new DownloadError(`a.bin: ${source().url} answers 404 Not Found.`));
    expect(server.requests).toHaveLength(1);
  });

  test("a folder that cannot be written to", async () => {
    writeFileSync(join(folder, "file"), "");
    const inside = fetchFile(source(), checksum, join(folder, "file", "a.bin"), {});
    await expect(inside).rejects.toThrow(UsageError);
    await expect(inside).rejects.toThrow(/cannot be written: .*FLATNESS_CACHE names another folder for downloads\.$/);
    expect(server.requests).toEqual([]);
  });
});

describe("an interruption", () => {
  test("keeps what has come, says how much, and the next run goes on", async () => {
    server.mishaps = [{ stallAfter: half }];
    const interrupt = new AbortController();
    const onDownload = (_: string, done: number) => done >= half && interrupt.abort();
    const failure = run({ signal: interrupt.signal, onDownload });
    await expect(failure).rejects.toThrow(
      new Interruption(`a.bin: ${half} of 200001 bytes are kept, and the same command goes on from there`),
    );
    expect(readFileSync(join(folder, "a.bin.part", "content")).length).toBe(half);
    await run();
    expect(ranges()).toEqual([
      [undefined, 200],
      [`bytes=${half}-`, 206],
    ]);
    expect(fetched()).toBe(true);
    alone();
  });

  test("between two attempts ends at once", async () => {
    server.mishaps = [{ status: 503 }];
    const interrupt = new AbortController();
    const started = performance.now();
    setTimeout(() => interrupt.abort(), 50);
    await expect(run({ signal: interrupt.signal, waits: [60_000] })).rejects.toThrow(Interruption);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

test("several at once: each gets the file, and nothing is left over", async () => {
  const results = await Promise.all(Array.from({ length: 6 }, () => run()));
  expect(results).toContain(true);
  expect(fetched()).toBe(true);
  alone();
});
