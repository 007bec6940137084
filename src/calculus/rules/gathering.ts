import { UnsupportedOperatorError } from "../../errors.ts";
import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { describe, int, string } from "../../graph/graph.ts";
import { expand, mul, pad, reduceSum, reshape } from "../../graph/operators.ts";
import { count, type Dims } from "../../graph/tensor.ts";
import type { Jet } from "../jets.ts";
import { axisMap, throughAxes } from "./axis-maps.ts";
import { constant, cotangent, pushed, type Differentiated, type Linearity, type Pullback, type Rule } from "./rule.ts";
import { axisOf, zeros } from "./slicing.ts";
import { runsOf, transposedRuns } from "./strides.ts";

// Elements taken from places and put to places that an input names. Places have no derivative. Cotangents are added up by
// ScatterElements: the runtime's ScatterND loses additions to one place when a session has several threads.

/** Constant places that fall into at most this many strided pieces are taken by slices. */
const MOST_RUNS = 8;
/** Constant places of which some are taken twice are added up by a product with ones and zeros if they are at most this many. */
const MOST_ADDED = 128;

/** Linear in what is moved; which places are meant changes only in jumps. */
function linearInValues(...values: readonly number[]): (at: Differentiated) => Linearity {
  return ({ node, varies }) => {
    if (!values.some(varies)) return "constant";
    return node.inputs.some((input, index) => input !== "" && !values.includes(index) && varies(index))
      ? "piecewise-linear"
      : "linear";
  };
}

/** An operator that takes elements of its first input from the places that its second names. */
function taking(
  push: (at: Differentiated, value: ValueId, lead: number) => ValueId,
  pull: (at: Pullback) => ValueId,
): Rule {
  return {
    linearity: linearInValues(0),
    vjp: (at) => (at.varies(0) ? [pull(at)] : []),
    taylor: (at) => {
      const jet = at.jet(0);
      return jet ? [{ root: pushed(jet, (value, lead) => push(at, value, lead)) }] : [];
    },
  };
}

function dimsOf({ b, node }: Differentiated, index: number): Dims {
  return b.dims(node.inputs[index] as ValueId);
}

/** The same places for every leading index. */
function placesFor(b: Builder, places: ValueId, outer: Dims): ValueId {
  return expand(b, places, [...outer, ...b.dims(places)]);
}

const gather = taking(
  ({ b, node, ...at }, value, lead) =>
    b.add("Gather", [value, node.inputs[1] as ValueId], { axis: lead + axisOf({ b, node, ...at }) }),
  (at) => {
    const { b, node, lead } = at;
    const dims = dimsOf(at, 0);
    const axis = axisOf(at);
    const size = dims[axis] as number;
    const outer = b.dims(cotangent(at)).slice(0, lead);
    const places = count(dimsOf(at, 1));
    const flat = reshape(b, cotangent(at), [...outer, ...dims.with(axis, places)]);
    const known = b.constantOf(node.inputs[1] as ValueId)?.numbers();
    if (known) {
      const sources = Array.from(known, (place) => (place < 0 ? place + size : place));
      const runs = runsOf(sources);
      const twice = new Set(sources).size < places;
      if (twice && runs.length > 1 && places <= MOST_ADDED) return addedByProduct(b, flat, lead + axis, sources, size);
      if (places > 0 && runs.length <= MOST_RUNS) return transposedRuns(b, flat, lead + axis, runs, size);
      if (!twice) return takenBack(b, flat, lead + axis, sources, size);
    }
    const [before, behind] = [count(outer) * count(dims.slice(0, axis)), count(dims.slice(axis + 1))];
    const rows = reshape(b, flat, [before, places, behind]);
    const names = reshape(b, node.inputs[1] as ValueId, [1, places, 1]);
    return reshape(b, addedAt(b, [before, size, behind], names, rows, 1), [...outer, ...dims]);
  },
);

/** The transpose of a gather that takes no place twice: each place takes what it gave, or zero. */
function takenBack(b: Builder, value: ValueId, axis: number, sources: readonly number[], size: number): ValueId {
  const back = Array.from({ length: size }, () => sources.length);
  sources.forEach((source, position) => (back[source] = position));
  const none = b.dims(value).map(() => 0);
  const filled = sources.length === size ? value : pad(b, value, [...none, ...none.with(axis, 1)]);
  return b.add("Gather", [filled, b.integers(back)], { axis });
}

/** The transpose of a gather along an axis as a product with its matrix. */
function addedByProduct(b: Builder, value: ValueId, axis: number, sources: readonly number[], size: number): ValueId {
  const taken = Array.from({ length: size }, (_, place) =>
    sources.flatMap((source, position) => (source === place ? [[position, 1] as const] : [])),
  );
  return throughAxes(b, value, axis, [axisMap(sources.length, taken)]);
}

/** Σ of the values at each place along an axis. Places broadcast to the values' dims. */
function addedAt(b: Builder, dims: Dims, places: ValueId, values: ValueId, axis: number): ValueId {
  const inputs = [zeros(b, dims), expand(b, places, b.dims(values)), values];
  return b.add("ScatterElements", inputs, { axis, reduction: "add" });
}

const gatherElements = taking(
  (at, value, lead) => {
    const outer = at.b.dims(value).slice(0, lead);
    const places = placesFor(at.b, at.node.inputs[1] as ValueId, outer);
    return at.b.add("GatherElements", [value, places], { axis: lead + axisOf(at) });
  },
  (at) => {
    const { b, node, lead } = at;
    const dims = [...b.dims(cotangent(at)).slice(0, lead), ...dimsOf(at, 0)];
    return addedAt(b, dims, node.inputs[1] as ValueId, cotangent(at), lead + axisOf(at));
  },
);

