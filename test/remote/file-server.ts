import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a server did with a request. */
export interface Served {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly status: number;
}

/** How a server misbehaves, request after request; after the last it behaves. */
export type Mishap =
  /** Sends so many bytes of the body and breaks the connection. */
  | { readonly cutAfter: number }
  | { readonly status: number }
  /** As if the server knew no ranges. */
  | { readonly whole: true }
  /** Sends so many bytes and then nothing, for ever. */
  | { readonly stallAfter: number };

export interface FileServer {
  readonly url: string;
  readonly requests: Served[];
  readonly files: Map<string, Uint8Array>;
  mishaps: Mishap[];
  /** The version's name, where it is not made of the bytes. */
  etag: ((bytes: Uint8Array) => string | undefined) | undefined;
  /** Answers what is none of `files`: true when it did. */
  also: (request: IncomingMessage, response: ServerResponse, body: string) => boolean;
  close(): Promise<void>;
}

/** Before a connection is broken: time for its last bytes to be read. */
const CUT_MS = 30;

/** Serves bytes from memory on a port of its own, with ETag, Range and If-Range as RFC 9110 has them. */
export async function serveFiles(files: Readonly<Record<string, Uint8Array>> = {}): Promise<FileServer> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      answer(own, request, response, body);
      own.requests.push({ path: request.url ?? "", headers: request.headers, status: response.statusCode });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const own: FileServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    files: new Map(Object.entries(files)),
    mishaps: [],
    etag: undefined,
    also: () => false,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return own;
}

function answer(server: FileServer, request: IncomingMessage, response: ServerResponse, body: string): void {
  const bytes = server.files.get(decodeURIComponent(request.url ?? ""));
  if (!bytes) {
    if (!server.also(request, response, body)) response.writeHead(404).end();
    return;
  }
  const mishap = server.mishaps.shift();
  if (mishap && "status" in mishap) return void response.writeHead(mishap.status).end();
  const etag = server.etag ? server.etag(bytes) : `"${sha256(bytes).slice(0, 16)}"`;
  if (etag !== undefined) response.setHeader("etag", etag);
  const { range } = request.headers;
  const condition = request.headers["if-range"];
  const [, from] = (mishap && "whole" in mishap ? null : /^bytes=(\d+)-$/.exec(range ?? "")) ?? [];
  const start = from !== undefined && (condition === undefined || condition === etag) ? Number(from) : 0;
  if (start >= bytes.length && start > 0) {
    return void response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
  }
  const content = bytes.subarray(start);
  response.writeHead(start > 0 ? 206 : 200, {
    "content-length": content.length,
    ...(start > 0 && { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  });
  if (mishap && "cutAfter" in mishap) {
    // Node's fetch drops what it has not handed on when a connection breaks.
    response.write(content.subarray(0, mishap.cutAfter), () => setTimeout(() => response.destroy(), CUT_MS));
  } else if (mishap && "stallAfter" in mishap) response.write(content.subarray(0, mishap.stallAfter));
  else response.end(content);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Bytes that do not repeat, so that a place that was missed or taken twice shows. */
export function someBytes(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24);
}
