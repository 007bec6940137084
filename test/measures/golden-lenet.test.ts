import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { openDataset } from "../../src/data/open.ts";
import type { ModelFile } from "../../src/graph/files.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { goldenBatch, goldenModel, goldenPath, measureAll, relativeError, rowOf } from "../golden-model.ts";

/** What DESIGN promises of any layer's mean: float32 on the device against float64. */
const RELATIVE = 1e-4;
/** What is in fact had: rounding of a few thousand float32 products. */
const TYPICAL = 1e-5;
/** measures-n2000.json has losses that torch made in float64 from the same weights; the runtime's logits differ by 9e-6. */
const LOSS = 1e-5;

const folder = "lenet5-fashion";
const preprocess = "scale=255,pad=2,channels=3";
const networks = ["0", "1", "2", "3", "4", "5"];

function json<T>(file: string): T {
  return JSON.parse(readFileSync(goldenPath(folder, file), "utf8")) as T;
}

const weights = parseNpz(readFileSync(goldenPath(folder, "weights.npz")), "weights.npz");
const network00 = goldenModel(`${folder}/net00-batch64`);

/** network 00 with the weights of another put into the graph's constants. */
function trained(network: string): ModelFile {
  const constants = new Map(network00.graph.constants);
  for (const name of constants.keys()) {
    if (!/\.(weight|bias)$/.test(name)) continue;
    const { dims, data } = weights.array(`net0${network}.${name}`);
    constants.set(name, Tensor.float32(dims, data as Float32Array));
  }
  return { ...network00, graph: { ...network00.graph, constants } };
}

describe("six trained LeNet5 on the first 256 images", () => {
  const truth = json<Record<string, Record<string, { kappa: number; trace: number }>>>("kappa-all-layers-n256.json");
  const data = goldenBatch(folder, "first-256.npz", preprocess);

  test.each(networks)("network %s: κ and trace of five layers", async (network) => {
    const measured = await measureAll(trained(network), data);
    expect(measured.result.layers.map(({ name }) => name)).toEqual(Object.keys(truth[network] as object));
    for (const [layer, { kappa, trace }] of Object.entries(truth[network] as object)) {
      const flatness = relativeError(rowOf(measured, layer, "relative-flatness").value, kappa);
      const curvature = relativeError(rowOf(measured, layer, "hessian-trace").value, trace);
      expect(flatness).toBeLessThan(RELATIVE);
      expect(curvature).toBeLessThan(RELATIVE);
      expect(flatness).toBeLessThan(TYPICAL);
      expect(curvature).toBeLessThan(TYPICAL);
    }
  });
});

const images = "/usr/share/datasets/fashion-mnist";
const installed = existsSync(images);
if (!installed) console.warn(`skipped: six LeNet5 on 2 000 images need Debian's dataset-fashion-mnist in ${images}`);

describe.skipIf(!installed)("six trained LeNet5 on all 2 000 images", () => {
  const truth =
    json<{ kappa: number; trace_fc3: number; l2sq_fc3: number; train_loss64: number; train_acc: number }[]>(
      "measures-n2000.json",
    );
  let data: Promise<Dataset> | undefined;
  const indices = parseNpz(readFileSync(goldenPath(folder, "subset-indices.npz")), "subset-indices.npz");
  const chosen = Int32Array.from(indices.array("train_idx").data as BigInt64Array, Number);

  test.each(networks)("network %s: κ, trace and norm of the last layer, loss and accuracy", async (network) => {
    data ??= openDataset(images, { preprocess });
    const measured = await measureAll(trained(network), await data, { layers: "last" }, chosen);
    const expected = truth[Number(network)] as (typeof truth)[number];
    expect(relativeError(rowOf(measured, "fc3", "relative-flatness").value, expected.kappa)).toBeLessThan(TYPICAL);
    expect(relativeError(rowOf(measured, "fc3", "hessian-trace").value, expected.trace_fc3)).toBeLessThan(TYPICAL);
    expect(relativeError(rowOf(measured, "fc3", "squared-weight-norm").value, expected.l2sq_fc3)).toBeLessThan(TYPICAL);
    expect(relativeError(measured.result.loss.value, expected.train_loss64)).toBeLessThan(LOSS);
    expect(measured.result.loss.accuracy).toBeCloseTo(expected.train_acc, 6);
  });
});
