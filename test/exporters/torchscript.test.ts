import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { ModelError } from "../../src/errors.ts";
import { readModel } from "../../src/graph/files.ts";
import { measureAll, relativeError, rowOf } from "../golden-model.ts";
import { layersOf } from "./exported.ts";

// Files that torch.onnx.export wrote, and what autograd says of the same modules in float64: see torchscript/export.py.

/** float32 on the device against float64; κ of an embedding is a difference of terms ten times its size. */
const TOLERANCE = 2e-5;

interface Truth {
  readonly loss: number;
  readonly layers: readonly {
    readonly parameter: string;
    readonly d: number;
    readonly m: number;
    readonly kappa: number;
    readonly trace: number;
    /** W, d rows of m. */
    readonly w: readonly number[];
  }[];
}

const at = (name: string) => resolve(import.meta.dirname, "torchscript", name);
const truthOf = (name: string) => JSON.parse(readFileSync(at(`${name}.json`), "utf8")) as Truth;

function dataOf(name: string): Dataset {
  const npz = parseNpz(readFileSync(at(`${name}.npz`)), name);
  return arrayDataset({ source: name, sha256: "" }, [npz.array("x"), npz.array("y")]);
}

const TOKENS = 5;
const encoder = [
  { name: "embed", positions: TOKENS },
  { name: "attention.in_proj", positions: TOKENS },
  { name: "attention.out_proj", positions: TOKENS },
  { name: "mlp.0", positions: TOKENS },
  { name: "mlp.2", positions: TOKENS },
  { name: "head", positions: 1 },
];
/** Four patches, and a class token before them. */
const vision = [
  { name: "patch", positions: 4 },
  { name: "block.self_attn.in_proj", positions: 5 },
  { name: "block.self_attn.out_proj", positions: 5 },
  { name: "block.linear1", positions: 5 },
  { name: "block.linear2", positions: 5 },
  { name: "head", positions: 1 },
];
/** Maps of 8×8, 4×4 after pooling, 2×2 behind a kernel of 3. */
const convolutions = [
  { name: "features.0", positions: 64 },
  { name: "features.4", positions: 4 },
  { name: "classifier", positions: 1 },
];

const files = [
  { what: "constants folded: renamed, transposed weights", file: "encoder", network: "encoder", layers: encoder },
  { what: "constants kept: weights behind Transpose", file: "encoder-unfolded", network: "encoder", layers: encoder },
  { what: "a fixed batch of one", file: "encoder-fixed", network: "encoder", layers: encoder },
  { what: "a class token before patches, attention", file: "vision", network: "vision", layers: vision },
  { what: "batch normalization folded", file: "convolutions", network: "convolutions", layers: convolutions },
  {
    what: "batch normalization kept, equal constants merged",
    file: "convolutions-kept",
    network: "convolutions",
    layers: convolutions,
  },
];

describe.each(files)("torch.onnx.export, $what", ({ file, network, layers }) => {
  const model = readModel(at(`${file}.onnx`));
  const truth = truthOf(network);
  const folded = file === "convolutions";

  test("layers, by their names in the module", () => {
    const sample = network === "encoder" ? [TOKENS] : [3, 8, 8];
    const found = layersOf(model, sample);
    expect(found.map(({ name, positions }) => ({ name, positions }))).toEqual(layers);
    found.forEach((layer, index) => {
      const { d, m, w } = truth.layers[index]!;
      expect([layer.d, layer.m]).toEqual([d, m]);
      if (!folded || layer.name === "classifier") expect(layer.matrix()).toEqual(Float32Array.from(w));
    });
  });

  test("κ and Tr(H), as autograd has them", async () => {
    const measured = await measureAll(model, dataOf(network));
    expect(relativeError(measured.result.loss.value, truth.loss)).toBeLessThan(TOLERANCE);
    for (const [index, { name }] of layers.entries()) {
      const { kappa, trace } = truth.layers[index]!;
      expect(relativeError(rowOf(measured, name, "relative-flatness").value, kappa), `κ of ${name}`).toBeLessThan(
        TOLERANCE,
      );
      const measuredTrace = rowOf(measured, name, "hessian-trace").value;
      // Folding scales the rows of W, which changes the trace and not κ.
      if (folded && name !== "classifier") expect(relativeError(measuredTrace, trace)).toBeGreaterThan(0.1);
      else expect(relativeError(measuredTrace, trace), `Tr(H) of ${name}`).toBeLessThan(TOLERANCE);
    }
  });
});

test("a model that was exported while it trained is refused", () => {
  const read = () => readModel(at("convolutions-training.onnx"));
  expect(read).toThrow(ModelError);
  expect(read).toThrow(
    "/features/features.1/BatchNormalization (BatchNormalization): expected inference, but the node is in training mode and normalizes by the statistics of each batch: export the model in evaluation mode",
  );
});
