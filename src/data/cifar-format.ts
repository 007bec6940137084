import { DataError, UsageError } from "../errors.ts";
import { type ArrayOptions, arrayDataset } from "./array-dataset.ts";
import { type ByteFile, type Files, readAll } from "./byte-file.ts";
import { type CifarFile, type CifarLayout, cifarLayouts, readCifar, readCifarNames } from "./cifar.ts";
import type { Dataset } from "./dataset.ts";
import { FileReader } from "./file-reader.ts";
import { chosenSplit, type Format, type Source } from "./format.ts";
import { tarMembers } from "./tar.ts";

/**
 * CIFAR-10 and CIFAR-100 as they are published: the binary or the Python folder, an archive of one, or a folder that
 * holds one, such as torchvision's root. The split is `train` unless `test` is asked for.
 */
export const cifarFormat: Format = {
  description: "a folder or a .tar.gz of CIFAR-10 or CIFAR-100",
  async matches(source) {
    if (source.names === undefined) return /\.(tar|tgz|tar\.gz)$/i.test(source.path);
    return (await layoutOf(source)) !== undefined || inside(source.names).length > 0;
  },
  async open(source, options) {
    const { path, names, files } = source;
    if (names === undefined) return openArchive(path, files, options);
    const layout = await layoutOf(source);
    if (layout) return openFolder(layout, source, options);
    const [found, ...others] = inside(names);
    if (found === undefined || others.length > 0) {
      throw new UsageError(`${path}: holds ${[found, ...others].join(", ")}: expected one; name it: ${path}/${found}.`);
    }
    const nested = `${path}/${found}`;
    return cifarFormat.open({ path: nested, names: await files.list(nested), files }, options);
  },
};

/** The folders of CIFAR in a folder. */
function inside(names: readonly string[]): string[] {
  return cifarLayouts.map(({ folder }) => folder).filter((folder) => names.includes(folder));
}

/** The layout whose files a folder has. Names as common as train, test and meta must not be folders. */
async function layoutOf({ path, names = [], files }: Source): Promise<CifarLayout | undefined> {
  const layout = layoutAmong(names);
  if (!layout) return undefined;
  return (await files.list(`${path}/${layout.names.y}`)) === undefined ? layout : undefined;
}

/** The layout whose classes' names and of whose images a file at least are there. */
function layoutAmong(names: readonly string[]): CifarLayout | undefined {
  const present = new Set(names);
  return cifarLayouts.find(({ splits, names: { y } }) => {
    const images = Object.values(splits).flat();
    return present.has(y) && images.some((file) => present.has(file));
  });
}

async function openFolder(layout: CifarLayout, { path, files }: Source, options: ArrayOptions): Promise<Dataset> {
  const split = splitOf(layout, path, options);
  const wanted = await Promise.all(layout.splits[split]!.map((name) => files.open(name, path)));
  const names = await files.open(namesFile(layout, options), path);
  const origin = { source: path, sha256: await files.sha256(wanted), split };
  return dataset(origin, layout, wanted.map(whole), whole(names), options);
}

/** Reads the archive twice, for its hash and for its members; of these the split's files stand in memory. */
async function openArchive(path: string, files: Files, options: ArrayOptions): Promise<Dataset> {
  const file = await files.open(path);
  const splits = Object.keys(cifarLayouts[0]!.splits);
  const split = chosenSplit(path, splits, options.split ?? "train")!;
  const wanted = new Set(cifarLayouts.flatMap((layout) => [...layout.splits[split]!, namesFile(layout, options)]));
  const members = new Map<string, CifarFile>();
  const seen: string[] = [];
  const reader = new FileReader(file);
  try {
    for await (const member of tarMembers(reader)) {
      const name = member.name.split("/").at(-1)!;
      seen.push(name);
      if (!wanted.has(name)) continue;
      members.set(name, held(`${path}: ${member.name}`, await member.bytes()));
    }
  } finally {
    await reader.close();
  }
  const layout = layoutAmong(seen);
  if (!layout) {
    const some = seen.slice(0, 5).join(", ") + (seen.length > 5 ? ", …" : "");
    throw new DataError(`${path}: expected an archive of CIFAR-10 or CIFAR-100, have one of ${some || "nothing"}.`);
  }
  const member = (name: string) => {
    const found = members.get(name);
    if (found) return found;
    throw new DataError(`${path}: no ${name} in this archive, which the split ${split} needs.`);
  };
  const origin = { source: path, sha256: await files.sha256([file]), split };
  const images = layout.splits[split]!.map(member);
  return dataset(origin, layout, images, member(namesFile(layout, options)), options);
}

/** Bytes that can be taken once, so that they go when they have been copied. */
function held(name: string, bytes: Uint8Array): CifarFile {
  let content: Uint8Array | undefined = bytes;
  return {
    name,
    size: bytes.length,
    async bytes() {
      const taken = content!;
      content = undefined;
      return taken;
    },
  };
}

function splitOf(layout: CifarLayout, path: string, { split = "train" }: ArrayOptions): string {
  return chosenSplit(path, Object.keys(layout.splits), split)!;
}

/** The field whose classes the labels are. */
function labelsField({ names }: CifarLayout, { labels }: ArrayOptions): "y" | "coarse" {
  return labels === "coarse" && names.coarse !== undefined ? "coarse" : "y";
}

function namesFile(layout: CifarLayout, options: ArrayOptions): string {
  return layout.names[labelsField(layout, options)]!;
}

function whole(file: ByteFile): CifarFile {
  return { name: file.name, size: file.size, bytes: () => readAll(file) };
}

async function dataset(
  origin: { source: string; sha256: string; split: string },
  layout: CifarLayout,
  images: readonly CifarFile[],
  names: CifarFile,
  options: ArrayOptions,
): Promise<Dataset> {
  const classes = await readCifarNames(layout, labelsField(layout, options), names);
  return arrayDataset({ ...origin, classes }, await readCifar(layout, images), options);
}
