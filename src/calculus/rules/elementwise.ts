import type { ValueId } from "../../graph/graph.ts";
import { float } from "../../graph/graph.ts";
import { add, cast, div, scale, sub } from "../../graph/operators.ts";
import { ofOperands, operand } from "./operands.ts";
import { constant, cotangent, elementwise, linear, type Differentiated, type Rule } from "./rule.ts";

// Piecewise-linear functions of one value, those that pass it on, and those that are linear in each operand.

const identity = linear(
  (_, value) => value,
  (at) => cotangent(at),
);

/** Between kinds of floats. What goes to integers or booleans, or comes from them, is constant. */
const converted = linear(
  (at, value) => cast(at.b, value, outputType(at)),
  (at) => cast(at.b, cotangent(at), at.b.type(operand(at)).type),
);

function outputType({ b, node }: Differentiated) {
  return b.type(node.outputs[0] as ValueId).type;
}

function betweenFloats(at: Differentiated): boolean {
  return at.b.type(operand(at)).type.includes("float") && outputType(at).includes("float");
}

/** Of CastLike's second input only the type is read. */
function onItsFirst<At extends Differentiated>(at: At): At {
  return { ...at, varies: (index: number) => index === 0 && at.varies(0) };
}

const typeChange: Rule = {
  linearity: (at) => (betweenFloats(at) ? "linear" : "constant"),
  vjp: (at) => (betweenFloats(at) ? converted : constant).vjp(onItsFirst(at)),
  taylor: (at) => (betweenFloats(at) && at.varies(0) ? converted : constant).taylor(onItsFirst(at)),
};

const negation = linear(
  (at, value) => at.b.add("Neg", [value]),
  (at) => at.b.add("Neg", [cotangent(at)]),
);

/** 1 where x > bound, else 0: the kink itself counts as below, as every framework has it. */
function above(at: Differentiated, bound = 0): ValueId {
  return cast(at.b, at.b.add("Greater", [operand(at), at.b.scalar(bound)]), "float32");
}

/** The output tells the sign as well as the input does: a runtime that joins ReLU to the operator before it need not keep the input. */
const relu = elementwise("piecewise-linear", ({ b, node }) =>
  cast(b, b.add("Greater", [node.outputs[0] as ValueId, b.scalar(0)]), "float32"),
);

const leakyRelu = elementwise("piecewise-linear", (at) => {
  const below = float(at.node, "alpha", 0.01);
  return add(at.b, scale(at.b, above(at), 1 - below), at.b.scalar(below));
});

const thresholdedRelu = elementwise("piecewise-linear", (at) => above(at, float(at.node, "alpha", 1)));

/** 0 at x = 0, as every framework has it. */
const absolute = elementwise("piecewise-linear", (at) => at.b.add("Sign", [operand(at)]));

/**
 * 1 strictly between the bounds, 0 at them, as PyTorch has it for ReLU6 and Hardtanh and as Relu has it at 0; its clamp, which is
 * exported to the same operator, has 1 there. An absent bound is none.
 */
const clip = elementwise("piecewise-linear", ({ b, node }) => {
  const [x = "", low = "", high = ""] = node.inputs;
  const masks = [low && b.add("Greater", [x, low]), high && b.add("Less", [x, high])].filter((mask) => mask !== "");
  return masks.length === 0
    ? b.scalar(1)
    : cast(
        b,
        masks.reduce((both, mask) => b.add("And", [both, mask])),
        "float32",
      );
});

/** α where the output is strictly between 0 and 1. */
const hardSigmoid = elementwise("piecewise-linear", ({ b, node }) => {
  const [y = ""] = node.outputs;
  const inside = b.add("And", [b.add("Greater", [y, b.scalar(0)]), b.add("Less", [y, b.scalar(1)])]);
  return scale(b, cast(b, inside, "float32"), float(node, "alpha", 0.2));
});

const mean = ofOperands("linear", { slope: ({ b, node }) => b.scalar(1 / node.inputs.length) });

/** z = x − ky with a whole k = (x − z)/y. */
const modulo = ofOperands("piecewise-linear", {
  slope: ({ b, node }, index) => {
    const [x = "", y = "", z = ""] = [...node.inputs, ...node.outputs];
    return index === 0 ? undefined : div(b, sub(b, z, x), y);
  },
});

export const elementwiseRules: Readonly<Record<string, Rule>> = {
  Neg: negation,
  Identity: identity,
  Dropout: identity,
  Cast: typeChange,
  CastLike: typeChange,
  Relu: relu,
  LeakyRelu: leakyRelu,
  ThresholdedRelu: thresholdedRelu,
  Abs: absolute,
  Clip: clip,
  HardSigmoid: hardSigmoid,
  Mean: mean,
  Mod: modulo,
};
