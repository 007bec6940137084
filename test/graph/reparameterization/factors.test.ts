import { describe, expect, test } from "vitest";
import { layerWise } from "../../../src/graph/reparameterization/layer-wise.ts";
import { everywhere, neuronWise } from "../../../src/graph/reparameterization/neuron-wise.ts";
import { factorsOfLayers, rescaled } from "../../../src/graph/reparameterization/rescalings.ts";
import { Tensor } from "../../../src/graph/tensor.ts";
import { Sketch, type Sketched } from "../../sketch.ts";
import { outputDistance, rescalingsOf, ROUNDING, uniforms } from "./twins.ts";

const N = 3;

function gemm(s: Sketch, x: string, name: string, d: number, m: number): string {
  return s.op("Gemm", [x, s.rows(name, [d, m]), s.random(`${name}.bias`, [d])], { transB: 1 });
}

function mlp(activation: string): Sketched {
  const s = new Sketch(821, [5]);
  const a = s.op(activation, [gemm(s, "x", "a", 4, 5)]);
  const b = s.op(activation, [gemm(s, a, "b", 4, 4)]);
  return s.done(gemm(s, b, "c", 3, 4), N);
}

/** The output of a is added to that of b, of the same width. */
function residual(): Sketched {
  const s = new Sketch(822, [5]);
  const a = s.op("Relu", [gemm(s, "x", "a", 4, 5)]);
  const b = s.op("Add", [gemm(s, s.op("Relu", [gemm(s, a, "b1", 6, 4)]), "b2", 4, 6), a]);
  return s.done(gemm(s, s.op("Relu", [b]), "c", 3, 4), N);
}

/** Two branches side by side. */
function branches(): Sketched {
  const s = new Sketch(823, [5]);
  const both = s.op("Concat", [gemm(s, "x", "a", 2, 5), gemm(s, "x", "b", 2, 5)], { axis: 1 });
  return s.done(gemm(s, s.op("Relu", [both]), "c", 3, 4), N);
}

/** One weight, twice in a row. */
function tied(): Sketched {
  const s = new Sketch(824, [4]);
  const w = s.rows("a", [4, 4]);
  const once = s.op("Relu", [s.op("Gemm", ["x", w], { transB: 1 })]);
  return s.done(gemm(s, s.op("Relu", [s.op("Gemm", [once, w], { transB: 1 })]), "c", 3, 4), N);
}

/** One weight on two inputs that then meet. */
function siamese(): Sketched {
  const s = new Sketch(825, [8]);
  const w = s.rows("a", [3, 4]);
  const part = (start: number) =>
    s.op("Relu", [
      s.op("Gemm", [s.op("Slice", ["x", s.integers(start), s.integers(start + 4), s.integers(1)]), w], { transB: 1 }),
    ]);
  return s.done(gemm(s, s.op("Sub", [part(0), part(4)]), "c", 3, 3), N);
}

/** An embedding table that is the head's weight too. */
function sharedTable(): Sketched {
  const s = new Sketch(826, [3]);
  const table = s.table("tok", 5, 4);
  const tokens = s.op("Cast", ["x"], { to: 7 });
  const h = s.op("Relu", [s.op("MatMul", [s.op("Gather", [table, tokens]), s.columns("b", 4, 4)])]);
  return s.done(s.op("MatMul", [h, s.op("Transpose", [table], { perm: [1, 0] })]), N, [0, 1, 2, 3, 4, 0, 1, 1, 4]);
}

/** Tokens, with constants at positions. */
function embeddings(): Sketched {
  const s = new Sketch(827, [3]);
  const embedded = s.op("Gather", [s.table("tok", 5, 4), s.op("Cast", ["x"], { to: 7 })]);
  const placed = s.op("Add", [embedded, s.random("positions", [1, 3, 4])]);
  const h = s.op("Relu", [s.op("MatMul", [placed, s.columns("b", 4, 6)])]);
  return s.done(
    s.op("Gemm", [s.op("Flatten", [h]), s.rows("c", [3, 18])], { transB: 1 }),
    N,
    [0, 1, 2, 3, 4, 0, 1, 1, 4],
  );
}

/** Convolutions in groups and for each channel, pooled. */
function grouped(): Sketched {
  const s = new Sketch(828, [4, 6, 6]);
  const a = s.op("Relu", [s.op("Conv", ["x", s.rows("a", [6, 2, 3, 3], 2), s.random("a.bias", [6])], { group: 2 })]);
  const b = s.op("Relu", [s.op("Conv", [a, s.rows("b", [6, 1, 2, 2], 6), s.random("b.bias", [6])], { group: 6 })]);
  const pooled = s.op("MaxPool", [s.op("ConvTranspose", [b, s.turnedKernel("t", [6, 2, 2, 2], 3)], { group: 3 })], {
    kernel_shape: [2, 2],
    strides: [2, 2],
  });
  return s.done(s.op("Gemm", [s.op("Flatten", [pooled]), s.rows("c", [3, 24])], { transB: 1 }), N);
}

