import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { applyCheckpoint } from "../../src/checkpoints/apply.ts";
import { openCheckpoint } from "../../src/checkpoints/open.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { ModelError, UsageError } from "../../src/errors.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { goldenModel, goldenPath } from "../golden-model.ts";
import { graphOf, node } from "../graph/small-graph.ts";
import { checkpointOf, ramp } from "./checkpoint-of.ts";

/** Float32 sums of at most 64 products of order 10 against torch in float64, in shares of the largest output. */
const ROUNDING = 1e-5;

async function outputOf(graph: Graph, x: Float32Array, dims: readonly number[]): Promise<Float32Array> {
  const session = await nodeRuntime.open(graph, { provider: "cpu", threads: 1 });
  try {
    const [output] = (
      await session.run(new Map([[graph.inputs[0]!.name, { type: "float32", dims, data: x }]]))
    ).values();
    return output!.data as Float32Array;
  } finally {
    await session.release();
  }
}

describe("a model with what torch.save wrote computes what torch did", () => {
  const model = goldenModel("state-dicts");
  const truth = parseNpz(readFileSync(goldenPath("state-dicts", "outputs.npz")), "outputs.npz");

  test.each(["plain", "nested"])("%s.pt", async (name) => {
    const checkpoint = await openCheckpoint(goldenPath("state-dicts", `${name}.pt`));
    const { graph, mapping } = applyCheckpoint(model.graph, "model.onnx", checkpoint);
    const { data, dims } = truth.array("x");
    const output = await outputOf(graph, data as Float32Array, dims);
    const expected = truth.array(name).data as Float64Array;
    const size = Math.max(...expected.map(Math.abs));
    expect(output).toHaveLength(expected.length);
    expect(Math.max(...output.map((value, at) => Math.abs(value - expected[at]!) / size))).toBeLessThan(ROUNDING);
    // What the exporter renamed: three matrices of linear layers, scale and bias of the GroupNorm.
    expect(mapping.matches.map(({ by }) => by).filter((by) => by === "module")).toHaveLength(5);
    expect(mapping.matches.map(({ by }) => by).filter((by) => by === "name")).toHaveLength(12);
  });

  it("is another without them", async () => {
    const { data, dims } = truth.array("x");
    const output = await outputOf(model.graph, data as Float32Array, dims);
    expect(Math.abs(output[0]! - (truth.array("plain").data as Float64Array)[0]!)).toBeGreaterThan(0.1);
  });

  it("refuses where the BatchNorm was folded, and says how to export", async () => {
    const folded = goldenModel("state-dicts", "model-folded.onnx");
    const checkpoint = await openCheckpoint(goldenPath("state-dicts", "plain.pt"));
    const apply = () => applyCheckpoint(folded.graph, "model-folded.onnx", { ...checkpoint, file: "plain.pt" });
    expect(apply).toThrow(ModelError);
    expect(apply).toThrow(
      "plain.pt: does not fit model-folded.onnx: the export folded BatchNorm bn into the layer before, whose weights in the model " +
        "are products of several in the file; export it unfolded: torch.onnx.export(…, " +
        "training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, dynamo=False) on model.eval(), " +
        "or with dynamo=True and optimize=False.",
    );
  });
});

