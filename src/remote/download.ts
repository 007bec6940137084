import { DownloadError, Interruption } from "../errors.ts";

/** What is fetched, and what it is known to be. */
export interface RemoteFile {
  /** What messages call it. */
  readonly name: string;
  readonly url: string;
  readonly bytes: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The first bytes of a file that is being fetched, kept when the fetching ends early. */
export interface PartialFile {
  readonly bytes: number;
  /** What the server called the version that the bytes are of: a strong ETag, else a date. */
  readonly validator: string | undefined;
  /** Throws the bytes away; those to come are of this version. */
  restart(validator: string | undefined): Promise<void>;
  append(chunk: Uint8Array): Promise<void>;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  /** `done` of `total` bytes of a file are there. */
  readonly onDownload?: (file: string, done: number, total: number) => void;
  /** Milliseconds before each new attempt after one that brought nothing. */
  readonly waits?: readonly number[];
}

const defaultWaits = [1_000, 4_000, 15_000];

/** A failure that another attempt may not have. */
class Unfinished extends Error {}

/**
 * Fetches what `part` lacks of a file, in several attempts where connections end early. Bytes that are there are kept if
 * the server still has the version that they are of (Range with If-Range, RFC 9110 sections 13.1.5 and 14.2), else all
 * are fetched. No more than `file.bytes` are ever written; whether they are the right ones is the caller's to check.
 *
 * @throws DownloadError when the server refuses, has another length, or no attempt succeeds; Interruption when
 *   `signal` aborts
 */
export async function download(
  file: RemoteFile,
  part: PartialFile,
  { signal, onDownload, waits = defaultWaits }: DownloadOptions = {},
): Promise<void> {
  if (part.bytes > file.bytes) await part.restart(undefined);
  let failures = 0;
  while (part.bytes < file.bytes) {
    const before = part.bytes;
    try {
      signal?.throwIfAborted();
      await receive(file, part, signal, () => onDownload?.(file.name, part.bytes, file.bytes));
    } catch (error) {
      const kept = `${part.bytes} of ${file.bytes} bytes are kept, and the same command goes on from there`;
      if (signal?.aborted) throw new Interruption(`${file.name}: ${kept}`);
      if (!(error instanceof Unfinished)) throw error;
      failures = part.bytes > before ? 0 : failures + 1;
      const wait = waits[failures === 0 ? 0 : failures - 1];
      if (wait === undefined) throw new DownloadError(`${file.name}: ${error.message}; ${kept}.`, { cause: error });
      await pause(wait, signal);
    }
  }
}

async function receive(
  file: RemoteFile,
  part: PartialFile,
  signal: AbortSignal | undefined,
  progress: () => void,
): Promise<void> {
  const resumed = part.bytes > 0 && part.validator !== undefined;
  const range = resumed && { range: `bytes=${part.bytes}-`, "if-range": part.validator };
  // A compressed answer would have neither this length nor these places.
  const headers = { ...file.headers, "accept-encoding": "identity", ...range };
  const response = await attempt(file, () => fetch(file.url, { headers, signal: signal ?? null }));
  try {
    checkLength(file, response);
    if (response.status === 200) await part.restart(validatorOf(response));
    else if (!(resumed && isRest(file, part, response))) await refuse(file, part, response);
  } catch (error) {
    await response.body?.cancel();
    throw error;
  }
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await attempt(file, () => reader.read());
      if (done) break;
      if (part.bytes + value.length > file.bytes) {
        await part.restart(undefined);
        throw new DownloadError(`${file.name}: ${file.url} sends more than the ${file.bytes} bytes expected.`);
      }
      await part.append(value);
      progress();
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (part.bytes < file.bytes) throw new Unfinished(`the connection to ${hostOf(file)} ended early`);
}

/** Failures of the connection become Unfinished. */
async function attempt<T>(file: RemoteFile, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new Unfinished(`no connection to ${hostOf(file)}: ${reasonOf(error)}`, { cause: error });
  }
}

/** What a failed fetch says: the system's reason stands in the cause. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const inner = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : undefined;
  return inner ?? message;
}

function hostOf({ url }: RemoteFile): string {
  return new URL(url).host;
}

/** Whether the answer is the bytes that are lacking. */
function isRest(file: RemoteFile, part: PartialFile, { status, headers }: Response): boolean {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
  return status === 206 && Number(start) === part.bytes && (total === "*" || Number(total) === file.bytes);
}

/** Before anything is written: another length is another file. */
function checkLength(file: RemoteFile, response: Response): void {
  const length = response.headers.get("content-length");
  if (length === null || response.status !== 200 || response.headers.get("content-encoding") !== null) return;
  if (Number(length) !== file.bytes) {
    throw new DownloadError(`${file.name}: expected ${file.bytes} bytes, ${file.url} has ${length}.`);
  }
}

async function refuse(file: RemoteFile, part: PartialFile, { status, statusText }: Response): Promise<never> {
  const answer = `${file.url} answers ${status} ${statusText}`.trim();
  if (status === 416 || status === 206) {
    // Other bytes than were asked for: the next attempt asks for all.
    await part.restart(undefined);
    throw new Unfinished(answer);
  }
  if (status === 408 || status === 429 || status >= 500) throw new Unfinished(answer);
  throw new DownloadError(`${file.name}: ${answer}.`);
}

/** A weak ETag names no bytes, and must not stand in If-Range. */
function validatorOf({ headers }: Response): string | undefined {
  const etag = headers.get("etag");
  return etag?.startsWith('"') ? etag : (headers.get("last-modified") ?? undefined);
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    // The next attempt says that it was interrupted.
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
