import { describe, expect, it, test } from "vitest";
import type { Node } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { layersAt, misapplied } from "./applied.ts";
import { w } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

/** Sums of up to ten float32 products of order one. */
const ROUNDING = 1e-5;

// W is 3×3 unless said otherwise, so that every orientation fits; a and b are samples, t tokens.
const inputs = { a: [2, 3], b: [2, 3], t: [2, 5, 3], c: [2, 3, 5] };
const turn = node("Transpose", ["w"], "wt", { perm: [1, 0] });
const again = node("Transpose", ["wt"], "wtt");
const straight = (x: string, z: string) => node("Gemm", [x, "w"], z, { transB: 1 });
const backward = (x: string, z: string) => node("MatMul", [x, "w"], z);

/** The uses of each layer, by what they make. */
async function usesOf(nodes: readonly Node[], weight: Tensor = w(3, 3)): Promise<string[][]> {
  const { b, layers } = layersAt(graphOf(inputs, nodes, { w: weight }), inputs);
  for (const layer of layers) {
    if (layer.uses[0]?.kind !== "convolution") expect(await misapplied(b, layer)).toBeLessThan(ROUNDING);
  }
  return layers.map((layer) => layer.uses.map(({ preactivation }) => preactivation));
}

const cases: readonly [string, readonly Node[], string[][]][] = [
  ["the same twice", [straight("a", "y"), straight("b", "z")], [["y", "z"]]],
  ["the same for samples and tokens", [backward("a", "y"), backward("t", "z")], [["y", "z"]]],
  ["there and back", [straight("a", "y"), backward("b", "z")], [["y"], ["z"]]],
  [
    "the same, with transB and behind a Transpose",
    [turn, straight("a", "y"), node("MatMul", ["t", "wt"], "z")],
    [["y", "z"]],
  ],
  ["there and back, by MatMul alone", [turn, node("MatMul", ["a", "wt"], "y"), backward("b", "z")], [["y"], ["z"]]],
  [
    "the same behind Transpose nodes of its own",
    [turn, node("Transpose", ["w"], "v"), node("MatMul", ["a", "wt"], "y"), node("MatMul", ["b", "v"], "z")],
    [["y", "z"]],
  ],
  ["the same, turned twice", [turn, again, backward("a", "y"), node("MatMul", ["b", "wtt"], "z")], [["y", "z"]]],
  ["the same from the left", [straight("a", "y"), node("MatMul", ["w", "c"], "z")], [["y", "z"]]],
  ["there, and back from the left", [backward("a", "y"), node("MatMul", ["w", "c"], "z")], [["y"], ["z"]]],
  [
    "the same behind Identity, as exporters merge equal weights",
    [node("Identity", ["w"], "v"), straight("a", "y"), node("Gemm", ["b", "v"], "z", { transB: 1 })],
    [["y", "z"]],
  ],
  ["a third use", [straight("a", "y"), backward("b", "z"), straight("y", "u")], [["y", "u"], ["z"]]],
];

describe("uses of one weight", () => {
  test.each(cases)("%s", async (_, nodes, expected) => expect(await usesOf(nodes)).toEqual(expected));

  it("that is no square, there and back, as in an autoencoder", async () => {
    const nodes = [node("MatMul", ["a", "w"], "h"), node("Gemm", ["h", "w"], "y", { transB: 1 })];
    expect(await usesOf(nodes, w(3, 2))).toEqual([["h"], ["y"]]);
  });

  it("that is a row: a vector has no orientation, but a layer has", async () => {
    const nodes = [node("Gemm", ["a", "w"], "h", { transB: 1 }), node("MatMul", ["h", "w"], "y")];
    expect(await usesOf(nodes, w(1, 3))).toEqual([["h"], ["y"]]);
  });

  it("as a matrix and as a kernel are two layers", async () => {
    const nodes = [
      node("Gemm", ["a", "w"], "y", { transB: 1 }),
      node("Unsqueeze", ["w", "axis"], "k"),
      node("Conv", ["c", "k"], "z"),
    ];
    const graph = graphOf(inputs, nodes, { w: w(3, 3), axis: Tensor.int64([2]) });
    const { layers } = layersAt(graph, inputs);
    expect(layers.map(({ name, d, m, positions }) => [name, d, m, positions])).toEqual([
      ["w", 3, 3, 1],
      ["w#2", 3, 3, 5],
    ]);
  });

  it("in other groups are two layers", async () => {
    // Two channels each apart, or two outputs of one channel.
    const image = { x: [2, 2, 4], v: [2, 1, 4] };
    const nodes = [node("Conv", ["x", "w"], "y", { group: 2 }), node("Conv", ["v", "w"], "z")];
    const { layers } = layersAt(graphOf(image, nodes, { w: w(2, 1, 3) }), image);
    expect(layers.map(({ d, m, groups }) => [d, m, groups])).toEqual([
      [2, 3, 2],
      [2, 3, 1],
    ]);
  });
});

it("the positions of all uses count together, under one name", () => {
  const graph = graphOf(inputs, [straight("a", "y"), straight("b", "u"), backward("t", "z")], { w: w(3, 3) });
  const { layers } = layersAt(graph, inputs);
  expect(layers.map(({ name, positions, node: first }) => [name, positions, first])).toEqual([
    ["w", 2, "y"],
    ["w#2", 5, "z"],
  ]);
  // The one is the other's transpose.
  const [there, back] = layers.map((layer) => Array.from(layer.matrix()));
  const [p, q, r, s, t, u, v, x, y] = there as number[];
  expect(back).toEqual([p, s, v, q, t, x, r, u, y]);
});
