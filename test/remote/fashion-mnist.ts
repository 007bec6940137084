import { existsSync, readFileSync } from "node:fs";

/** Debian's package dataset-fashion-mnist. */
const folder = "/usr/share/datasets/fashion-mnist";

/** Seconds since 1970 at which the publisher packed a file; Debian's packages have no times in them, and no names. */
const packed: Readonly<Record<string, number>> = {
  "train-images-idx3-ubyte": 1504176606,
  "train-labels-idx1-ubyte": 1504176606,
  "t10k-images-idx3-ubyte": 1504176627,
  "t10k-labels-idx1-ubyte": 1504176627,
};

export const hasFashionMnist = existsSync(folder);

/** Fashion-MNIST's four files as its publisher has them: Debian's, with the publisher's head of the gzip file. */
export function fashionMnist(): Map<string, Uint8Array> {
  return new Map(
    Object.entries(packed).map(([name, time]) => {
      const head = Buffer.from(`\x1f\x8b\x08\x08....\x00\x03${name}\0`, "latin1");
      head.writeUInt32LE(time, 4);
      const debian = readFileSync(`${folder}/${name}.gz`);
      return [`${name}.gz`, new Uint8Array(Buffer.concat([head, debian.subarray(10)]))];
    }),
  );
}
