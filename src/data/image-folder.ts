import { DataError } from "../errors.ts";
import type { Files } from "./byte-file.ts";

/** The images of one class. */
export interface ClassFolder {
  readonly name: string;
  /** Paths below the source, in order. */
  readonly images: readonly string[];
}

/** Images in a folder a class. */
export interface ImageFolder {
  /** Folders of classes by split; one without a name where there are no splits. */
  readonly splits: ReadonlyMap<string | undefined, readonly string[]>;
}

const decodable = /\.(png|jpe?g)$/i;
/** Images that would be missing in silence if they were passed over. */
const otherImage = /\.(avif|bmp|gif|heic|jp2|jxl|p[bgnp]m|tiff?|webp)$/i;
const splitNames = new Set(["train", "training", "test", "testing", "val", "valid", "validation", "dev"]);
/** Folders in folders, from the source to an image. */
const deepest = 5;

/** A path inside a folder, which the user may have written with a slash at its end. */
export function below(folder: string, name: string): string {
  return `${folder.replace(/\/+$/, "")}/${name}`;
}

/**
 * The folders of classes in a folder, or in its folders of splits (`train`, `val`, `test`, …). A folder of a class holds
 * images, directly or further down. Undefined when the source is nothing of this kind.
 */
export async function findImageFolder(
  path: string,
  names: readonly string[],
  files: Files,
): Promise<ImageFolder | undefined> {
  const folders = await foldersWithImages(path, "", names, files);
  if (folders.length === 0) return undefined;
  const splits = new Map<string | undefined, readonly string[]>();
  if (folders.every((name) => splitNames.has(name.toLowerCase()))) {
    for (const name of folders) {
      const inside = (await files.list(below(path, name))) ?? [];
      const classes = await foldersWithImages(path, `${name}/`, inside, files);
      if (classes.length > 0) splits.set(name, classes);
    }
  }
  return { splits: splits.size > 0 ? splits : new Map([[undefined, folders]]) };
}

/** The images in a class's folder, those of the folder itself before those of the folders in it. */
export async function listImages(path: string, folder: string, files: Files, depth = deepest): Promise<string[]> {
  const names = visible((await files.list(below(path, folder))) ?? []);
  const other = names.find((name) => otherImage.test(name));
  if (other !== undefined) {
    throw new DataError(
      `${below(path, folder)}/${other}: expected PNG and JPEG images only: convert it, or move it away.`,
    );
  }
  const images = names.filter((name) => decodable.test(name)).map((name) => `${folder}/${name}`);
  if (depth === 0) return images;
  for (const name of names.filter((each) => !decodable.test(each))) {
    images.push(...(await listImages(path, `${folder}/${name}`, files, depth - 1)));
  }
  return images;
}

async function foldersWithImages(path: string, prefix: string, names: readonly string[], files: Files) {
  const found: string[] = [];
  for (const name of visible(names)) {
    if (decodable.test(name)) continue;
    if (await holdsImage(below(path, prefix + name), files, deepest)) found.push(name);
  }
  return found;
}

async function holdsImage(path: string, files: Files, depth: number): Promise<boolean> {
  const names = visible((await files.list(path)) ?? []);
  if (names.some((name) => decodable.test(name))) return true;
  if (depth === 0) return false;
  for (const name of names) if (await holdsImage(below(path, name), files, depth - 1)) return true;
  return false;
}

/** Without what systems leave behind: .DS_Store, ._copy.jpg. */
function visible(names: readonly string[]): string[] {
  return names.filter((name) => !name.startsWith("."));
}
