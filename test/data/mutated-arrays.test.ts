import { readFileSync } from "node:fs";
import { describe, test } from "vitest";
import { parseNpz } from "../../src/data/npz.ts";
import { survivesMutations } from "../mutations.ts";

describe("damaged NumPy files are read or refused", () => {
  test("npz", async () => {
    const bytes = new Uint8Array(readFileSync(new URL("./numpy-arrays.npz", import.meta.url)));
    await survivesMutations(bytes, (damaged) => {
      const npz = parseNpz(damaged, "damaged.npz");
      for (const name of npz.names) npz.array(name);
    });
  });
});
