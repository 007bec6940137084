import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { concat, mul, reshape, slice, transpose } from "../../graph/operators.ts";
import { productJet, type Jet } from "../jets.ts";
import { axesOf, elements } from "./reduction.ts";
import { cotangent, pushed, type Differentiated, type Rule } from "./rule.ts";

function input(at: Differentiated): ValueId {
  return at.node.inputs[0] as ValueId;
}

/** An order of axes, of a value with `lead` more in front, that puts the reduced ones last. */
function reducedLast(at: Differentiated, lead: number): readonly number[] {
  const rank = at.b.rank(input(at));
  const reduced = axesOf(at).map((axis) => axis + rank);
  const others = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !reduced.includes(axis));
  return [...Array.from({ length: lead }, (_, axis) => axis), ...[...others, ...reduced].map((axis) => axis + lead)];
}

/** [lead…, x's dims] as [lead…, what is kept…, factors of one product], filled up to a power of two. */
function factors(at: Differentiated, value: ValueId, filling: number): ValueId {
  const { b } = at;
  const turned = transpose(b, value, reducedLast(at, b.rank(value) - b.rank(input(at))));
  const outer = b.dims(turned).slice(0, b.rank(turned) - axesOf(at).length);
  const size = elements(at);
  const rows = reshape(b, turned, [...outer, size]);
  const missing = 2 ** Math.ceil(Math.log2(size)) - size;
  if (missing === 0) return rows;
  const none = outer.map(() => 0);
  return b.add("Pad", [rows, b.integers([...none, 0, ...none, missing]), b.scalar(filling)]);
}

type Halves = readonly [ValueId, ValueId];

function halved(b: Builder, value: ValueId): Halves {
  const size = b.dims(value).at(-1) as number;
  return [slice(b, value, [-1], [0], [size / 2]), slice(b, value, [-1], [size / 2], [size])];
}

/** The factors' first half times their second half, and so on down to y: no division, so that zeros are no matter. */
function levels(at: Differentiated): readonly Halves[] {
  const found: Halves[] = [];
  let value = factors(at, input(at), 1);
  while ((at.b.dims(value).at(-1) as number) > 1) {
    const halves = halved(at.b, value);
    found.push(halves);
    value = mul(at.b, ...halves);
  }
  return found;
}

const product: Rule = {
  linearity: (at) => (elements(at) === 1 ? "linear" : "smooth"),
  vjp: (at) => {
    const { b, lead } = at;
    const given = cotangent(at);
    const outer = b.dims(given).slice(0, lead);
    const order = reducedLast(at, lead);
    const dims = order.map((axis) => [...outer, ...b.dims(input(at))][axis] as number);
    const unreduced = dims.slice(0, dims.length - axesOf(at).length);
    const pulled = levels(at).reduceRight(
      (u, [low, high]) => concat(b, [mul(b, u, high), mul(b, u, low)], unreduced.length),
      reshape(b, given, [...unreduced, 1]),
    );
    const rows = slice(b, pulled, [-1], [0], [elements(at)]);
    return [
      transpose(
        b,
        reshape(b, rows, dims),
        order.map((_, axis) => order.indexOf(axis)),
      ),
    ];
  },
  taylor: (at) => {
    const { b, node } = at;
    const times = (u: ValueId, v: ValueId) => mul(b, u, v);
    const seed = pushed(at.jet(0) as Jet, (value) => factors(at, value, 0));
    const jet = levels(at).reduce((whole, [low, high]) => {
      const half = (index: 0 | 1) => pushed(whole, (value) => halved(b, value)[index]);
      return productJet(b, times, b.rank(low), [low, half(0)], [high, half(1)]);
    }, seed);
    const dims = b.dims(node.outputs[0] as ValueId);
    return [{ root: pushed(jet, (value, lead) => reshape(b, value, [...b.dims(value).slice(0, lead), ...dims])) }];
  },
};

export const productRules: Readonly<Record<string, Rule>> = { ReduceProd: product };
