import { UnsupportedOperatorError } from "../../errors.ts";
import type { Builder } from "../../graph/builder.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { describe, string } from "../../graph/graph.ts";
import { expand, reshape, scale } from "../../graph/operators.ts";
import { sum } from "../jets.ts";
import type { Differentiated, Pullback, Rule } from "./rule.ts";
import { cotangent, linearInEach } from "./rule.ts";

// Einsum is linear in each operand. A cotangent takes its operand's place in the equation, and leading axes are one more letter.

interface Equation {
  readonly terms: readonly string[];
  readonly result: string;
  /** The size of each letter; operands may have 1 in its place. */
  readonly sizes: ReadonlyMap<string, number>;
  /** A letter that the equation does not use. */
  readonly fresh: string;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** The parts of a node's equation, which the shape rule has seen to be written out. */
function equationOf(b: Builder, node: Node): Equation {
  const equation = string(node, "equation", "").replaceAll(" ", "");
  const [left = "", result = ""] = equation.split("->");
  const terms = left.split(",");
  const sizes = new Map<string, number>();
  terms.forEach((term, index) => {
    const dims = b.dims(node.inputs[index] as ValueId);
    [...term].forEach((letter, axis) => sizes.set(letter, Math.max(sizes.get(letter) ?? 1, dims[axis] as number)));
  });
  const fresh = [...LETTERS].find((letter) => !equation.includes(letter)) as string;
  return { terms, result, sizes, fresh };
}

/** A letter twice in one operand takes a diagonal. */
function takesDiagonal(at: Differentiated): boolean {
  return equationOf(at.b, at.node).terms.some((term) => new Set(term).size < term.length);
}

/** @throws UnsupportedOperatorError for a diagonal */
function refuseDiagonal(at: Differentiated): void {
  if (!takesDiagonal(at)) return;
  throw new UnsupportedOperatorError(
    `node ${describe(at.node)}: no derivative rule for an index that is twice in one operand of ${string(at.node, "equation", "")}`,
  );
}

function contracted(b: Builder, operands: readonly ValueId[], terms: readonly string[], result: string): ValueId {
  return b.add("Einsum", operands, { equation: `${terms.join(",")}->${result}` });
}

const einsum: Rule = {
  linearity: (at) => (takesDiagonal(at) ? "unsupported" : linearInEach(at)),
  vjp: (at) => {
    refuseDiagonal(at);
    return at.node.inputs.map((_, index) => (at.varies(index) ? operandCotangent(at, index) : undefined));
  },
  taylor: (at) => {
    refuseDiagonal(at);
    const { b } = at;
    const jets = at.node.inputs.map((_, index) => at.jet(index));
    const varying = jets.flatMap((jet, index) => (jet ? [{ jet, index }] : []));
    if (varying.length === 0) return [];
    const first = varying.map(({ jet, index }) => replaced(at, new Map([[index, jet.first]]), "kept"));
    const second = varying.map(({ jet, index }) => jet.second && replaced(at, new Map([[index, jet.second]]), "none"));
    const pairs = varying.flatMap((left, place) => varying.slice(place + 1).map((right) => [left, right]));
    const crosses = pairs.map((pair) => {
      const values = new Map(pair.map(({ jet, index }) => [index, jet.first]));
      return at.order === 2 ? scale(b, replaced(at, values, "summed"), 2) : undefined;
    });
    return [{ root: { first: sum(b, ...first) as ValueId, second: sum(b, ...second, ...crosses) } }];
  },
};

/** The product with other values in the place of some operands, which have a leading axis; the result keeps it or sums over it. */
function replaced(
  { b, node }: Differentiated,
  values: ReadonlyMap<number, ValueId>,
  leading: "kept" | "summed" | "none",
): ValueId {
  const { terms, result, fresh } = equationOf(b, node);
  const operands = node.inputs.map((input, index) => values.get(index) ?? input);
  const letters = terms.map((term, index) => (leading !== "none" && values.has(index) ? fresh + term : term));
  return contracted(b, operands, letters, leading === "kept" ? fresh + result : result);
}

function operandCotangent(at: Pullback, index: number): ValueId {
  const { b, node, lead } = at;
  const { terms, result, sizes, fresh } = equationOf(b, node);
  const own = [...(terms[index] as string)];
  const dims = b.dims(node.inputs[index] as ValueId);
  const outer = b.dims(cotangent(at)).slice(0, lead);
  const leading = lead === 0 ? "" : fresh;
  const others = terms.filter((_, other) => other !== index);
  const elsewhere = result + others.join("");
  // Where the operand has 1 for a larger letter, that letter is summed; letters of its own alone are repeated.
  const found = own.filter((letter, axis) => elsewhere.includes(letter) && dims[axis] === sizes.get(letter));
  const operands = [cotangent(at), ...node.inputs.filter((_, other) => other !== index)];
  const pulled = contracted(b, operands, [leading + result, ...others], leading + found.join(""));
  const ones = own.map((letter) => (found.includes(letter) ? (sizes.get(letter) as number) : 1));
  return expand(b, reshape(b, pulled, [...outer, ...ones]), [...outer, ...dims]);
}

export const einsumRules: Readonly<Record<string, Rule>> = { Einsum: einsum };
