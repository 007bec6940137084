import { createHash } from "node:crypto";
import type { FileServer } from "./file-server.ts";
import { serveFiles, sha256 } from "./file-server.ts";

/** A repository: what its revisions are, and the files of every commit. */
export interface FakeRepository {
  readonly revisions: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Only who has this token may see it. */
  readonly token?: string;
}

/** Files of more bytes are kept by LFS, and served by another host. */
export const LFS_BYTES = 1000;
/** Entries a page of a listing. */
const PAGE = 3;

export interface HubServer {
  readonly hub: FileServer;
  /** Where LFS files lie. */
  readonly storage: FileServer;
  close(): Promise<void>;
}

/**
 * A hub of our own, with the answers of the real one: `/api/…/revision/…` and `/api/…/tree/…` in JSON (by pages, the next
 * one in the Link header), `/…/resolve/…` with the bytes or a redirection to where LFS keeps them.
 *
 * @param repositories by `models/owner/name` or `datasets/owner/name`
 */
export async function serveHub(repositories: Readonly<Record<string, FakeRepository>>): Promise<HubServer> {
  const [hub, storage] = await Promise.all([serveFiles(), serveFiles()]);
  hub.also = (request, response) => {
    const url = new URL(request.url ?? "", hub.url);
    const path = decodeURIComponent(url.pathname);
    const json = (value: unknown, headers = {}) => {
      response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
      return true;
    };
    const refuse = (status: number, error: string) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
      return true;
    };
    const [, api, rest] = /^\/(api\/)?(.*)$/.exec(path)!;
    const whole = api ? rest! : rest!.startsWith("datasets/") ? rest! : `models/${rest}`;
    const [, key = "", verb, inside = ""] =
      /^((?:models|datasets)\/[^/]+\/[^/]+)\/(revision|tree|resolve)\/(.*)$/.exec(whole) ?? [];
    const repository = repositories[key];
    const allowed = repository?.token === undefined || request.headers.authorization === `Bearer ${repository.token}`;
    // The real one does not say that a private repository is there.
    if (!repository || !allowed) return refuse(401, "Invalid username or password.");
    const { revisions, files } = repository;
    if (verb === "revision") {
      const sha = revisions[inside];
      return sha ? json({ _id: "1", id: key.replace(/^\w+\//, ""), sha }) : refuse(404, "Invalid rev id");
    }
    const [commit = "", ...folders] = inside.split("/");
    if (!Object.values(revisions).includes(commit)) return refuse(404, "Invalid rev id");
    const place = folders.join("/");
    if (verb === "resolve") return resolve(response, storage, files[place]);
    const entries = tree(files, place, url.searchParams.get("recursive") === "true");
    if (entries.length === 0) return refuse(404, `${place} does not exist on "${commit}"`);
    const start = Number(url.searchParams.get("cursor") ?? 0);
    url.searchParams.set("cursor", String(start + PAGE));
    const more = start + PAGE < entries.length;
    return json(entries.slice(start, start + PAGE), more && { link: `<${url.href}>; rel="next"` });
  };
  return { hub, storage, close: async () => void (await Promise.all([hub.close(), storage.close()])) };
}

function resolve(response: Parameters<FileServer["also"]>[1], storage: FileServer, bytes: Uint8Array | undefined) {
  if (!bytes) response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
  else if (bytes.length <= LFS_BYTES) response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  else {
    const place = `/lfs/${sha256(bytes)}`;
    storage.files.set(place, bytes);
    response.writeHead(302, { location: storage.url + place }).end();
  }
  return true;
}

function tree(files: FakeRepository["files"], folder: string, recursive: boolean): object[] {
  const prefix = folder === "" ? "" : `${folder}/`;
  const entries = new Map<string, object>();
  for (const [path, bytes] of Object.entries(files)) {
    if (!path.startsWith(prefix)) continue;
    const parts = path.slice(prefix.length).split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      if (depth > 1 && !recursive) continue;
      const place = prefix + parts.slice(0, depth).join("/");
      entries.set(place, { type: "directory", oid: "0", size: 0, path: place });
    }
    if (parts.length > 1 && !recursive) continue;
    const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: 130 };
    const oid = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
    entries.set(path, {
      type: "file",
      path,
      ...(bytes.length > LFS_BYTES ? { oid: "0", size: bytes.length, lfs } : { oid, size: bytes.length }),
    });
  }
  return [...entries.values()];
}