/**
 * A GatherND or ScatterND as one along a single axis: data [batch, places, slice], named by flat places [batch, tuples, 1].
 */
function flattened(at: Differentiated) {
  const { b, node } = at;
  const batch = int(node, "batch_dims", 0);
  const [dims, named] = [dimsOf(at, 0), dimsOf(at, 1)];
  const depth = named.at(-1) as number;
  const axes = dims.slice(batch, batch + depth);
  const strides = axes.map((_, axis) => count(axes.slice(axis + 1)));
  const tuples = count(named.slice(batch, -1));
  const inRange = b.add("Mod", [node.inputs[1] as ValueId, b.integers(axes)]);
  const flat = reduceSum(b, mul(b, inRange, b.integers(strides)), [named.length - 1]);
  const outer = count(dims.slice(0, batch));
  return {
    data: [outer, count(axes), count(dims.slice(batch + depth))],
    taken: [outer, tuples, count(dims.slice(batch + depth))],
    places: reshape(b, flat, [outer, tuples, 1]),
  };
}

const gatherNd = taking(
  ({ b, node }, value, lead) => {
    const outer = b.dims(value).slice(0, lead);
    const places = placesFor(b, node.inputs[1] as ValueId, outer);
    return b.add("GatherND", [value, places], { batch_dims: lead + int(node, "batch_dims", 0) });
  },
  (at) => {
    const { b, lead } = at;
    const outer = b.dims(cotangent(at)).slice(0, lead);
    const { data, taken, places } = flattened(at);
    const values = reshape(b, cotangent(at), [...outer, ...taken]);
    return reshape(b, addedAt(b, [...outer, ...data], places, values, lead + 1), [...outer, ...dimsOf(at, 0)]);
  },
);

/** What a scatter does along one axis of reshaped data. */
interface Scattering {
  readonly data: Dims;
  readonly updates: Dims;
  /** Broadcast to `updates`. */
  readonly places: ValueId;
  readonly axis: number;
}

/** Whether a scatter replaces or adds: products and extremes are not linear in what they meet. */
function moves({ node }: Differentiated): boolean {
  return ["none", "add"].includes(string(node, "reduction", "none"));
}

/** @throws UnsupportedOperatorError for a reduction that is not linear */
function refuseMixing(at: Differentiated): void {
  if (moves(at)) return;
  throw new UnsupportedOperatorError(
    `node ${describe(at.node)}: no derivative rule for reduction ${string(at.node, "reduction", "none")}; there is one for none and add`,
  );
}

/** An operator that puts its third input to the places of its first that the second names. */
function putting(scattering: (at: Differentiated) => Scattering): Rule {
  const added = ({ node }: Differentiated) => string(node, "reduction", "none") === "add";
  const put = (at: Differentiated, base: ValueId, values: ValueId, lead: number): ValueId => {
    const { b } = at;
    const { data, updates, places, axis } = scattering(at);
    const outer = b.dims(base).slice(0, lead);
    const inputs = [
      reshape(b, base, [...outer, ...data]),
      expand(b, places, [...outer, ...updates]),
      reshape(b, values, [...outer, ...updates]),
    ];
    const attributes = { axis: lead + axis, reduction: string(at.node, "reduction", "none") };
    return reshape(b, b.add("ScatterElements", inputs, attributes), [...outer, ...dimsOf(at, 0)]);
  };
  const push = (at: Differentiated, base: ValueId | undefined, values: ValueId | undefined, lead: number) => {
    const { b } = at;
    if (base !== undefined && values === undefined && added(at)) return base;
    const outer = b.dims((base ?? values) as ValueId).slice(0, lead);
    const [data, updates] = [dimsOf(at, 0), dimsOf(at, 2)];
    return put(at, base ?? zeros(b, [...outer, ...data]), values ?? zeros(b, [...outer, ...updates]), lead);
  };
  return {
    linearity: (at) => (moves(at) ? linearInValues(0, 2)(at) : "unsupported"),
    vjp: (at) => {
      refuseMixing(at);
      const { b, lead } = at;
      const given = cotangent(at);
      const outer = b.dims(given).slice(0, lead);
      const kept = () => (added(at) ? given : put(at, given, zeros(b, [...outer, ...dimsOf(at, 2)]), lead));
      const taken = () => {
        const { data, updates, places, axis } = scattering(at);
        const inputs = [reshape(b, given, [...outer, ...data]), expand(b, places, [...outer, ...updates])];
        const values = b.add("GatherElements", inputs, { axis: lead + axis });
        return reshape(b, values, [...outer, ...dimsOf(at, 2)]);
      };
      return [at.varies(0) ? kept() : undefined, undefined, at.varies(2) ? taken() : undefined];
    },
    taylor: (at) => {
      refuseMixing(at);
      const [base, values]: (Jet | undefined)[] = [at.jet(0), at.jet(2)];
      if (!base && !values) return [];
      const first = push(at, base?.first, values?.first, 1);
      const bent = base?.second !== undefined || values?.second !== undefined;
      return [{ root: { first, second: bent ? push(at, base?.second, values?.second, 0) : undefined } }];
    },
  };
}

const scatterElements = putting((at) => ({
  data: dimsOf(at, 0),
  updates: dimsOf(at, 2),
  places: at.node.inputs[1] as ValueId,
  axis: axisOf(at),
}));

const scatterNd = putting((at) => {
  const { data, taken, places } = flattened(at);
  return { data, updates: taken, places, axis: 1 };
});

export const gatheringRules: Readonly<Record<string, Rule>> = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
  OneHot: constant,
};