describe("values", () => {
  const graph = graphOf(
    { x: [2, 2] },
    [node("Gemm", ["x", "w", "b"], "h", { transB: 1 }), node("Mul", ["h", "s"], "y")],
    {
      w: ramp([2, 2], 1),
      b: ramp([2], 1),
      s: Tensor.float32([], [3]),
    },
  );
  const valuesOf = (checkpoint: Parameters<typeof checkpointOf>[0], name: string) => [
    ...applyCheckpoint(graph, "m.onnx", checkpointOf(checkpoint)).graph.constants.get(name)!.numbers(),
  ];

  it("are rounded from float64 and widened from half precision", () => {
    const w = Tensor.of("float64", [2, 2], Float64Array.of(0.1, 1, 2, 3));
    // 1 and −2 by the definition of bfloat16.
    const b = Tensor.of("bfloat16", [2], Uint16Array.of(0x3f80, 0xc000));
    expect(valuesOf({ w, b }, "w")).toEqual([Math.fround(0.1), 1, 2, 3]);
    expect(valuesOf({ w, b }, "b")).toEqual([1, -2]);
    expect(valuesOf({ w, b }, "s")).toEqual([3]);
  });

  it("leave the model as it was", () => {
    expect(valuesOf({ w: [2, 2], b: [2] }, "w")).toEqual([1000, 1001, 1002, 1003]);
    expect([...graph.constants.get("w")!.numbers()]).toEqual([1, 2, 3, 4]);
  });

  it("that are no numbers are refused", () => {
    const b = Tensor.float32([2], [1, Number.NaN]);
    expect(() => valuesOf({ w: [2, 2], b }, "w")).toThrow(
      "w.pt: b has NaN at element 1; expected numbers: did training diverge?",
    );
  });

  it("go into a model of float64, and not into one of half precision", () => {
    const of = (tensor: Tensor) => graphOf({ x: [2, 2] }, [node("MatMul", ["x", "w"], "y")], { w: tensor });
    const double = applyCheckpoint(
      of(Tensor.of("float64", [2, 3], new Float64Array(6))),
      "m.onnx",
      checkpointOf({ w: [2, 3] }),
    );
    expect(double.graph.constants.get("w")!.numbers()).toEqual(Float64Array.of(1000, 1001, 1002, 1003, 1004, 1005));
    const half = of(Tensor.of("float16", [2, 3], new Uint16Array(6)));
    expect(() => applyCheckpoint(half, "m.onnx", checkpointOf({ w: [2, 3] }))).toThrow(
      "w is float16 in the model: expected float32",
    );
  });

  it("of a matrix are transposed where shapes say so: (W^T)_ij = W_ji", () => {
    const turned = graphOf({ x: [2, 2] }, [node("MatMul", ["x", "w"], "y")], { w: ramp([2, 3]) });
    const { constants } = applyCheckpoint(turned, "m.onnx", checkpointOf({ w: [3, 2] })).graph;
    expect([...constants.get("w")!.numbers()]).toEqual([1000, 1002, 1004, 1001, 1003, 1005]);
  });

  it("of a kernel are moved from (height, width, in, out) to (out, in, height, width)", () => {
    const conv = graphOf({ x: [1, 2, 4, 4] }, [node("Conv", ["x", "k"], "y")], { k: ramp([3, 2, 1, 2]) });
    const { constants } = applyCheckpoint(conv, "m.onnx", checkpointOf({ k: [1, 2, 2, 3] })).graph;
    // Element (0, w, i, o) of the file is 1000 + 6w + 3i + o.
    const expected = [0, 1, 2].flatMap((o) => [0, 1].flatMap((i) => [0, 1].map((w) => 1000 + 6 * w + 3 * i + o)));
    expect([...constants.get("k")!.numbers()]).toEqual(expected);
  });
});

describe("what was merged through Identity", () => {
  const graph = graphOf(
    { x: [2, 3, 4] },
    [node("Identity", ["a"], "b"), node("MatMul", ["x", "a"], "h"), node("MatMul", ["h", "b"], "y")],
    { a: ramp([4, 4]) },
  );

  it("is apart where the file has two", () => {
    const { nodes, constants } = applyCheckpoint(graph, "m.onnx", checkpointOf({ a: [4, 4], b: [4, 4] })).graph;
    expect(nodes.map(({ op }) => op)).toEqual(["MatMul", "MatMul"]);
    expect([constants.get("a")!.numbers()[0], constants.get("b")!.numbers()[0]]).toEqual([1000, 2000]);
  });

  it("stays one where both are the same", () => {
    const { nodes, constants } = applyCheckpoint(
      graph,
      "m.onnx",
      checkpointOf({ a: ramp([4, 4], 7), b: ramp([4, 4], 7) }),
    ).graph;
    expect(nodes.map(({ op }) => op)).toEqual(["Identity", "MatMul", "MatMul"]);
    expect([constants.get("a")!.numbers()[0], constants.has("b")]).toEqual([7, false]);
  });
});

