import { describe, expect, it, test } from "vitest";
import { mapWeights } from "../../src/checkpoints/mapping.ts";
import type { Checkpoint } from "../../src/checkpoints/checkpoint.ts";
import { UsageError } from "../../src/errors.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { graphOf, node } from "../graph/small-graph.ts";
import { checkpointOf, ramp } from "./checkpoint-of.ts";

/** Each match as `parameter ← tensor, how, layout`. */
function matched(graph: Graph, checkpoint: Checkpoint): string[] {
  return mapWeights(graph, checkpoint).matches.map(
    ({ parameter, tensor, by, layout }) =>
      `${parameter.name} ← ${tensor}, ${by}${layout === "turned" ? ", turned" : ""}`,
  );
}

/** x (2×4) through Gemm nodes with transB, which keep PyTorch's names and orientation. */
function gemms(names: readonly string[], sizes: readonly number[]): Graph {
  const nodes = names.map((name, at) =>
    node(
      "Gemm",
      [at === 0 ? "x" : `h${at}`, `${name}.weight`, `${name}.bias`],
      at === names.length - 1 ? "y" : `h${at + 1}`,
      {
        transB: 1,
      },
    ),
  );
  const constants = names.flatMap((name, at) => [
    [`${name}.weight`, ramp([sizes[at + 1]!, sizes[at]!])],
    [`${name}.bias`, ramp([sizes[at + 1]!])],
  ]);
  return graphOf({ x: [2, sizes[0]!] }, nodes, Object.fromEntries(constants));
}

/** x through MatMul nodes whose weights the exporter transposed and renamed; `paths` are the names of the nodes. */
function products(sizes: readonly number[], paths: readonly string[] = []): Graph {
  const count = sizes.length - 1;
  const nodes = Array.from({ length: count }, (_, at) =>
    node(
      "MatMul",
      [at === 0 ? "x" : `h${at}`, `onnx::MatMul_${at}`],
      at === count - 1 ? "y" : `h${at + 1}`,
      {},
      {
        name: paths[at] ?? "",
      },
    ),
  );
  const constants = nodes.map((_, at) => [`onnx::MatMul_${at}`, ramp([sizes[at]!, sizes[at + 1]!])]);
  return graphOf({ x: [2, 3, sizes[0]!] }, nodes, Object.fromEntries(constants));
}

