import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { readModel } from "../../src/graph/files.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import type { Layer } from "../../src/graph/layers.ts";
import { findLayers } from "../../src/graph/layers.ts";

/** Sums of squares of float32 weights, both in float64, in another order. */
const ROUNDING = 1e-12;

interface Truth {
  readonly input_shape: readonly number[];
  readonly layers: readonly {
    readonly node_name: string;
    readonly initializer: string;
    readonly torch_parameter: string;
    readonly groups: number;
    readonly d: number;
    readonly m: number;
    readonly frobenius_sq: number;
  }[];
}

const golden = new URL("../golden/", import.meta.url);

/** Positions by hand: pixels of each map, tokens of each sequence. */
const positions: Readonly<Record<string, readonly number[]>> = {
  // Maps of 8×8, 4×4 after the stride of 2.
  "digits-cnn-gelu-bn": [64, 16, 1],
  "digits-mlp-relu": [1, 1, 1],
  "digits-mlp-tanh": [1, 1, 1],
  // 5×5 kernels without padding: 28×28, and 10×10 after pooling to 14×14.
  "lenet5-fashion/net00-batch64": [784, 100, 1, 1, 1],
  "mini-gpt": [16, 16, 16, 16, 16, 16, 16, 16, 16, 16],
  "mini-resnet": [256, 256, 256, 64, 64, 64, 1],
  "regression-mlp-1": [1, 1, 1],
  "regression-mlp-3": [1, 1, 1],
};

function truthOf(folder: string): Truth {
  return JSON.parse(readFileSync(new URL(`${folder}/truth.json`, golden), "utf8")) as Truth;
}

function layersOf(folder: string, file = "model.onnx", batch = 3): Layer[] {
  const { graph } = readModel(new URL(`${folder}/${file}`, golden).pathname);
  const dims = [batch, ...truthOf(folder).input_shape.slice(1)];
  const types = graph.inputs.map(({ name, type }) => [name, { type: type ?? ("float32" as const), dims }] as const);
  return findLayers(instantiate(graph, new Map(types)).builder);
}

const squared = (layer: Layer) => Array.from(layer.matrix()).reduce((sum, value) => sum + value * value, 0);

describe.each(Object.keys(positions))("%s", (folder) => {
  const expected = truthOf(folder).layers;
  const layers = layersOf(folder);

  it("has the layers of the network that was exported, by their names there", () => {
    expect(layers.map(({ name }) => name)).toEqual(expected.map((row) => row.torch_parameter.replace(/\.weight$/, "")));
    expect(layers.map(({ node, initializer }) => [node, initializer])).toEqual(
      expected.map(({ node_name, initializer }) => [node_name, initializer]),
    );
  });

  it("has their sizes, groups and positions", () => {
    expect(layers.map(({ d, m, groups }) => [d, m, groups])).toEqual(
      expected.map(({ d, m, groups }) => [d, m, groups]),
    );
    expect(layers.map((layer) => layer.positions)).toEqual(positions[folder]);
  });

  it("has their matrices", () => {
    layers.forEach((layer, index) => {
      const truth = expected[index]?.frobenius_sq as number;
      expect(Math.abs(squared(layer) / truth - 1)).toBeLessThan(ROUNDING);
    });
  });
});

describe("mini-gpt with its weights behind Transpose nodes", () => {
  const [folded, unfolded] = [layersOf("mini-gpt"), layersOf("mini-gpt", "model_unfolded_transpose.onnx")];

  it("has the same matrices, element by element", () => {
    expect(unfolded.map(({ name }) => name)).toEqual(folded.map(({ name }) => name));
    unfolded.forEach((layer, index) => expect(layer.matrix()).toEqual(folded[index]?.matrix()));
  });

  it("has the initializers' own names", () => {
    expect(unfolded.map(({ initializer }) => initializer)).toEqual(folded.map(({ name }) => `${name}.weight`));
  });
});

test.each([1, 2, 7])("layers are the same at a batch of %i", (batch) => {
  const list = (layers: Layer[]) => layers.map(({ name, d, m, positions: shared }) => ({ name, d, m, shared }));
  expect(list(layersOf("mini-gpt", "model.onnx", batch))).toEqual(list(layersOf("mini-gpt")));
});

it("the twin with a rescaled layer has its weights times 7", () => {
  // (W₁, W₂) → (7 W₁, W₂ / 7): the name of the file says which.
  const [original, twin] = [layersOf("digits-mlp-relu"), layersOf("digits-mlp-relu", "twin_layer_0x7_2x1_7.onnx")];
  const ratios = twin.map((layer, index) => squared(layer) / squared(original[index] as Layer));
  [49, 1 / 49, 1].forEach((ratio, index) => expect((ratios[index] as number) / ratio).toBeCloseTo(1, 6));
});