describe("a file of another network", () => {
  const graph = graphOf({ x: [2, 4] }, [node("Gemm", ["x", "fc.weight", "fc.bias"], "y", { transB: 1 })], {
    "fc.weight": ramp([3, 4]),
    "fc.bias": ramp([3]),
  });
  const message = (checkpoint: ReturnType<typeof checkpointOf>, model = graph) => {
    try {
      applyCheckpoint(model, "m.onnx", checkpoint);
    } catch (error) {
      expect(error).toBeInstanceOf(ModelError);
      return (error as Error).message;
    }
    throw new Error("it was taken");
  };
  const what =
    "expected the weights of the same network: --explain-weights shows what was found, w.pt#NAME takes one part of the file.";

  it("is refused with both sides", () => {
    expect(message(checkpointOf({ "fc.weight": [3, 4], "head.bias": [5], scale: [] }))).toBe(
      `w.pt: does not fit m.onnx: missing in the file: fc.bias [3]; left over in the file: head.bias [5], scale []; ${what}`,
    );
  });

  it("has the names that the exporter noted beside those that it made up", () => {
    const path = { name: "/head/MatMul" };
    const renamed = graphOf({ x: [2, 4] }, [node("MatMul", ["x", "onnx::MatMul_1"], "y", {}, path)], {
      "onnx::MatMul_1": ramp([4, 3]),
    });
    expect(message(checkpointOf({ other: [9] }), renamed)).toBe(
      "w.pt: does not fit m.onnx: missing in the file: onnx::MatMul_1 [4, 3] (head.weight); left over in the file: other [9]; " +
        `an export that folds constants may cut weights up: torch.onnx.export(…, do_constant_folding=False) keeps them; ${what}`,
    );
  });

  it("has its contradictions said", () => {
    expect(message(checkpointOf({ "fc.weight": [3, 5], "fc.bias": [3] }))).toBe(
      "w.pt: does not fit m.onnx: fc.weight is float32 [3, 4] in the model, fc.weight float32 [3, 5] in the file; " +
        `missing in the file: fc.weight [3, 4]; left over in the file: fc.weight [3, 5]; ${what}`,
    );
  });

  it("has no more than twelve names listed a side, and what stands in other parts", () => {
    const many = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`model.x${index}`, [9]]));
    const parts = new Map([
      ...Object.keys(many).map((name) => [name, "model"] as const),
      ["ema.y", "ema"],
      ["model.fc.weight", "model"],
    ]);
    const text = message(checkpointOf({ "model.fc.weight": [3, 4], ...many, "ema.y": [1] }, { parts }));
    expect(text).toContain("model.x11 [9] and 3 more; also in the file: ema; ");
  });

  it("has folding named as what may be, where more than a BatchNorm is left over", () => {
    expect(
      message(checkpointOf({ "fc.weight": [3, 4], "fc.bias": [3], "bn.running_mean": [3], "head.weight": [9] })),
    ).toContain(
      "left over in the file: bn.running_mean [3], head.weight [9]; if the export folded bn into the layers before, export it unfolded",
    );
  });

  it("says why gates do not go in", () => {
    const gru = graphOf({ x: [5, 2, 3] }, [node("GRU", ["x", "W", "R"], "y", { hidden_size: 2 })], {
      W: ramp([1, 6, 3]),
      R: ramp([1, 6, 2]),
    });
    expect(message(checkpointOf({ weight_ih_l0: [6, 3], weight_hh_l0: [6, 2] }), gru)).toContain(
      "an exporter puts the gates of an LSTM, GRU or RNN in another order",
    );
  });

  it("is asked about where it has several", async () => {
    const lenet = goldenModel("lenet5-fashion/net00-batch64");
    const checkpoint = await openCheckpoint(goldenPath("lenet5-fashion", "weights.npz"));
    expect(() => applyCheckpoint(lenet.graph, "m.onnx", { ...checkpoint, file: "weights.npz" })).toThrow(UsageError);
    expect(() => applyCheckpoint(lenet.graph, "m.onnx", { ...checkpoint, file: "weights.npz" })).toThrow(
      "weights.npz: has the weights of several models: net00, net01, net02, net03, net04, net05; choose one, such as weights.npz#net00.",
    );
  });
});
