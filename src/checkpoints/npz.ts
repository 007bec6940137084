import { parseNpz } from "../data/npz.ts";
import { Tensor } from "../graph/tensor.ts";
import { wholeFile } from "./byte-ranges.ts";
import { type CheckpointFormat, flat } from "./checkpoint.ts";

/** NumPy's .npz: the order is that of the call that saved it. */
export const npz: CheckpointFormat = {
  description: ".npz",
  matches: (_, __, members) => members.some((name) => name.endsWith(".npy")),
  read(file) {
    const archive = parseNpz(wholeFile(file), file.name);
    const tensors = archive.names.map((name) => {
      const { type, dims, data } = archive.array(name);
      return [name, Tensor.of(type, dims, data)] as const;
    });
    return flat(new Map(tensors), true);
  },
};