describe("by name", () => {
  const graph = gemms(["fc1", "fc2"], [4, 3, 2]);
  const names = { "fc1.weight": [3, 4], "fc1.bias": [3], "fc2.weight": [2, 3], "fc2.bias": [2] } as const;
  const renamed = (change: (name: string) => string) =>
    checkpointOf(Object.fromEntries(Object.entries(names).map(([name, dims]) => [change(name), dims])));

  test.each<[string, (name: string) => string]>([
    ["the same", (name) => name],
    ["DataParallel's", (name) => `module.${name}`],
    ["those of a compiled model in a Lightning module", (name) => `model._orig_mod.${name}`],
    ["with slashes", (name) => name.replace(".", "/")],
    ["with slashes behind a prefix", (name) => `params/${name.replace(".", "/")}`],
  ])("%s", (_, change) => {
    const { matches, missing, leftOver, problems } = mapWeights(graph, renamed(change));
    expect(matches.map(({ parameter, tensor, by, layout }) => [parameter.name, tensor, by, layout])).toEqual(
      Object.keys(names).map((name) => [name, change(name), "name", "as-is"]),
    );
    expect([missing, leftOver, problems]).toEqual([[], [], []]);
  });

  it("where the model has the prefix, and where both have one", () => {
    const wrapped = gemms(["net.fc1", "net.fc2"], [4, 3, 2]);
    const expected = (prefix: string) => Object.keys(names).map((name) => `net.${name} ← ${prefix}${name}, name`);
    expect(
      matched(
        wrapped,
        renamed((name) => name),
      ),
    ).toEqual(expected(""));
    expect(
      matched(
        wrapped,
        renamed((name) => `module.${name}`),
      ),
    ).toEqual(expected("module."));
  });

  it("goes before shape: layers of one shape in another order", () => {
    const same = gemms(["a", "b"], [4, 4, 4]);
    const weights = checkpointOf({ "b.bias": [4], "b.weight": [4, 4], "a.bias": [4], "a.weight": [4, 4] });
    expect(matched(same, weights)).toEqual(
      ["a.weight", "a.bias", "b.weight", "b.bias"].map((name) => `${name} ← ${name}, name`),
    );
  });

  it("says so where another shape has the name, and takes nothing else in its place", () => {
    const { matches, missing, leftOver, problems } = mapWeights(
      graph,
      checkpointOf({ ...names, "fc2.weight": [2, 5], other: [2, 3] }),
    );
    expect(matches).toHaveLength(3);
    expect(problems).toEqual(["fc2.weight is float32 [2, 3] in the model, fc2.weight float32 [2, 5] in the file"]);
    expect([missing.map(({ name }) => name), leftOver]).toEqual([["fc2.weight"], ["fc2.weight", "other"]]);
  });

  it("says so where it is of whole numbers", () => {
    const quantized = new Tensor("int8", [2, 3], new Uint8Array(6));
    const { problems } = mapWeights(graph, checkpointOf({ ...names, "fc2.weight": quantized }));
    expect(problems).toEqual(["fc2.weight is float32 [2, 3] in the model, fc2.weight int8 [2, 3] in the file"]);
  });

  it("refuses to choose among models that fit alike", () => {
    const both = checkpointOf({
      ...Object.fromEntries(Object.entries(names).map(([name, dims]) => [`model.${name}`, dims])),
      ...Object.fromEntries(Object.entries(names).map(([name, dims]) => [`ema.net.${name}`, dims])),
    });
    expect(() => mapWeights(graph, both)).toThrow(UsageError);
    expect(() => mapWeights(graph, both)).toThrow(
      "w.pt: has the weights of several models: model, ema.net; choose one, such as w.pt#model.",
    );
  });
});

describe("a weight whose name is equal and whose shape is turned", () => {
  const dense = (
    name: string,
    into: number,
    out: number,
    from: string,
    to: string,
  ): [ReturnType<typeof node>, [string, Tensor]] => [node("MatMul", [from, name], to), [name, ramp([into, out])]];
  const graphs = (parts: ReturnType<typeof dense>[]) =>
    graphOf(
      { x: [2, 3, 4] },
      parts.map(([each]) => each),
      Object.fromEntries(parts.map(([, each]) => each)),
    );
  const graph = graphs([dense("a", 4, 6, "x", "h"), dense("b", 6, 6, "h", "i"), dense("c", 6, 2, "i", "y")]);

  it("is transposed, and the square one with it", () => {
    expect(matched(graph, checkpointOf({ a: [6, 4], b: [6, 6], c: [2, 6] }))).toEqual([
      "a ← a, name, turned",
      "b ← b, name, turned",
      "c ← c, name, turned",
    ]);
  });

  it("is not where the others are not, as in GPT-2", () => {
    expect(matched(graph, checkpointOf({ a: [4, 6], b: [6, 6], c: [6, 2] }))).toEqual(
      ["a", "b", "c"].map((name) => `${name} ← ${name}, name`),
    );
  });

  it("is a contradiction for a square one where some are and some are not", () => {
    const { problems, missing, leftOver } = mapWeights(graph, checkpointOf({ a: [6, 4], b: [6, 6], c: [6, 2] }));
    expect(problems).toEqual(["b is square, and of the others the file has some transposed and some not"]);
    expect([missing.map(({ name }) => name), leftOver]).toEqual([["b"], ["b"]]);
  });

  it("is as it is where there is no other to go by", () => {
    const alone = graphs([dense("b", 4, 4, "x", "y")]);
    expect(matched(alone, checkpointOf({ b: [4, 4] }))).toEqual(["b ← b, name"]);
  });
});

