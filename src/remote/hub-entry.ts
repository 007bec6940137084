import { z } from "zod";
import { isInside } from "./hub-address.ts";

const entry = z.object({
  type: z.enum(["file", "folder"]),
  path: z.string().refine(isInside),
  bytes: z.int().nonnegative(),
  /** What is no LFS file is in git itself, whose object ids are checksums. */
  checksum: z.object({ algorithm: z.enum(["sha256", "git-sha1"]), hex: z.string().regex(/^[0-9a-f]*$/) }),
});

/** A file or folder of a repository. */
export type HubEntry = Readonly<z.infer<typeof entry>>;

/** The entries, when that is what they are and none leads out of the repository; else undefined. */
export function checkedEntries(value: unknown): HubEntry[] | undefined {
  return z.array(entry).safeParse(value).data;
}

/** The folder of a file or folder; "" for the repository's own. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
