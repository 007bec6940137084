import { UnsupportedOperatorError } from "../../errors.ts";
import type { Builder } from "../../graph/builder.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { describe, float, int } from "../../graph/graph.ts";
import { add, div, mul, reduceSum, reshape, scale, sqrt, sub } from "../../graph/operators.ts";
import { count, Tensor } from "../../graph/tensor.ts";
import type { Differentiated, Pullback, Rule } from "./rule.ts";
import { cotangent, each, linear, masked } from "./rule.ts";

/** A vector of channels shaped [C, 1, …] to meet x. */
function meeting(b: Builder, channels: ValueId, x: ValueId): ValueId {
  const spatial = b
    .dims(x)
    .slice(2)
    .map(() => 1);
  return reshape(b, channels, [b.dims(channels)[0] as number, ...spatial]);
}

function deviation(b: Builder, node: Node, variance: ValueId): ValueId {
  return sqrt(b, add(b, variance, b.scalar(float(node, "epsilon", 1e-5))));
}

/** scale / √(variance + ε) of the running statistics. */
function slope(b: Builder, node: Node): ValueId {
  const [x = "", gain = "", , , variance = ""] = node.inputs;
  return meeting(b, div(b, gain, deviation(b, node, variance)), x);
}

/** With the running statistics: linear, its own parameters constant. */
const inference = linear(
  ({ b, node }, value) => mul(b, value, slope(b, node)),
  (at) => masked(at.b, cotangent(at), slope(at.b, at.node)),
);

/**
 * With the statistics of the batch, y = γ (x − μ)/σ + β: ∂β = Σ g, ∂γ = Σ g x̂, ∂x = γ/σ (g − ∂β/n − x̂ ∂γ/n), sums over the n elements
 * of a channel (Ioffe and Szegedy 2015). Of x − μ, because Σ g x − μ Σ g loses digits where μ is large against σ.
 */
function trainingPull(at: Pullback): (ValueId | undefined)[] {
  const { b, node, lead } = at;
  const [x = "", gain = ""] = node.inputs;
  const [y = "", mean = "", variance = ""] = node.outputs;
  if (lead > 0 || variance === "") throw refusal(at);
  const dims = b.dims(x);
  const axes = [...dims.keys()].filter((axis) => axis !== 1);
  const n = count(dims) / (dims[1] as number);
  const given = cotangent(at);
  const inverse = div(b, b.scalar(1), deviation(b, node, variance));
  const centred = sub(b, x, meeting(b, mean, x));
  const shift = reduceSum(b, given, axes);
  const stretch = mul(b, reduceSum(b, mul(b, given, centred), axes), inverse);
  const through = () => {
    const channels = b.dims(mean);
    const none = b.constant(Tensor.float32(channels, new Float32Array(count(channels))));
    // The operator itself, its statistics given, is the runtime's one pass for a factor and a shift of each channel.
    const parameters = [scale(b, stretch, -1 / n), scale(b, shift, -1 / n), none, variance];
    const epsilon = { float: float(node, "epsilon", 1e-5) };
    const along = b.add("BatchNormalization", [centred, ...parameters], { epsilon });
    return mul(b, add(b, given, along), meeting(b, mul(b, gain, inverse), y));
  };
  return each(
    at,
    through,
    () => stretch,
    () => shift,
  );
}

function refusal({ node }: Differentiated): UnsupportedOperatorError {
  return new UnsupportedOperatorError(
    `node ${describe(node)}: with the statistics of the batch there is a rule for gradients alone, where its mean and variance are outputs`,
  );
}

const isTraining = ({ node }: Differentiated) => int(node, "training_mode", 0) === 1;

const batchNormalization: Rule = {
  linearity: (at) => {
    if (isTraining(at)) return "smooth";
    return typeof inference.linearity === "function" ? inference.linearity(at) : inference.linearity;
  },
  vjp: (at) => (isTraining(at) ? trainingPull(at) : inference.vjp(at)),
  taylor: (at) => {
    if (isTraining(at)) throw refusal(at);
    return inference.taylor(at);
  },
};

export const batchNormalizationRules: Readonly<Record<string, Rule>> = { BatchNormalization: batchNormalization };
