import { describe, expect, test } from "vitest";
import type { AttributeValue } from "../../src/graph/builder.ts";
import type { Node } from "../../src/graph/graph.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { findLayers, type Layer } from "../../src/graph/layers.ts";
import { Tensor, type Dims } from "../../src/graph/tensor.ts";
import { tinyNetworks } from "../tiny-networks.ts";
import { layersAt } from "./applied.ts";
import { w } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

/** The layers of a graph whose input x holds tokens. */
function embeddings(nodes: readonly Node[], weight: Tensor, tokens: Dims = [2, 5]): Layer[] {
  const graph = graphOf({ x: ["N", ...tokens.slice(1)] }, nodes, { "e.weight": weight });
  return findLayers(instantiate(graph, new Map([["x", { type: "int64", dims: tokens }]])).builder);
}

const gather = (table = "e.weight", short: Readonly<Record<string, AttributeValue>> = {}) =>
  node("Gather", [table, "x"], "y", short);
const sizes = ({ name, d, m, positions, groups, uses }: Layer) => [name, d, m, positions, groups, uses[0]?.kind];

describe("an embedding table", () => {
  test("is d × m for m tokens of d numbers, a position a token", () => {
    const [layer, ...others] = embeddings([gather()], w(7, 3));
    expect(others).toEqual([]);
    expect(sizes(layer!)).toEqual(["e", 3, 7, 5, 1, "embedding"]);
    expect([layer!.uses[0]!.features, layer!.uses[0]!.preactivation]).toEqual(["x", "y"]);
  });

  test("by hand: column j of W is the row of token j", () => {
    const [layer] = embeddings([gather()], Tensor.float32([3, 2], [1, 2, 3, 4, 5, 6]));
    expect(layer!.matrix()).toEqual(Float32Array.of(1, 3, 5, 2, 4, 6));
    expect(layer!.places()).toEqual(Int32Array.of(0, 2, 4, 1, 3, 5));
  });

  test("stored with a column a token, behind a Transpose", () => {
    const turned = node("Transpose", ["e.weight"], "t", { perm: [1, 0] });
    const [layer] = embeddings([turned, gather("t")], Tensor.float32([2, 3], [1, 2, 3, 4, 5, 6]));
    expect([layer!.d, layer!.m, layer!.initializer]).toEqual([2, 3, "e.weight"]);
    expect(layer!.matrix()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(layer!.places()).toEqual(Int32Array.of(0, 1, 2, 3, 4, 5));
  });

  test.each<[string, Dims, number]>([
    ["a grid", [2, 3, 4], 12],
    ["one token a sample", [2], 1],
  ])("read at %s of tokens", (_, tokens, positions) => {
    expect(embeddings([gather()], w(7, 3), tokens).map((layer) => layer.positions)).toEqual([positions]);
  });

  test("that the head shares is two layers of one initializer, each the other's transpose", () => {
    const head = [node("Transpose", ["e.weight"], "t"), node("MatMul", ["y", "t"], "z")];
    const [table, shared] = embeddings([gather(), ...head], w(7, 3));
    expect(sizes(table!)).toEqual(["e", 3, 7, 5, 1, "embedding"]);
    expect(sizes(shared!)).toEqual(["e#2", 7, 3, 5, 1, "dense"]);
    expect(shared!.initializer).toBe(table!.initializer);
    for (let token = 0; token < 7; token++) {
      for (let row = 0; row < 3; row++) {
        expect(table!.places()[row * 7 + token]).toBe(shared!.places()[token * 3 + row]);
      }
    }
  });

  test.each<[string, readonly Node[], Tensor]>([
    ["a Gather along another axis", [gather("e.weight", { axis: 1 })], w(7, 3)],
    ["a Gather from a stack of tables", [gather()], w(2, 7, 3)],
    ["a Gather from a vector", [gather()], w(7)],
  ])("no layer is %s", (_, nodes, weight) => {
    expect(embeddings(nodes, weight)).toEqual([]);
  });

  test("no layer is a Gather at constant indices, as of positions", () => {
    const graph = graphOf({ x: ["N", 5] }, [node("Gather", ["w", "i"], "p"), node("Add", ["x", "p"], "y")], {
      w: w(7, 5),
      i: Tensor.int64([2]),
    });
    expect(layersAt(graph, { x: [2, 5] }).layers).toEqual([]);
  });
});

describe("a transposed convolution", () => {
  test.each<[string, Dims, Dims, Readonly<Record<string, AttributeValue>>, number[]]>([
    // d, m, groups, positions
    ["of a line", [2, 3, 4], [3, 2, 5], { strides: [2] }, [2, 15, 1, 11]],
    ["of a map", [2, 3, 2, 3], [3, 4, 2, 2], { strides: [2, 2], pads: [0, 1, 1, 0] }, [4, 12, 1, 15]],
    ["in two groups", [2, 4, 3], [4, 3, 2], { group: 2 }, [6, 4, 2, 4]],
    ["of each channel apart", [2, 3, 3], [3, 1, 2], { group: 3 }, [3, 2, 3, 4]],
  ])("%s", (_, x, kernel, attributes, expected) => {
    const nodes = [node("ConvTranspose", ["x", "c.weight"], "y", attributes)];
    const { layers } = layersAt(graphOf({ x: ["N", ...x.slice(1)] }, nodes, { "c.weight": w(...kernel) }), { x });
    expect(layers.map(({ name, d, m, groups, positions }) => [name, d, m, groups, positions])).toEqual([
      ["c", ...expected],
    ]);
    expect(layers[0]!.uses[0]!.kind).toBe("transposed-convolution");
  });

  test("by hand: rows are outputs, columns inputs at each place of the kernel", () => {
    // [in 2, out 2, kernel 2]: the element for (i, o, k) is 100 o + 10 i + k.
    const kernel = Tensor.float32([2, 2, 2], [0, 1, 100, 101, 10, 11, 110, 111]);
    const graph = graphOf({ x: ["N", 2, 3] }, [node("ConvTranspose", ["x", "k"], "y")], { k: kernel });
    const [layer] = layersAt(graph, { x: [1, 2, 3] }).layers;
    expect([...layer!.matrix()]).toEqual([0, 1, 10, 11, 100, 101, 110, 111]);
    expect([...layer!.places()]).toEqual([0, 1, 4, 5, 2, 3, 6, 7]);
  });
});

describe("places: where in the initializer each element of the matrix stands", () => {
  test.each(Object.entries(tinyNetworks))("%s", (_, make) => {
    const net = make();
    const types = new Map([["x", { type: "float32" as const, dims: net.x.dims }]]);
    const layers = findLayers(instantiate(net.graph, types).builder);
    for (const { weight, d, m, place } of net.layers) {
      const layer = layers.find(({ initializer }) => initializer === weight);
      expect([layer?.d, layer?.m]).toEqual([d, m]);
      const expected = Int32Array.from({ length: d * m }, (__, index) => place(Math.floor(index / m), index % m));
      expect(layer!.places()).toEqual(expected);
      const values = net.graph.constants.get(weight)!.numbers();
      expect(Array.from(layer!.matrix())).toEqual(Array.from(expected, (at) => values[at]));
    }
  });
});
