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
/** Rows that are compared: of more terms than these, the first. */
const MOST_ROWS = 2 ** 20;
/** Projections of equal features differ by the rounding of products that are added in another order. */
const ROUNDING = 4e-6;

/**
 * Samples that have the features of another and not its label: there the label is no function of the features, as the theory of
 * relative flatness and generalization assumes. Seen at layers that have one feature vector for each label.
 *
 * Cost: four products a feature vector; as many numbers kept, of a million vectors at most.
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
  let kept = 0;
  return {
    values,
    add(outputs, n) {
      if (kept >= MOST_ROWS) return;
      kept += n * terms.terms;
      for (const [layer, batches] of seen) {
        const { data } = outputs.get(keyOf(layer)) as RuntimeArray;
        batches.push((data as Float32Array).slice(0, n * terms.terms * width));
      }
    },
    warnings: ({ indices }: Seen) =>
      [...seen].flatMap(([layer, batches]) => {
        const sample = (row: number) => indices[Math.floor(row / terms.terms)] as number;
        return warningOf(layer, contradictions(joined(batches)), sample);
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

function joined(batches: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(batches.reduce((size, { length }) => size + length, 0));
  let start = 0;
  for (const batch of batches) {
    all.set(batch, start);
    start += batch.length;
  }
  return all;
}

/**
 * Cost: a sort of the first projections; more only of rows that agree in it.
 *
 * @param table rows of projections and a label each; labels below 0 do not count
 */
export function contradictions(table: Float32Array): Contradictions {
  const width = PROJECTIONS + 1;
  const at = (row: number, place: number) => table[row * width + place] as number;
  const slackOf = (row: number) => {
    let size = 0;
    for (let place = 0; place < PROJECTIONS; place++) size = Math.max(size, Math.abs(at(row, place)));
    return ROUNDING * size;
  };
  /** First rows of features that may still come again, and the rows that have the same. */
  let open: { readonly first: number; readonly slack: number; readonly members: number[] }[] = [];
  const groups: number[][] = [];
  for (const row of inOrder(table, width)) {
    if (open.length > 0) open = open.filter(({ first, slack }) => at(row, 0) - at(first, 0) <= slack);
    const same = open.find(({ first, slack }) => {
      for (let place = 1; place < PROJECTIONS; place++) {
        if (Math.abs(at(row, place) - at(first, place)) > slack) return false;
      }
      return true;
    });
    if (!same) open.push({ first: row, slack: slackOf(row), members: [] });
    else {
      if (same.members.length === 0) {
        same.members.push(same.first);
        groups.push(same.members);
      }
      same.members.push(row);
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

/**
 * Rows that count, by their first projection. A row's number stands behind the order of its projection's bits in one float64, which sorts
 * ten times faster than by comparing.
 */
function inOrder(table: Float32Array, width: number): Uint32Array {
  const rows = table.length / width;
  const bits = new Int32Array(table.buffer, table.byteOffset, table.length);
  const keys = new Float64Array(rows);
  let counted = 0;
  for (let row = 0; row < rows; row++) {
    if ((table[row * width + PROJECTIONS] as number) < 0) continue;
    const bit = bits[row * width] as number;
    // Of negative numbers a larger size is a smaller number.
    keys[counted++] = (bit < 0 ? -2147483648 - bit : bit) * rows + row;
  }
  return Uint32Array.from(keys.subarray(0, counted).sort(), (key) => ((key % rows) + rows) % rows);
}
