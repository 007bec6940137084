import { DataError } from "../errors.ts";
import type { ValueId } from "../graph/graph.ts";
import { Tensor } from "../graph/tensor.ts";
import type { Epoch } from "./history.ts";
import type { Patience, Stopped } from "./stopping.ts";

/** Sums over the batches of an epoch so far. */
export interface EpochSums {
  loss: number;
  penalty: number;
  gradientNorm: number;
  samples: number;
}

/** Where training stands: with the recipe, all that the rest of it depends on. Random numbers are keyed by epoch and batch. */
export interface State {
  /** Weights, the optimizer's slots, statistics: what a step's graph takes in and gives back, by the name of the input. */
  vectors: Map<ValueId, Float32Array>;
  /** The epoch that is under way, from 1, and how many of its batches are done. */
  epoch: number;
  batches: number;
  steps: number;
  sums: EpochSums;
  /** Loss of the first batch, from which divergence is told. */
  firstLoss?: number;
  patience: Patience;
  /** What is recorded of the epoch that was finished last. */
  last?: Epoch;
  /** Set when training has ended. */
  stopped?: Stopped;
  /** What model and data it is of. */
  origin: string;
  /** Seconds of training so far. */
  seconds: number;
}

export const noSums = (): EpochSums => ({ loss: 0, penalty: 0, gradientNorm: 0, samples: 0 });

const STATE = "training/state.json";

/** The state as tensors: its vectors, and the rest as JSON in bytes. Numbers come back as they were, bit for bit. */
export function stateTensors({ vectors, ...rest }: State): Map<string, Tensor> {
  const json = new TextEncoder().encode(JSON.stringify(rest));
  return new Map([
    [STATE, Tensor.of("uint8", [json.length], json)],
    ...[...vectors].map(([name, vector]) => [name, Tensor.float32([vector.length], vector)] as const),
  ]);
}

/**
 * @param expected the vectors that the recipe's training has, with their sizes
 * @throws DataError when these are not the tensors of such a state
 */
export function stateFromTensors(
  tensors: ReadonlyMap<string, Tensor>,
  expected: ReadonlyMap<string, number>,
  { origin, file }: { readonly origin: string; readonly file: string },
): State {
  const wrong = (what: string) => new DataError(`${file}: not a checkpoint of this recipe: ${what}`);
  const json = tensors.get(STATE);
  if (!json) throw wrong(`expected a tensor ${STATE}, found none`);
  let rest: Omit<State, "vectors">;
  try {
    rest = JSON.parse(new TextDecoder().decode(json.bytes)) as typeof rest;
  } catch (cause) {
    throw new DataError(`${file}: damaged: ${STATE}: ${(cause as Error).message}`, { cause });
  }
  const numbers = [
    rest?.epoch,
    rest?.batches,
    rest?.steps,
    rest?.seconds,
    ...Object.values(rest?.sums ?? { none: Number.NaN }),
  ];
  if (!numbers.every((value) => typeof value === "number" && Number.isFinite(value))) {
    throw wrong(`${STATE} lacks numbers that it should have`);
  }
  if (rest.origin !== origin) throw wrong("the model or the data is another than it was");
  const vectors = new Map<string, Float32Array>();
  for (const [name, size] of expected) {
    const tensor = tensors.get(name);
    if (tensor?.type !== "float32" || tensor.size !== size) {
      throw wrong(
        `expected ${name} with ${size} numbers, found ${tensor ? `${tensor.size} of ${tensor.type}` : "none"}`,
      );
    }
    vectors.set(name, Float32Array.from(tensor.data as Float32Array));
  }
  return { ...rest, patience: rest.patience ?? { since: 0 }, vectors };
}
