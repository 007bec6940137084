import Table from "cli-table3";
import { Command } from "commander";
import { UsageError } from "../errors.ts";
import { cachedSources, type CachedSource } from "../remote/cached.ts";
import { fetchSet, knownSet } from "../remote/fetch-set.ts";
import { settings } from "../remote/files.ts";
import { isHubAddress, parseHubAddress } from "../remote/hub-address.ts";
import { knownSets } from "../remote/known-sets.ts";
import { localData, localModel } from "../remote/local-path.ts";
import { syntheticCommand } from "./data-synthetic.ts";
import { formatOption, type Format } from "./options.ts";
import { downloadProgress } from "./progress.ts";

interface FetchFlags {
  readonly out?: string;
  readonly mirror?: string;
  readonly split?: string;
  readonly format: Format;
}

const sets = knownSets.map(({ name, description }) => `  ${name.padEnd(15)}${description}`).join("\n");

const fetchExamples = `
Data sets:
${sets}

Examples:
  $ flatness data fetch mnist
  $ flatness data fetch cifar10 --out data/
  $ flatness data fetch fashion-mnist --mirror https://mirror.example.org/fashion-mnist/
  $ flatness data fetch hf://datasets/owner/name --split test

Files are kept in $FLATNESS_CACHE (default: flatness in $XDG_CACHE_HOME or ~/.cache), their checksums are compared, and
what was interrupted is gone on with. The hub is $HF_ENDPOINT, the token for what is private $HF_TOKEN.`;

const listExamples = `
Examples:
  $ flatness data list
  $ flatness data list --format json`;

export function dataCommand(): Command {
  return new Command("data")
    .description("fetch data sets and models, list those that were fetched, and make synthetic ones")
    .addCommand(fetchCommand())
    .addCommand(listCommand())
    .addCommand(syntheticCommand());
}

function fetchCommand(): Command {
  return new Command("fetch")
    .description("fetch a data set by its name, or data or a model from the Hugging Face hub")
    .argument("<name>", `${knownSets.map(({ name }) => name).join(", ")}, or an hf:// address`)
    .option("--out <folder>", "put the files of a named set there instead of into the cache")
    .option("--mirror <url>", "where files of the same names lie, instead of at the publisher's")
    .option("--split <name>", "of a data set of the hub (default: train)")
    .addOption(formatOption(["table", "json"]))
    .addHelpText("after", fetchExamples)
    .action(runFetch);
}

async function runFetch(name: string, flags: FetchFlags): Promise<void> {
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort());
  const downloads = downloadProgress(process.stderr);
  const options = { signal: interrupt.signal, onDownload: downloads.update };
  const run = isHubAddress(name) ? fetchFromHub(name, flags, options) : fetchNamed(name, flags, options);
  const { text, ...result } = await run.finally(downloads.finish);
  process.stdout.write(`${flags.format === "json" ? JSON.stringify(result, null, 2) : text}\n`);
}

type Fetching = Parameters<typeof localModel>[1];

async function fetchNamed(name: string, { out, mirror, split }: FetchFlags, options: Fetching) {
  if (split !== undefined) throw new UsageError("--split: for data sets of the hub; this one is fetched whole.");
  const set = knownSet(name);
  const { folder, fetched } = await fetchSet(set, settings(), { ...options, folder: out, mirror });
  const files = set.files.map((file) => ({ ...file, fetched: fetched.includes(file) }));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const came = fetched.length === 0 ? "was there" : `${fetched.length} of ${files.length} files fetched`;
  return { name, folder, files, text: `${name}: ${came}, ${size(bytes)} in ${folder}` };
}

async function fetchFromHub(source: string, { out, mirror, split }: FetchFlags, options: Fetching) {
  if (out !== undefined) throw new UsageError("--out: for named sets; what comes from the hub is kept in the cache.");
  if (mirror !== undefined) throw new UsageError("--mirror: for named sets; HF_ENDPOINT names another hub.");
  const isModel = parseHubAddress(source).kind === "models";
  if (isModel && split !== undefined) throw new UsageError("--split: for data sets; this is a model.");
  const { name, path } = await (isModel ? localModel(source, options) : localData(source, { ...options, split }));
  return { name, path, text: `${name}: in ${path}` };
}

function listCommand(): Command {
  return new Command("list")
    .description("list what was fetched, and where it lies")
    .addOption(formatOption(["table", "json"]))
    .addHelpText("after", listExamples)
    .action(async ({ format }: { format: Format }) => {
      const { cache } = settings();
      const sources = await cachedSources(settings());
      const text = format === "json" ? JSON.stringify({ cache, sources }, null, 2) : list(cache, sources);
      process.stdout.write(`${text}\n`);
    });
}

function list(cache: string, sources: readonly CachedSource[]): string {
  if (sources.length === 0) return `${cache}: nothing fetched yet. Start with: flatness data fetch mnist`;
  const table = new Table({
    head: ["name", "files", "size", "state", "folder"],
    style: { head: [], border: [], compact: true },
    colAligns: ["left", "right", "right", "left", "left"],
  });
  for (const { name, folder, files, bytes, unfinished, missing = 0 } of sources) {
    const state = [
      ...(missing > 0 ? [`${missing} missing`] : []),
      ...(unfinished > 0 ? [`${size(unfinished)} of an unfinished file`] : []),
    ];
    table.push([name, files, size(bytes), state.join(", ") || "whole", folder]);
  }
  return table.toString();
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
