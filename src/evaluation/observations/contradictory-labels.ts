import type { ValueId } from "../../graph/graph.ts";
import type { Layer } from "../../graph/layers.ts";
import { cast, concat, matMul, reshape } from "../../graph/operators.ts";
import { Tensor } from "../../graph/tensor.ts";
import type { RuntimeArray } from "../../runtime/session.ts";
import { RandomStream } from "../../statistics/random.ts";
import type { Prepared } from "../prepare.ts";
import type { Warning } from "../result.ts";
import type { Observation, Seen } from "./observation.ts";

/** Random projections of each feature vector. All of them agree for features that are equal, and for others hardly ever. */
const PROJECTIONS = 4;
/** Projections of equal features differ by the rounding of products that are added in another order. */
const ROUNDING = 4e-6;

/**
 * Samples that have the features of another and not its label: there the label is no function of the features, as the theory of
 * relative flatness and generalization assumes. Seen at layers that have one feature vector for each label.
 *
 * Cost: four products a feature vector; as many numbers kept.
 */
export function observeContradictoryLabels(prepared: Prepared, layers: readonly Layer[], seed: number): Observation {
  const { b, batch, loss, labels, terms } = prepared;
  const values = new Map<string, ValueId>();
  const seen = new Map<Layer, Float32Array[]>();
  const width = PROJECTIONS + 1;
  for (const layer of layers) {
    const [use, ...others] = layer.uses;
    if (!use || use.kind !== "dense" || others.length > 0 || !loss.classification) continue;
    const oneEach = prepared.above(layer).kind === "logits" || (layer.positions === 1 && terms.terms === 1);
    if (!oneEach) continue;
    const stream = new RandomStream(seed, `projections ${layer.name}`);
    const vectors = Float32Array.from({ length: layer.m * PROJECTIONS }, () => stream.normal());
    const features = reshape(b, use.features, [batch, terms.terms, layer.m]);
    const projected = matMul(b, features, b.constant(Tensor.float32([layer.m, PROJECTIONS], vectors)));
    const label = reshape(b, cast(b, labels, "float32"), [batch, terms.terms, 1]);
    values.set(keyOf(layer), concat(b, [projected, label], 2));
    seen.set(layer, []);
  }
  return {
    values,
    add(outputs, n) {
      for (const [layer, batches] of seen) {
        const { data } = outputs.get(keyOf(layer)) as RuntimeArray;
        batches.push((data as Float32Array).slice(0, n * terms.terms * width));
      }
    },
    warnings: ({ indices }: Seen) =>
      [...seen].flatMap(([layer, batches]) => {
        const rows = batches.flatMap((list) =>
          Array.from({ length: list.length / width }, (_, row) => list.subarray(row * width, (row + 1) * width)),
        );
        return warningOf(layer, contradictions(rows), (row) => indices[Math.floor(row / terms.terms)] as number);
      }),
  };
}

function keyOf({ name }: Layer): string {
  return `flatness/projections ${name}`;
}

/** Rows of equal features that do not all have one label: how many, and two of them. */
interface Contradictions {
  readonly count: number;
  readonly example?: readonly [row: number, label: number][];
}

/** @param rows projections and a label each; labels below 0 do not count */
export function contradictions(rows: readonly Float32Array[]): Contradictions {
  const at = (row: number, place: number) => (rows[row] as Float32Array)[place] as number;
  const counted = [...rows.keys()].filter((row) => at(row, PROJECTIONS) >= 0);
  const sorted = counted.toSorted((one, other) => at(one, 0) - at(other, 0));
  const sizeOf = (row: number) => Math.max(...(rows[row] as Float32Array).subarray(0, PROJECTIONS).map(Math.abs));
  /** First rows of features that may still come again, and the rows that have them. */
  let open: { readonly first: number; readonly slack: number; readonly members: number[] }[] = [];
  const groups: number[][] = [];
  for (const row of sorted) {
    open = open.filter(({ first, slack }) => at(row, 0) - at(first, 0) <= slack);
    const same = open.find(({ first, slack }) => {
      for (let place = 1; place < PROJECTIONS; place++) {
        if (Math.abs(at(row, place) - at(first, place)) > slack) return false;
      }
      return true;
    });
    if (same) same.members.push(row);
    else {
      const members = [row];
      groups.push(members);
      open.push({ first: row, slack: ROUNDING * sizeOf(row), members });
    }
  }
  let count = 0;
  let example: [number, number][] | undefined;
  for (const members of groups) {
    const label = (row: number) => at(row, PROJECTIONS);
    const [first = 0] = members;
    const other = members.find((row) => label(row) !== label(first));
    if (other === undefined) continue;
    count += members.length;
    example ??= [first, other].toSorted((one, two) => one - two).map((row) => [row, label(row)]);
  }
  return { count, ...(example && { example }) };
}

function warningOf({ name }: Layer, { count, example }: Contradictions, sample: (row: number) => number): Warning[] {
  if (!example) return [];
  const [one, other] = example.map(([row, label]) => `sample ${sample(row)} (label ${label})`);
  const text = `${count} feature vectors are equal to one with another label, as those of ${one} and ${other} are: the label is no function of the features there`;
  return [{ code: "equal-features-different-labels", layer: name, text }];
}