const layerFactors: readonly [string, Sketched, Record<string, number>, Record<string, number>][] = [
  ["a before b", mlp("Relu"), { a: 7, b: 1 / 7 }, { a: 7, b: 1 / 7 }],
  ["over a layer that stays", mlp("LeakyRelu"), { a: 0.01, c: 100 }, { a: 0.01, c: 100 }],
  ["three that multiply to one", mlp("Relu"), { a: 2, b: 3, c: 1 / 6 }, { a: 2, b: 3, c: 1 / 6 }],
  ["in decimals", mlp("Relu"), { a: 7, b: 0.142857143 }, { a: 7, b: 0.142857143 }],
  ["both ends of a residual block", residual(), { a: 5, c: 1 / 5 }, { a: 5, c: 1 / 5 }],
  ["inside a residual block", residual(), { b1: 5, b2: 1 / 5 }, { b1: 5, b2: 1 / 5 }],
  ["branches alike", branches(), { a: 5, b: 5, c: 1 / 5 }, { a: 5, b: 5, c: 1 / 5 }],
  ["a weight on two inputs", siamese(), { a: 5, c: 1 / 5 }, { a: 5, c: 1 / 5 }],
  ["an embedding, its positions along", embeddings(), { tok: 5, b: 1 / 5 }, { tok: 5, b: 1 / 5 }],
  ["groups", grouped(), { a: 3, b: 2, t: 1 / 2, c: 1 / 3 }, { a: 3, b: 2, t: 1 / 2, c: 1 / 3 }],
];

test.each(layerFactors)("layer by layer: %s", async (_, net, given, expected) => {
  const rescalings = rescalingsOf(net.graph, "layer");
  const factors = layerWise(rescalings, given);
  const twin = rescaled(rescalings, factors);
  for (const [name, factor] of Object.entries(expected)) {
    const [before, after] = [net.graph, twin].map(({ constants }) => constants.get(`${name}.weight`)!.numbers());
    expect(after).toEqual(Float32Array.from(before!, (value) => value * factor));
  }
  const listed = factorsOfLayers(rescalings, factors).map(({ layer, smallest, largest }) => [layer, smallest, largest]);
  for (const [layer, smallest, largest] of listed) {
    expect(smallest).toBeCloseTo(expected[layer as string]!, 9);
    expect(largest).toBeCloseTo(smallest as number, 9);
  }
  expect(listed).toHaveLength(Object.keys(expected).length);
  expect(await outputDistance(net, twin)).toBeLessThan(ROUNDING);
});

const refusedFactors: readonly [string, Sketched, Record<string, number>, RegExp][] = [
  [
    "a product at the outputs",
    mlp("Relu"),
    { a: 7 },
    /^layer c: its outputs would be multiplied by 7, expected 1: it goes to output \S+, which has to stay as it is\. With c=1\/7 the factors/,
  ],
  [
    "Tanh between",
    mlp("Tanh"),
    { a: 7, b: 1 / 7 },
    /^layer a: .* expected 1: node Tanh_1 \(Tanh\) is not positively homogeneous\./,
  ],
  [
    "one branch of a sum",
    residual(),
    { b2: 3, c: 1 / 3 },
    /^layer b2: .*by 3, expected 1: node Add_5 \(Add\) joins them with those of layer a\. With b2=1 /,
  ],
  [
    "one branch of a layer",
    branches(),
    { a: 3, c: 1 / 3 },
    /^layer b: .*by 1, expected 3: layer c joins them with those of layer a\. With b=3 /,
  ],
  [
    "a weight twice in a row",
    tied(),
    { a: 3, c: 1 / 9 },
    /^layer a: .*by 3, expected 1: layer a joins it with what is not scaled\. /,
  ],
  [
    "a weight of two layers",
    sharedTable(),
    { tok: 3, b: 1 / 3 },
    /^layer tok: .*expected 1: layer tok shares its weight tok\.weight with layer tok#2\./,
  ],
  ["a layer that is not there", mlp("Relu"), { fc9: 3 }, /^layer fc9: no such layer\. The model has: a, b, c\.$/],
  [
    "a negative factor",
    mlp("Relu"),
    { a: -1, b: -1 },
    /^layer a: expected a positive factor, such as 7 or 1\/7, came -1\.$/,
  ],
  ["zero", mlp("Relu"), { a: 0 }, /^layer a: expected a positive factor/],
];

