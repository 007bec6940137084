import { UsageError } from "../errors.ts";
import { binaryCrossEntropy } from "./binary-cross-entropy.ts";
import { crossEntropy } from "./cross-entropy.ts";
import type { Loss } from "./loss.ts";
import { squaredErrorMean, squaredErrorSum } from "./squared-error.ts";

export const losses: readonly Loss[] = [crossEntropy, binaryCrossEntropy, squaredErrorMean, squaredErrorSum];

/** @throws UsageError naming the losses that there are */
export function lossNamed(name: string): Loss {
  const loss = losses.find((candidate) => candidate.name === name);
  if (loss) return loss;
  throw new UsageError(`loss ${name}: no such loss; there are ${losses.map((known) => known.name).join(", ")}`);
}
