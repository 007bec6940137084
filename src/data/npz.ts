import { zipSync } from "fflate";
import { DataError } from "../errors.ts";
import type { NamedArray } from "./dataset.ts";
import { npyBytes, parseNpy } from "./npy.ts";
import { zipMembers } from "./zip.ts";

/** The arrays of an .npz file by name, each read when it is first asked for. */
export interface Npz {
  readonly names: readonly string[];
  /** Throws DataError when there is no such array, or when it is damaged. */
  array(name: string): NamedArray;
}

/**
 * An .npz file: a zip of .npy members, stored (numpy.savez) or deflated (numpy.savez_compressed).
 *
 * @param bytes the whole file; arrays may be views of it
 * @param file what messages call it
 * @throws DataError when it is no zip file or its directory is damaged. Members that are not .npy are passed over.
 */
export function parseNpz(bytes: Uint8Array, file: string): Npz {
  const members = new Map(
    zipMembers(bytes, file)
      .filter((member) => member.name.endsWith(".npy"))
      .map((member) => [member.name.slice(0, -".npy".length), member]),
  );
  return {
    names: [...members.keys()],
    array(name) {
      const member = members.get(name);
      if (!member) throw new DataError(`${file}: no array ${name}. It has: ${[...members.keys()].join(", ")}.`);
      return parseNpy(member.bytes(), `${file}: ${member.name}`, name);
    },
  };
}

/** An .npz file of these arrays, stored as numpy.savez does; the same arrays give the same bytes. */
export function npzBytes(arrays: Readonly<Record<string, Pick<NamedArray, "type" | "dims" | "data">>>): Uint8Array {
  const members = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, npyBytes(array)] as const);
  return zipSync(Object.fromEntries(members), { level: 0, mtime: new Date(1980, 0, 1) });
}
