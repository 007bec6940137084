import { elementSize, Tensor } from "./tensor.ts";

/**
 * The first element of a tensor of floats that is no number; undefined where there is none. Bytes that lie in a file beside the model
 * are read piece by piece and not kept.
 */
export function firstNaN(tensor: Tensor): number | undefined {
  const { type, stored } = tensor.narrow ?? tensor;
  if (!type.includes("float")) return undefined;
  if (!stored) return within(tensor.narrow ?? tensor);
  let before = 0;
  for (const bytes of stored.pieces()) {
    const piece = new Tensor(type, [bytes.length / elementSize(type)], bytes);
    const found = within(piece);
    if (found !== undefined) return before + found;
    before += piece.size;
  }
  return undefined;
}

function within(tensor: Tensor): number | undefined {
  const values = tensor.numbers();
  for (let index = 0; index < values.length; index++) if (Number.isNaN(values[index])) return index;
  return undefined;
}
