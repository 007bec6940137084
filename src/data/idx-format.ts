import { arrayDataset } from "./array-dataset.ts";
import type { ByteFile } from "./byte-file.ts";
import { chosenSplit, type Format } from "./format.ts";
import { idxClasses, idxSplits, readIdxSplit } from "./idx.ts";

/** A directory of MNIST's IDX files; the split is `train` unless another is asked for. */
export const idxFormat: Format = {
  description: "a directory of MNIST's IDX files (train-images-idx3-ubyte.gz …)",
  matches: ({ names }) => names !== undefined && idxSplits(names).size > 0,
  async open({ path, names = [], files }, options) {
    const splits = idxSplits(names);
    const split = chosenSplit(path, [...splits.keys()], options.split ?? "train")!;
    const { images, labels } = splits.get(split)!;
    const pair: [ByteFile, ByteFile] = [await files.open(images, path), await files.open(labels, path)];
    const sha256 = await files.sha256(pair);
    return arrayDataset(
      { source: path, sha256, classes: idxClasses(path), split },
      await readIdxSplit(...pair),
      options,
    );
  },
};
