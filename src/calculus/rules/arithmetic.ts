import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { add, div, mul, scale, square } from "../../graph/operators.ts";
import { broadcastJet, jetOf, productJet, sum, throughFunction, type Chain } from "../jets.ts";
import type { Pullback, Pushforward, Rule } from "./rule.ts";
import { cotangent, each, linearInEach, linearInFirst, unbroadcast } from "./rule.ts";

// Add, Sub, Mul, Div and their kin: operands of different dims, several of which may vary.

/** The cotangent as it is, for an input of smaller shape. */
function passed(at: Pullback, index: number): () => ValueId {
  return () => unbroadcast(at.b, cotangent(at), at.lead, at.b.dims(at.node.inputs[index] as ValueId));
}

export function negative(b: Builder, value: ValueId): ValueId {
  return b.add("Neg", [value]);
}

/** A chain, broadcast where its value is smaller than the node's output. */
function fitted(at: Pushforward, index: number): Chain {
  const { b, node } = at;
  const dims = b.dims(node.outputs[0] as ValueId);
  const own = b.dims(node.inputs[index] as ValueId);
  if (own.length === dims.length && own.every((size, axis) => size === dims[axis])) return at.chain(index) as Chain;
  const jet = at.jet(index);
  return { root: broadcastJet(b, jet as NonNullable<typeof jet>, dims) };
}

/** The sum of chains, each times ±1. */
function sumOfChains(at: Pushforward, signs: readonly number[]): Chain {
  const { b, node } = at;
  const terms = node.inputs.flatMap((_, index) =>
    at.varies(index) ? [{ chain: fitted(at, index), sign: signs[index] ?? 1 }] : [],
  );
  const signed = (value: ValueId | undefined, sign: number) =>
    value === undefined || sign === 1 ? value : negative(b, value);
  const [first] = terms;
  if (terms.length > 1 && terms.every(({ chain }) => chain.root === first?.chain.root)) {
    const one = b.scalar(1);
    const c1 = sum(b, ...terms.map(({ chain, sign }) => signed(chain.c1 ?? one, sign)));
    return {
      root: (first as (typeof terms)[number]).chain.root,
      c1,
      c2: sum(b, ...terms.map(({ chain, sign }) => signed(chain.c2, sign))),
    };
  }
  if (terms.length === 1 && first?.sign === 1) return first.chain;
  if (terms.length === 1 && first) return throughFunction(b, first.chain, b.scalar(-1), undefined);
  const jets = node.inputs.flatMap((_, index) => {
    if (!at.varies(index)) return [];
    const jet = at.jet(index);
    return [
      {
        jet: broadcastJet(b, jet as NonNullable<typeof jet>, b.dims(node.outputs[0] as ValueId)),
        sign: signs[index] ?? 1,
      },
    ];
  });
  return {
    root: {
      first: sum(b, ...jets.map(({ jet, sign }) => signed(jet.first, sign))) as ValueId,
      second: sum(b, ...jets.map(({ jet, sign }) => signed(jet.second, sign))),
    },
  };
}

const addition: Rule = {
  linearity: "linear",
  vjp: (at) => each(at, ...at.node.inputs.map((_, index) => passed(at, index))),
  taylor: (at) => [sumOfChains(at, [])],
};

const subtraction: Rule = {
  linearity: "linear",
  vjp: (at) => each(at, passed(at, 0), () => negative(at.b, passed(at, 1)())),
  taylor: (at) => [sumOfChains(at, [1, -1])],
};

/** u v along directions: as one chain where both hang on the same root, else by the product rule. */
function productOfChains(
  at: Pushforward,
  u: ValueId,
  v: ValueId,
  chainU: Chain | undefined,
  chainV: Chain | undefined,
): Chain {
  const { b, node } = at;
  const dims = b.dims(node.outputs[0] as ValueId);
  const whole = (value: ValueId) => b.dims(value).join() === dims.join();
  if (chainU && !chainV && whole(u)) return throughFunction(b, chainU, v, undefined);
  if (chainV && !chainU && whole(v)) return throughFunction(b, chainV, u, undefined);
  if (chainU && chainV && chainU.root === chainV.root && whole(u) && whole(v)) {
    const [u1, v1] = [chainU.c1, chainV.c1];
    const c1 = add(b, v1 === undefined ? u : mul(b, u, v1), u1 === undefined ? v : mul(b, v, u1));
    const cross = u1 === undefined ? (v1 ?? b.scalar(1)) : v1 === undefined ? u1 : mul(b, u1, v1);
    const c2 = sum(b, chainU.c2 && mul(b, v, chainU.c2), chainV.c2 && mul(b, u, chainV.c2), scale(b, cross, 2));
    return { root: chainU.root, c1, c2 };
  }
  const times = (left: ValueId, right: ValueId) => mul(b, left, right);
  return { root: productJet(b, times, dims.length, [u, at.jet(0)], [v, at.jet(1)]) };
}

const multiplication: Rule = {
  linearity: linearInEach,
  vjp: (at) => {
    const [x = "", y = ""] = at.node.inputs;
    const { b, lead } = at;
    if (x === y) return [mul(b, scale(b, cotangent(at), 2), x)];
    return each(
      at,
      () => unbroadcast(b, mul(b, cotangent(at), y), lead, b.dims(x)),
      () => unbroadcast(b, mul(b, cotangent(at), x), lead, b.dims(y)),
    );
  },
  taylor: (at) => {
    const [x = "", y = ""] = at.node.inputs;
    return [productOfChains(at, x, y, at.chain(0), at.chain(1))];
  },
};

/** x / y; a constant number is turned over beforehand, because the runtime multiplies faster than it divides. */
function quotient(b: Builder, x: ValueId, y: ValueId): ValueId {
  const divisor = b.constantOf(y);
  return divisor?.size === 1 ? scale(b, x, 1 / (divisor.numbers()[0] as number)) : div(b, x, y);
}

/** x / y is x times 1/y, whose derivatives are −1/y² and 2/y³. */
const division: Rule = {
  linearity: linearInFirst,
  vjp: (at) => {
    const [x = "", y = ""] = at.node.inputs;
    const { b, lead } = at;
    return each(
      at,
      () => unbroadcast(b, quotient(b, cotangent(at), y), lead, b.dims(x)),
      () => unbroadcast(b, negative(b, mul(b, cotangent(at), div(b, x, square(b, y)))), lead, b.dims(y)),
    );
  },
  taylor: (at) => {
    const { b, node } = at;
    const [x = "", y = ""] = node.inputs;
    const inverse = b.add("Reciprocal", [y]);
    const chain = at.chain(1);
    if (!chain) return [productOfChains(at, x, inverse, at.chain(0), undefined)];
    const squared = square(b, inverse);
    const bend = at.order === 2 ? scale(b, mul(b, squared, inverse), 2) : undefined;
    const inverted = throughFunction(b, chain, negative(b, squared), bend);
    const jet = (index: number) => (index === 0 ? at.jet(0) : jetOf(b, inverted));
    return [productOfChains({ ...at, jet }, x, inverse, at.chain(0), inverted)];
  },
};

export const arithmeticRules: Readonly<Record<string, Rule>> = {
  Add: addition,
  Sum: addition,
  Sub: subtraction,
  Mul: multiplication,
  Div: division,
};
