import type { ValueId } from "../../graph/graph.ts";
import { float } from "../../graph/graph.ts";
import { add, cast, scale } from "../../graph/operators.ts";
import { linear, elementwise, cotangent, masked, type Differentiated, type Rule } from "./rule.ts";

// Piecewise-linear functions of one value, and those that pass it on.

const identity = linear(
  (_, value) => value,
  (at) => cotangent(at),
);

const negation = linear(
  (at, value) => at.b.add("Neg", [value]),
  (at) => at.b.add("Neg", [cotangent(at)]),
);

function input(at: Differentiated): ValueId {
  return at.node.inputs[0] as ValueId;
}

/** 1 where x > 0, else 0: the kink itself counts as below, as every framework has it. */
function above(at: Differentiated, x = input(at), bound = 0): ValueId {
  return cast(at.b, at.b.add("Greater", [x, at.b.scalar(bound)]), "float32");
}

const relu = elementwise("piecewise-linear", (at) => above(at));

const leakyRelu = elementwise("piecewise-linear", (at) => {
  const below = float(at.node, "alpha", 0.01);
  return add(at.b, scale(at.b, above(at), 1 - below), at.b.scalar(below));
});

/** 1 strictly between the bounds; an absent bound is none. */
function inside(at: Differentiated): ValueId {
  const { b, node } = at;
  const [x = "", low = "", high = ""] = node.inputs;
  const masks = [low && b.add("Greater", [x, low]), high && b.add("Less", [x, high])].filter((mask) => mask !== "");
  const one = b.scalar(1);
  return masks.reduce(
    (value, mask) => (value === one ? cast(b, mask, "float32") : masked(b, value, cast(b, mask, "float32"))),
    one,
  );
}

export const elementwiseRules: Readonly<Record<string, Rule>> = {
  Neg: negation,
  Identity: identity,
  Dropout: identity,
  Cast: identity,
  Relu: relu,
  LeakyRelu: leakyRelu,
  Clip: elementwise("piecewise-linear", inside),
};
