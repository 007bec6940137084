import { DataError, UsageError } from "../errors.ts";
import { type Files, readAll } from "./byte-file.ts";
import type { NamedArray } from "./dataset.ts";
import { disk } from "./files.ts";
import { parseNpy } from "./npy.ts";
import { parseNpz } from "./npz.ts";

/**
 * The array of an .npy file, or of an .npz file that holds one alone.
 *
 * @param what it should hold, as messages say it: `an .npy or .npz file of indices`
 * @throws UsageError for another kind of file; DataError where it is absent, damaged, or holds several arrays
 */
export async function readArrayFile(path: string, what: string, files: Files = disk): Promise<NamedArray> {
  if (!/\.np[yz]$/i.test(path)) throw new UsageError(`${path}: expected an .npy or .npz file of ${what}.`);
  const bytes = await readAll(await files.open(path));
  if (/y$/i.test(path)) return parseNpy(bytes, path);
  const npz = parseNpz(bytes, path);
  const [name, ...others] = npz.names;
  if (name === undefined || others.length > 0) {
    throw new DataError(`${path}: expected one array of ${what}, have ${npz.names.join(", ") || "none"}.`);
  }
  return npz.array(name);
}
