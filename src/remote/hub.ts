import { DownloadError, Interruption } from "../errors.ts";
import { type DownloadOptions, reasonOf } from "./download.ts";
import { fetchFile, recall, remember, type Settings } from "./files.ts";
import { hubAddress, type HubAddress, isCommit } from "./hub-address.ts";
import { checkedEntries, folderOf, type HubEntry } from "./hub-entry.ts";

/** A repository at one commit; what was asked or fetched once is not asked or fetched again. */
export interface HubRepository {
  /** The whole repository, with the commit for a revision. */
  readonly address: HubAddress;
  /** Where its files lie, laid out as on the hub. */
  readonly folder: string;
  /** Entries of a folder, or of all folders below as well. */
  list(folder: string, recursive?: boolean): Promise<HubEntry[]>;
  /** Fetches a file, unless it is there. Resolves to its path on this machine. */
  fetch(entry: HubEntry): Promise<string>;
}

/**
 * The repository of an address, its revision resolved to a commit: one request, and none for an address that has a commit.
 * Of a commit that is in the cache nothing at all is requested.
 *
 * @throws DownloadError when there is none, or it may not be read
 */
export async function openHubRepository(
  address: HubAddress,
  settings: Settings,
  options: DownloadOptions,
): Promise<HubRepository> {
  const { kind, repository } = address;
  const shown = hubAddress(address);
  const hub = hubClient(shown, settings, options.signal);
  const commit = isCommit(address.revision)
    ? address.revision
    : await hub.ask(async ({ modelInfo, datasetInfo }, common) => {
        const info = kind === "models" ? modelInfo<"sha"> : datasetInfo<"sha">;
        const { sha } = await info({
          ...common,
          name: repository,
          revision: address.revision,
          additionalFields: ["sha"],
        });
        if (!isCommit(sha)) throw new DownloadError(`${shown}: expected a commit from ${settings.hub}, came ${sha}.`);
        return sha;
      });
  const root = `${settings.cache}/hub/${kind}/${repository}`;
  const folder = `${root}/files/${commit}`;
  const prefix = `${settings.hub}/${kind === "datasets" ? "datasets/" : ""}${repository}/resolve/${commit}/`;
  return {
    address: { ...address, revision: commit, path: "" },
    folder,
    async list(path, recursive = false) {
      const own = `${path}/`;
      const memory = (of: string, all: boolean) => `${root}/trees/${commit}/${of}${all ? "all-" : ""}entries.json`;
      const kept = recursive ? undefined : checkedEntries(await recall(memory(own, false)));
      if (kept) return kept;
      for (const above of foldersAbove(path)) {
        const all = checkedEntries(await recall(memory(`${above}/`, true)));
        const inside = all?.filter((entry) => path === "" || entry.path.startsWith(own));
        if (inside) return recursive ? inside : inside.filter((entry) => folderOf(entry.path) === path);
      }
      const entries = await hub.ask(async ({ listFiles }, common) => {
        const repo = { type: kind === "models" ? ("model" as const) : ("dataset" as const), name: repository };
        const asked = { ...common, repo, path: encoded(path), revision: commit, recursive };
        return entriesOf(listFiles(asked), shown);
      });
      await remember(memory(own, recursive), entries);
      return entries;
    },
    async fetch({ path, bytes, checksum }) {
      const target = `${folder}/${path}`;
      const url = prefix + encoded(path);
      await fetchFile({ name: path, url, bytes, headers: hub.headers }, checksum, target, options);
      return target;
    },
  };
}

async function entriesOf(listed: ReturnType<Hub["listFiles"]>, shown: string): Promise<HubEntry[]> {
  const entries: unknown[] = [];
  for await (const { type, path, size, oid = "", lfs } of listed) {
    const checksum = lfs ? { algorithm: "sha256", hex: lfs.oid } : { algorithm: "git-sha1", hex: oid };
    entries.push({ type: type === "file" ? "file" : "folder", path, bytes: lfs?.size ?? size, checksum });
  }
  const checked = checkedEntries(entries);
  if (checked) return checked;
  throw new DownloadError(`${shown}: the hub's list of its files has entries that are none, or lead out of it.`);
}

/** A folder and all that it is in. */
function foldersAbove(path: string): string[] {
  return path === "" ? [""] : [path, ...foldersAbove(folderOf(path))];
}

function encoded(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

type Hub = typeof import("@huggingface/hub");

/** Asks the hub, with the user's token and for as long as nobody interrupts, and says what went wrong. */
function hubClient(shown: string, { hub, token }: Settings, signal: AbortSignal | undefined) {
  // Not the package's own accessToken, which refuses the tokens of private hubs. It follows links; the token does not.
  const authorized = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  const common = {
    hubUrl: hub,
    fetch: (input: RequestInfo | URL, init: RequestInit = {}) => {
      const own = new URL(input instanceof Request ? input.url : input).origin === new URL(hub).origin;
      const headers = { ...(init.headers as Record<string, string>), ...(own && authorized) };
      return fetch(input, { ...init, headers, signal: signal ?? null });
    },
  };
  return {
    headers: authorized ?? {},
    async ask<T>(question: (api: Hub, options: typeof common) => Promise<T>): Promise<T> {
      const api = await import("@huggingface/hub");
      try {
        return await question(api, common);
      } catch (error) {
        if (signal?.aborted) throw new Interruption("nothing was written");
        if (error instanceof DownloadError) throw error;
        throw explained(error, api, shown, hub, token);
      }
    },
  };
}

function explained(error: unknown, api: Hub, shown: string, hub: string, token: string | undefined): DownloadError {
  if (!(error instanceof api.HubApiError)) {
    const hint = "an address with a commit whose files are in the cache needs no connection";
    return new DownloadError(`${shown}: no connection to ${hub}: ${reasonOf(error)}; ${hint}.`, { cause: error });
  }
  const { statusCode } = error;
  if (statusCode === 404) return new DownloadError(`${shown}: ${hub} has no such repository, revision or folder.`);
  if (statusCode === 401 || statusCode === 403) {
    const todo = token === undefined ? "set HF_TOKEN to a token that may read it" : "HF_TOKEN may not read it";
    return new DownloadError(`${shown}: no such repository, or a private or gated one: ${todo}.`);
  }
  return new DownloadError(`${shown}: ${hub} answers ${statusCode}: ${error.message}`);
}
