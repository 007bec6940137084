import type { Builder } from "../../graph/builder.ts";
import { sizeOf } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { mul, reduceSum, scale } from "../../graph/operators.ts";
import { broadcastJet, jetOf, sum, sumOfJets, throughFunction, type Chain, type Jet } from "../jets.ts";
import type { Differentiated, Pullback, Pushforward, Rule } from "./rule.ts";
import { cotangent, masked, unbroadcast } from "./rule.ts";

/** A function of operands that are broadcast, by its partial derivatives. */
export interface Partials {
  /** ∂f/∂x_i; undefined stands for 1. */
  readonly slope: (at: Differentiated, index: number) => ValueId | undefined;
  /** ∂²f/∂x_i²; undefined stands for 0. */
  readonly bend?: (at: Differentiated, index: number) => ValueId | undefined;
  /** ∂²f/∂x_0∂x_1. */
  readonly mixed?: (at: Differentiated) => ValueId;
}

/** An input of a node, by default the first. */
export function operand({ node }: Differentiated, index = 0): ValueId {
  return node.inputs[index] as ValueId;
}

/** An elementwise function of several operands. */
export function ofOperands(linearity: Rule["linearity"], { slope, bend, mixed }: Partials): Rule {
  return {
    linearity,
    vjp: (at) => at.node.inputs.map((_, index) => (at.varies(index) ? pulled(at, index, slope(at, index)) : undefined)),
    taylor: (at) => {
      const { b } = at;
      const bent = at.order === 2;
      const varying = at.node.inputs.flatMap((_, index) => (at.varies(index) ? [index] : []));
      const inner = varying.map((index) => fitted(at, index));
      const terms = inner.map((chain, place) => {
        const index = varying[place] as number;
        const [by, curve] = [slope(at, index), bent ? bend?.(at, index) : undefined];
        return by === undefined ? chain : throughFunction(b, chain, by, curve);
      });
      const [first, second] = inner as [Chain, Chain?];
      const crossing = bent && second ? mixed?.(at) : undefined;
      if (inner.every(({ root }) => root === first.root)) {
        const cross = crossing && scale(b, product(b, crossing, first.c1, second?.c1), 2);
        return [terms.length === 1 ? (terms[0] as Chain) : sumOnOneRoot(b, terms, cross)];
      }
      const { first: slopes, second: bends } = terms
        .map((chain) => jetOf(b, chain))
        .reduce((x, y) => sumOfJets(b, x, y));
      return [{ root: { first: slopes, second: sum(b, bends, crossing && crossed(b, crossing, inner)) } }];
    },
  };
}

function sumOnOneRoot(b: Builder, terms: readonly Chain[], cross: ValueId | undefined): Chain {
  return {
    root: (terms[0] as Chain).root,
    c1: sum(b, ...terms.map(({ c1 }) => c1 ?? b.scalar(1))),
    c2: sum(b, ...terms.map(({ c2 }) => c2), cross),
  };
}

/** 2 ∂²f/∂x_0∂x_1 Σ_r x_0'_r x_1'_r of operands on different roots. */
function crossed(b: Builder, mixed: ValueId, inner: readonly Chain[]): ValueId {
  const [u, v] = inner.map((chain) => jetOf(b, chain).first) as [ValueId, ValueId];
  return scale(b, mul(b, mixed, reduceSum(b, mul(b, u, v), [0])), 2);
}

function product(b: Builder, value: ValueId, ...factors: (ValueId | undefined)[]): ValueId {
  return factors.reduce<ValueId>((whole, factor) => (factor === undefined ? whole : mul(b, whole, factor)), value);
}

/** The cotangent of one operand, from its slope. */
export function pulled(at: Pullback, index: number, slope: ValueId | undefined): ValueId {
  const { b, lead } = at;
  const given = cotangent(at);
  // Only a mask of the output's own size may be merged with one that is there.
  const whole = slope !== undefined && sizeOf(b, slope) === sizeOf(b, at.node.outputs[0] as ValueId);
  const through = slope === undefined ? given : whole ? masked(b, given, slope) : mul(b, given, slope);
  return unbroadcast(b, through, lead, b.dims(operand(at, index)));
}

/** The chain of an operand, on a root that is broadcast where the operand is smaller than the output. */
export function fitted(at: Pushforward, index: number): Chain {
  const { b, node } = at;
  const dims = b.dims(node.outputs[0] as ValueId);
  if (b.dims(operand(at, index)).join() === dims.join()) return at.chain(index) as Chain;
  return { root: broadcastJet(b, at.jet(index) as Jet, dims) };
}
