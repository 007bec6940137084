import { DataError } from "../errors.ts";
import { arrayColumn } from "./array-dataset.ts";
import { type ByteFile, type Files, readPart } from "./byte-file.ts";
import { checkNamed, columnDataset } from "./column-dataset.ts";
import { chosenSplit, type Format } from "./format.ts";
import { imageColumn, mostEncodedBytes } from "./image-column.ts";
import { below, findImageFolder, listImages } from "./image-folder.ts";
import { hashFiles } from "./source-hash.ts";

/** Files looked at together. */
const atOnce = 64;

/**
 * A folder with a folder of PNG and JPEG images for each class, as torchvision's ImageFolder reads it: classes are the
 * folders' names in alphabetical order, x is [3, H, W], y the number of the class, int32. Folders of splits may stand
 * above; then the split is `train` unless another is asked for, and the classes are train's in every split.
 */
export const imageFolderFormat: Format = {
  description: "a directory with a directory of PNG or JPEG images for each class",
  matches: async ({ path, names, files }) =>
    names !== undefined && (await findImageFolder(path, names, files)) !== undefined,
  async open({ path, names = [], files }, options) {
    const { splits } = (await findImageFolder(path, names, files))!;
    const known = [...splits.keys()].filter((name) => name !== undefined);
    const split = chosenSplit(path, known, options.split ?? (known.length > 0 ? "train" : undefined));
    const folders = splits.get(split)!;
    const train = known.find((name) => /^train/i.test(name)) ?? split;
    const classes = splits.get(train)!;
    const stranger = folders.find((folder) => !classes.includes(folder));
    if (stranger !== undefined) {
      throw new DataError(
        `${below(path, `${split}/${stranger}`)}: expected a class of ${below(path, train!)}, which has ` +
          `${classes.length} folders and none of this name.`,
      );
    }
    const images: string[] = [];
    const labels: number[] = [];
    for (const folder of folders) {
      const found = await listImages(path, split === undefined ? folder : `${split}/${folder}`, files);
      for (const image of found) {
        images.push(image);
        labels.push(classes.indexOf(folder));
      }
    }
    const opened = await openAll(path, images, files);
    const { column, resolved } = await imageColumn(
      "x",
      {
        label: (index) => opened[index]!.name,
        bytes: (index) => wholeImage(opened[index]!),
      },
      options.preprocess,
      files.wasm,
    );
    const y = { name: "y", type: "int32" as const, dims: [labels.length], data: Int32Array.from(labels) };
    const columns = [column, arrayColumn(path, y)];
    checkNamed(
      path,
      columns.map(({ field }) => field),
      options,
    );
    const hash = await hashFiles(
      opened.map((file, index) => ({ name: images[index]!, file })),
      files,
    );
    return columnDataset({ source: path, ...hash, n: images.length, classes, split, preprocess: resolved }, columns);
  },
};

async function openAll(path: string, names: readonly string[], files: Files): Promise<ByteFile[]> {
  const opened: ByteFile[] = [];
  for (let start = 0; start < names.length; start += atOnce) {
    opened.push(...(await Promise.all(names.slice(start, start + atOnce).map((name) => files.open(name, path)))));
  }
  return opened;
}

async function wholeImage(file: ByteFile): Promise<Uint8Array> {
  if (file.size <= mostEncodedBytes) return readPart(file, 0, file.size);
  throw new DataError(`${file.name}: ${file.size} bytes: expected an image of at most ${mostEncodedBytes}.`);
}