describe("by the exporter's notes on the nodes", () => {
  const paths = ["/net/blocks.0/qkv/MatMul", "/net/blocks.0/proj/MatMul"];
  const file = { "net.blocks.0.proj.weight": [8, 8], "net.blocks.0.qkv.weight": [8, 4] };

  it("matrices are transposed back, the square one as the other", () => {
    expect(matched(products([4, 8, 8], paths), checkpointOf(file))).toEqual([
      "onnx::MatMul_0 ← net.blocks.0.qkv.weight, module, turned",
      "onnx::MatMul_1 ← net.blocks.0.proj.weight, module, turned",
    ]);
  });

  it("a square matrix alone is transposed, as PyTorch has outputs first and the exporter changed the name", () => {
    expect(matched(products([8, 8], paths.slice(1)), checkpointOf({ "net.blocks.0.proj.weight": [8, 8] }))).toEqual([
      "onnx::MatMul_0 ← net.blocks.0.proj.weight, module, turned",
    ]);
  });

  it("an embedding is never turned, square or not", () => {
    const graph = graphOf(
      { i: [2, 3] },
      [
        node("Gather", ["onnx::Gather_1", "i"], "h", {}, { name: "/tok/Gather" }),
        node("MatMul", ["h", "onnx::MatMul_2"], "y", {}, { name: "/head/MatMul" }),
      ],
      { "onnx::Gather_1": ramp([5, 5]), "onnx::MatMul_2": ramp([5, 3]) },
      ["y"],
      "int64",
    );
    expect(matched(graph, checkpointOf({ "tok.weight": [5, 5], "head.weight": [3, 5] }))).toEqual([
      "onnx::Gather_1 ← tok.weight, module",
      "onnx::MatMul_2 ← head.weight, module, turned",
    ]);
  });
});

describe("by shape and order", () => {
  it("a shape that only one has", () => {
    expect(matched(products([4, 8, 2]), checkpointOf({ second: [2, 8], first: [8, 4] }))).toEqual([
      "onnx::MatMul_0 ← first, shape, turned",
      "onnx::MatMul_1 ← second, shape, turned",
    ]);
  });

  it("outputs first: the two matrices of a block, each of the other's shape when turned", () => {
    expect(matched(products([4, 8, 4]), checkpointOf({ up: [8, 4], down: [4, 8] }))).toEqual([
      "onnx::MatMul_0 ← up, shape, turned",
      "onnx::MatMul_1 ← down, shape, turned",
    ]);
  });

  it("outputs last, where that alone fits: dense layers and kernels of TensorFlow and Flax", () => {
    const graph = graphOf(
      { x: [2, 3, 9, 9] },
      [
        node("Conv", ["x", "k", "b"], "h", { kernel_shape: [5, 4] }),
        node("Flatten", ["h"], "f"),
        node("MatMul", ["f", "w"], "z"),
        node("Add", ["z", "c"], "y"),
      ],
      { k: ramp([7, 3, 5, 4]), b: ramp([7]), w: ramp([210, 2]), c: ramp([2]) },
    );
    const flax = {
      "params/Conv_0/kernel": [5, 4, 3, 7],
      "params/Conv_0/bias": [7],
      "params/Dense_0/kernel": [210, 2],
      "params/Dense_0/bias": [2],
    };
    expect(matched(graph, checkpointOf(flax))).toEqual([
      "k ← params/Conv_0/kernel, shape, turned",
      "b ← params/Conv_0/bias, shape",
      "w ← params/Dense_0/kernel, shape",
      "c ← params/Dense_0/bias, shape",
    ]);
  });

  it("order among equals, where the file keeps the network's", () => {
    const file = checkpointOf({ z: [4, 4], m: [4, 4], a: [4, 4] });
    expect(matched(products([4, 4, 4, 4]), file)).toEqual([
      "onnx::MatMul_0 ← z, order, turned",
      "onnx::MatMul_1 ← m, order, turned",
      "onnx::MatMul_2 ← a, order, turned",
    ]);
  });

  it("numbers in names, where the file keeps no order", () => {
    const file = { "blocks.10.w": [4, 4], "blocks.2.w": [4, 4], "blocks.9.w": [4, 4] };
    expect(matched(products([4, 4, 4, 4]), checkpointOf(file, { ordered: false }))).toEqual([
      "onnx::MatMul_0 ← blocks.2.w, order, turned",
      "onnx::MatMul_1 ← blocks.9.w, order, turned",
      "onnx::MatMul_2 ← blocks.10.w, order, turned",
    ]);
  });

  it("nothing, where neither tells, or where their numbers differ", () => {
    const { matches, missing, leftOver } = mapWeights(
      products([4, 4, 4]),
      checkpointOf({ head: [4, 4], tail: [4, 4] }, { ordered: false }),
    );
    expect([matches.length, missing.length, leftOver]).toEqual([0, 2, ["head", "tail"]]);
    expect(mapWeights(products([4, 4, 4]), checkpointOf({ a: [4, 4] })).matches).toEqual([]);
    expect(mapWeights(products([4, 4]), checkpointOf({ a: [4, 4], b: [4, 4] })).matches).toEqual([]);
  });

  it("axes of one element do not count", () => {
    const graph = graphOf({ x: [2, 3, 4, 4] }, [node("Mul", ["x", "s"], "h"), node("PRelu", ["h", "p"], "y")], {
      s: ramp([1, 3, 4, 1]),
      p: ramp([3, 1, 1]),
    });
    expect(matched(graph, checkpointOf({ slope: [3], scale: [3, 4] }))).toEqual([
      "s ← scale, shape",
      "p ← slope, shape",
    ]);
  });
});

