import { Tensor } from "../src/graph/tensor.ts";
import { product } from "./float64-array.ts";
import type { Sketched } from "./sketch.ts";

/** A new value of a constant's element, from the old one and its place along the axes. */
export type Change = (value: number, at: readonly number[]) => number;

/** The same network with some constants changed, rounded to float32. */
export function rewritten(net: Sketched, changes: Readonly<Record<string, Change>>): Sketched {
  const constants = new Map(net.graph.constants);
  for (const [name, change] of Object.entries(changes)) {
    const tensor = constants.get(name);
    if (!tensor) throw new Error(`no constant ${name}`);
    const { dims } = tensor;
    const values = Float32Array.from(tensor.numbers(), (value, place) => {
      const at = dims.map((size, axis) => Math.floor(place / product(dims.slice(axis + 1))) % size);
      return change(value, at);
    });
    constants.set(name, Tensor.float32(dims, values));
  }
  return { ...net, graph: { ...net.graph, constants } };
}