test.each(refusedFactors)("refuses factors for %s", (_, net, given, message) => {
  expect(() => layerWise(rescalingsOf(net.graph, "layer"), given)).toThrow(message);
});

describe("neuron by neuron", () => {
  const nets: readonly [string, Sketched, string[], string[]][] = [
    ["a hidden layer", mlp("Relu"), ["a"], ["a", "b"]],
    ["two hidden layers", mlp("Relu"), ["a", "b"], ["a", "b", "c"]],
    ["a sum, whose other operand goes along", residual(), ["b2"], ["a", "b1", "b2", "c"]],
    ["inside of it", residual(), ["b1"], ["b1", "b2"]],
    ["one of two branches", branches(), ["b"], ["b", "c"]],
    ["a weight on two inputs", siamese(), ["a"], ["a", "c"]],
    ["an embedding", embeddings(), ["tok"], ["tok", "b"]],
    ["groups", grouped(), ["a"], ["a", "b"]],
    ["channels that are convolved apart", grouped(), ["b"], ["b", "t"]],
    ["a transposed convolution in groups", grouped(), ["t"], ["t", "c"]],
  ];

  test.each(nets)("%s", async (_, net, names, changed) => {
    const rescalings = rescalingsOf(net.graph);
    const factors = neuronWise(rescalings, names, [0.2, 5], uniforms(9));
    const twin = rescaled(rescalings, factors);
    expect(factorsOfLayers(rescalings, factors).map(({ layer }) => layer)).toEqual(changed);
    for (const { layer, smallest, largest } of factorsOfLayers(rescalings, factors)) {
      expect(largest / smallest, layer).toBeGreaterThan(1.2);
      expect([smallest >= 0.2 ** 2, largest <= 5 ** 2]).toEqual([true, true]);
    }
    expect(await outputDistance(net, twin)).toBeLessThan(ROUNDING);
  });

  const refused: readonly [string, Sketched, string, RegExp][] = [
    [
      "the last layer",
      mlp("Relu"),
      "c",
      /^layer c: its neuron 0 cannot be rescaled: it goes to output \S+, which has to stay as it is\.$/,
    ],
    [
      "Tanh above",
      mlp("Tanh"),
      "b",
      /^layer b: its neuron 0 cannot be rescaled: node Tanh_3 \(Tanh\) is not positively homogeneous\.$/,
    ],
    ["a weight of two layers", sharedTable(), "tok", /layer tok shares its weight tok\.weight with layer tok#2\.$/],
    ["a layer that is not there", mlp("Relu"), "fc9", /^layer fc9: no such layer/],
  ];
  test.each(refused)("refuses %s", (_, net, name, message) => {
    expect(() => neuronWise(rescalingsOf(net.graph), [name], [0.2, 5], uniforms(9))).toThrow(message);
  });

  test("refuses neurons that are mixed above, naming the node", () => {
    const s = new Sketch(829, [5]);
    const mean = s.op("ReduceMean", [s.op("Relu", [gemm(s, "x", "a", 4, 5)]), s.integers(1)], { keepdims: 1 });
    const { graph } = s.done(gemm(s, mean, "c", 3, 1), N);
    expect(() => neuronWise(rescalingsOf(graph), ["a"], [0.2, 5], uniforms(9))).toThrow(
      /^layer a: its neurons 0 and 1 cannot be rescaled each by itself: node ReduceMean_2 \(ReduceMean\) joins them\.$/,
    );
  });

  test("a weight twice in a row keeps its function, each neuron by itself", async () => {
    const net = tied();
    const rescalings = rescalingsOf(net.graph);
    // What goes in is not scaled, and so nothing is.
    expect(everywhere(rescalings, [0.2, 5], uniforms(9)).size).toBe(0);
    expect(rescaled(rescalings, new Map()).constants).toEqual(net.graph.constants);
  });
});

test("half precision is not rewritten", () => {
  const net = mlp("Relu");
  const half = new Tensor("float16", [4, 5], new Uint8Array(40));
  const original = { ...net.graph, constants: new Map(net.graph.constants).set("a.weight", half) };
  expect(original.constants.get("a.weight")!.type).toBe("float16");
  expect(() => layerWise(rescalingsOf(net.graph, "layer", original), { a: 2, b: 1 / 2 })).toThrow(
    /the weight of layer a is float16, not float32/,
  );
});