describe("parameters that the exporter merged through Identity", () => {
  const graph = graphOf(
    { x: [2, 4, 5], u: [2, 4, 5] },
    [
      node("Identity", ["a.weight"], "b.weight"),
      node("InstanceNormalization", ["x", "a.weight", "a.bias"], "h"),
      node("InstanceNormalization", ["u", "b.weight", "a.bias"], "i"),
      node("Add", ["h", "i"], "y"),
    ],
    { "a.weight": ramp([4], 1), "a.bias": ramp([4], 2) },
  );

  it("are two again", () => {
    expect(matched(graph, checkpointOf({ "a.weight": [4], "a.bias": [4], "b.weight": [4] }))).toEqual([
      "a.weight ← a.weight, name",
      "a.bias ← a.bias, name",
      "b.weight ← b.weight, name",
    ]);
  });

  it("are missed where the file has one of them", () => {
    const { missing } = mapWeights(graph, checkpointOf({ "a.weight": [4], "a.bias": [4] }));
    expect(missing.map(({ name }) => name)).toEqual(["b.weight"]);
  });

  it("stay tied where the file has a matrix once", () => {
    const tied = graphOf(
      { x: [2, 3, 4] },
      [
        node("Identity", ["a.weight"], "b.weight"),
        node("MatMul", ["x", "a.weight"], "h"),
        node("MatMul", ["h", "b.weight"], "y"),
      ],
      { "a.weight": ramp([4, 4]) },
    );
    const { kept, missing } = mapWeights(tied, checkpointOf({ "a.weight": [4, 4] }));
    expect(missing).toEqual([]);
    expect(kept.map(({ parameter, reason }) => `${parameter.name}: ${reason}`)).toEqual([
      "b.weight: tied to a.weight, which the file has once",
    ]);
  });
});

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
    expect(matched(lstm, checkpointOf({ W: [1, 8, 3], R: [1, 8, 2], B: [1, 16] }))).toHaveLength(3);
  });
});
