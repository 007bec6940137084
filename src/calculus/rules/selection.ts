import type { ValueId } from "../../graph/graph.ts";
import { cast, sub } from "../../graph/operators.ts";
import { jetOf, type Chain } from "../jets.ts";
import { fitted, ofOperands, operand, pulled } from "./operands.ts";
import type { Differentiated, Pullback, Rule } from "./rule.ts";
import { cotangent, linearInEach } from "./rule.ts";

// Functions that choose between their operands.

/**
 * Coefficients are chosen, not multiplied by a mask: what is infinite on the side that is not taken, as log's slope at 0, does not
 * meet a zero. In reverse it does, as in PyTorch.
 */
const where: Rule = {
  linearity: (at) => (at.varies(0) ? "piecewise-linear" : "linear"),
  vjp: (at) => {
    const { b } = at;
    const condition = operand(at);
    const masks = [undefined, condition, b.add("Not", [condition])];
    return masks.map((mask, index) =>
      mask !== undefined && at.varies(index) ? pulled(at, index, cast(b, mask, "float32")) : undefined,
    );
  },
  taylor: (at) => {
    const { b } = at;
    const zero = b.scalar(0);
    const choose = (x = zero, y = zero) => b.add("Where", [operand(at), x, y]);
    const chooseIfAny = (x?: ValueId, y?: ValueId) => (x === undefined && y === undefined ? undefined : choose(x, y));
    const [left, right] = [1, 2].map((index) => (at.varies(index) ? fitted(at, index) : undefined));
    const { root } = (left ?? right) as Chain;
    if (!left || !right || left.root === right.root) {
      const slope = (chain: Chain | undefined) => chain && (chain.c1 ?? b.scalar(1));
      return [{ root, c1: choose(slope(left), slope(right)), c2: chooseIfAny(left?.c2, right?.c2) }];
    }
    const [u, v] = [jetOf(b, left), jetOf(b, right)];
    return [{ root: { first: choose(u.first, v.first), second: chooseIfAny(u.second, v.second) } }];
  },
};

/** Max or Min: 1 where an operand is the one; the first of equal ones takes all. */
function extreme(better: "Greater" | "Less"): Rule {
  const rule = ofOperands("piecewise-linear", {
    slope: ({ b, node }, index) => {
      const [own = ""] = node.inputs.slice(index);
      const masks = node.inputs.flatMap((other, place) =>
        place === index ? [] : [b.add(place < index ? better : `${better}OrEqual`, [own, other])],
      );
      if (masks.length === 0) return undefined;
      return cast(
        b,
        masks.reduce((both, mask) => b.add("And", [both, mask])),
        "float32",
      );
    },
  });
  return { ...rule, vjp: (at) => (isOneGradient(at) ? handedDown(at) : rule.vjp(at)) };
}

/** Whether one cotangent goes to operands all of the output's dims. */
function isOneGradient(at: Pullback): boolean {
  const { b, node, lead } = at;
  const dims = b.dims(node.outputs[0] as ValueId).join();
  return lead === 0 && node.inputs.every((input, index) => at.varies(index) && b.dims(input).join() === dims);
}

/** The cotangent is offered to one operand after another; what equals the extreme takes it, the last what is left. */
function handedDown(at: Pullback): ValueId[] {
  const { b, node } = at;
  let left = cotangent(at);
  return node.inputs.map((input, index) => {
    if (index === node.inputs.length - 1) return left;
    const taken = b.add("Where", [b.add("Equal", [input, node.outputs[0] as ValueId]), left, b.scalar(0)]);
    left = sub(b, left, taken);
    return taken;
  });
}

function linearityOfPRelu(at: Differentiated) {
  const linearity = linearInEach(at);
  return linearity === "linear" && at.varies(0) ? "piecewise-linear" : linearity;
}

/** x where x > 0, else s·x; s may vary too. */
const pRelu = ofOperands(linearityOfPRelu, {
  slope: ({ b, node }, index) => {
    const [x = "", s = ""] = node.inputs;
    const zero = b.scalar(0);
    if (index === 1) return b.add("Min", [x, zero]);
    return b.add("Where", [b.add("Greater", [x, zero]), b.scalar(1), s]);
  },
  mixed: (at) => cast(at.b, at.b.add("LessOrEqual", [operand(at), at.b.scalar(0)]), "float32"),
});

export const selectionRules: Readonly<Record<string, Rule>> = {
  Where: where,
  Max: extreme("Greater"),
  Min: extreme("Less"),
  PRelu: pRelu,
};
