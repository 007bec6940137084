import { cast, div, mul, scale, square } from "../../graph/operators.ts";
import { float } from "../../graph/graph.ts";
import type { Pullback, Rule } from "./rule.ts";
import { cotangent, each, linearInEach, linearInFirst, masked, unbroadcast } from "./rule.ts";

/** The cotangent as it is, for an input of smaller shape. */
function passed(at: Pullback, index: number): () => string {
  return () => unbroadcast(at.b, cotangent(at), at.lead, at.b.dims(at.node.inputs[index] as string));
}

function negative(at: Pullback, value: string): string {
  return at.b.add("Neg", [value]);
}

const add: Rule = {
  linearity: "linear",
  vjp: (at) => each(at, ...at.node.inputs.map((_, index) => passed(at, index))),
};

const sub: Rule = {
  linearity: "linear",
  vjp: (at) => each(at, passed(at, 0), () => negative(at, passed(at, 1)())),
};

const product: Rule = {
  linearity: linearInEach,
  vjp: (at) => {
    const [x = "", y = ""] = at.node.inputs;
    const { b, lead } = at;
    return each(
      at,
      () => unbroadcast(b, mul(b, cotangent(at), y), lead, b.dims(x)),
      () => unbroadcast(b, mul(b, cotangent(at), x), lead, b.dims(y)),
    );
  },
};

const quotient: Rule = {
  linearity: linearInFirst,
  vjp: (at) => {
    const [x = "", y = ""] = at.node.inputs;
    const { b, lead } = at;
    return each(
      at,
      () => unbroadcast(b, div(b, cotangent(at), y), lead, b.dims(x)),
      () => {
        const slope = div(b, x, square(b, y));
        return unbroadcast(b, negative(at, mul(b, cotangent(at), slope)), lead, b.dims(y));
      },
    );
  },
};

const neg: Rule = { linearity: "linear", vjp: (at) => [negative(at, cotangent(at))] };

const identity: Rule = { linearity: "linear", vjp: (at) => [cotangent(at)] };

/** Slope 1 above zero, `below` elsewhere. The kink itself counts as below, as every framework has it. */
function leaky(at: Pullback, below: number): string[] {
  const { b, node } = at;
  const positive = cast(b, b.add("Greater", [node.inputs[0] as string, b.scalar(0)]), "float32");
  if (below === 0) return [masked(b, cotangent(at), positive)];
  const slope = b.add("Add", [scale(b, positive, 1 - below), b.scalar(below)]);
  return [masked(b, cotangent(at), slope)];
}

const clip: Rule = {
  linearity: "piecewise-linear",
  vjp: (at) => {
    const { b, node } = at;
    const [x = "", low = "", high = ""] = node.inputs;
    const inside: string[] = [];
    if (low !== "") inside.push(cast(b, b.add("Greater", [x, low]), "float32"));
    if (high !== "") inside.push(cast(b, b.add("Less", [x, high]), "float32"));
    return [inside.reduce((value, mask) => masked(b, value, mask), cotangent(at))];
  },
};

export const elementwiseRules: Readonly<Record<string, Rule>> = {
  Add: add,
  Sum: add,
  Sub: sub,
  Mul: product,
  Div: quotient,
  Neg: neg,
  Identity: identity,
  Dropout: identity,
  Cast: identity,
  Relu: { linearity: "piecewise-linear", vjp: (at) => leaky(at, 0) },
  LeakyRelu: { linearity: "piecewise-linear", vjp: (at) => leaky(at, float(at.node, "alpha", 0.01)) },
  Clip: clip,
};
