import { describe, expect, it } from "vitest";
import { mapWeights } from "../../src/checkpoints/mapping.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { graphOf, node } from "../graph/small-graph.ts";
import { checkpointOf, ramp } from "./checkpoint-of.ts";

describe("what remains, and why", () => {
  const graph = graphOf(
    { x: [2, 4] },
    [
      node("Gemm", ["x", "fc.weight"], "h", { transB: 1 }),
      node("Mul", ["h", "mask"], "i"),
      node("Add", ["i", "epsilon"], "j"),
      node("LayerNormalization", ["j", "ones", "zeros"], "y"),
    ],
    {
      "fc.weight": ramp([3, 4]),
      mask: ramp([3]),
      epsilon: ramp([], 1),
      ones: Tensor.float32([3], [1, 1, 1]),
      zeros: Tensor.float32([3], [0, 0, 0]),
    },
  );

  it("in the model: constants, and the scales of a normalization without weights", () => {
    const { kept, missing } = mapWeights(graph, checkpointOf({ "fc.weight": [3, 4] }));
    expect(missing).toEqual([]);
    expect(kept.map(({ parameter, reason }) => `${parameter.name}: ${reason}`)).toEqual([
      "mask: a constant of the model that the file does not have",
      "ones: all 0 or all 1, and not in the file: a normalization without weights",
      "zeros: all 0 or all 1, and not in the file: a normalization without weights",
    ]);
  });

  it("in the file: counts, whole numbers, tied weights, what is beside the weights", () => {
    const fc = ramp([3, 4], 5);
    const checkpoint = checkpointOf(
      {
        "model.fc.weight": fc,
        "model.tied.weight": ramp([3, 4], 5),
        "model.bn.num_batches_tracked": Tensor.int64(3),
        "model.positions": Tensor.int64([0, 1]),
        best: [1],
        "ema.other": [7],
      },
      {
        parts: new Map([
          ...["fc.weight", "tied.weight", "bn.num_batches_tracked", "positions"].map(
            (name) => [`model.${name}`, "model"] as const,
          ),
          ["best", ""],
          ["ema.other", "ema"],
        ]),
        asides: new Map([["optimizer", "state of an optimizer"]]),
      },
    );
    const { ignored, leftOver } = mapWeights(graph, checkpoint);
    expect(leftOver).toEqual([]);
    expect(ignored.map(({ tensor, reason }) => `${tensor}: ${reason}`)).toEqual([
      "optimizer: state of an optimizer",
      "model.tied.weight: the same numbers as model.fc.weight: tied weights",
      "model.bn.num_batches_tracked: BatchNorm's count of batches, which only training uses",
      "model.positions: whole numbers: no weights",
      "best: beside the weights, which are in model",
      "ema.other: beside the weights, which are in model",
    ]);
  });

  it("left over is what is none of this: zeros twice are no tie", () => {
    const zeros = Tensor.float32([3, 4], new Float32Array(12));
    const { leftOver } = mapWeights(graph, checkpointOf({ "fc.weight": zeros, "head.weight": zeros, extra: [2] }));
    expect(leftOver).toEqual(["head.weight", "extra"]);
  });

  it("gates of a recurrent layer are not matched by shape", () => {
    const lstm = graphOf({ x: [5, 2, 3] }, [node("LSTM", ["x", "W", "R", "B"], "y", { hidden_size: 2 })], {
      W: ramp([1, 8, 3]),
      R: ramp([1, 8, 2]),
      B: ramp([1, 16]),
    });
    const torch = { weight_ih_l0: [8, 3], weight_hh_l0: [8, 2], bias_ih_l0: [8], bias_hh_l0: [8] };
    const { matches, missing, leftOver } = mapWeights(lstm, checkpointOf(torch));
    expect([matches.length, missing.map(({ name }) => name), leftOver.length]).toEqual([0, ["W", "R", "B"], 4]);
    const onnx = checkpointOf({ W: [1, 8, 3], R: [1, 8, 2], B: [1, 16] });
    expect(mapWeights(lstm, onnx).matches).toHaveLength(3);
  });
});
