import { readAll } from "./byte-file.ts";
import { type ArrayOptions, arrayDataset } from "./array-dataset.ts";
import type { NamedArray } from "./dataset.ts";
import { chosenSplit, type Format } from "./format.ts";
import { parseNpy } from "./npy.ts";
import { parseNpz } from "./npz.ts";

/** NumPy's files: an .npz of x and y, or of x_train, y_train, x_test, y_test; an .npy of inputs alone. */
export const numpyFormat: Format = {
  description: "an .npz file with the arrays x and y, an .npy file of inputs",
  matches: ({ path, names }) => names === undefined && /\.np[yz]$/i.test(path),
  async open({ path, files }, options) {
    const file = await files.open(path);
    const bytes = await readAll(file);
    const { arrays, split } = /z$/i.test(path) ? npzArrays(bytes, path, options) : npyArray(bytes, path, options);
    return arrayDataset({ source: path, sha256: await files.sha256([file]), split }, arrays, options);
  },
};

interface Part {
  readonly arrays: NamedArray[];
  readonly split?: string;
}

/** The arrays of a split under their bare names (x of x_train), or all arrays when the file has no splits. */
function npzArrays(bytes: Uint8Array, source: string, options: ArrayOptions): Part {
  const { input = "x", labels = "y" } = options;
  const npz = parseNpz(bytes, source);
  const splits = npz.names
    .filter((name) => name.startsWith(`${input}_`))
    .map((name) => name.slice(input.length + 1))
    .filter((split) => npz.names.includes(`${labels}_${split}`));
  const whole = npz.names.includes(input) || splits.length === 0;
  const split = chosenSplit(source, splits, options.split ?? (whole ? undefined : "train"));
  const suffix = split === undefined ? "" : `_${split}`;
  const arrays: NamedArray[] = [];
  for (const member of npz.names.filter((each) => each.endsWith(suffix))) {
    const name = member.slice(0, member.length - suffix.length);
    try {
      arrays.push({ ...npz.array(member), name });
    } catch (error) {
      // Beside the data there may be what we cannot read, such as the class names.
      if (name === input || name === labels) throw error;
    }
  }
  return { arrays, split };
}

function npyArray(bytes: Uint8Array, source: string, options: ArrayOptions): Part {
  chosenSplit(source, [], options.split);
  return { arrays: [parseNpy(bytes, source)] };
}
