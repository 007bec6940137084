import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { measure } from "../../src/measure.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeModel } from "../../src/graph/onnx.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { train } from "../../src/training/train.ts";
import { goldenPath } from "../golden-model.ts";

interface TorchRun {
  readonly epochs: number;
  readonly train_loss: number;
  readonly test_loss: number;
  readonly test_acc: number;
}

function torchRuns(folder: string): TorchRun[] {
  return JSON.parse(readFileSync(goldenPath(folder, "training.json"), "utf8")) as TorchRun[];
}

function moments(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { n: values.length, mean, variance: squares / (values.length - 1) };
}

/** Standard errors, of a difference of means; or deviations, of a single network. */
const DEVIATIONS = 4;
const MLPS = 12;

test("MLPs on the digits reach the accuracy of PyTorch's, with the same loss on test data, after as many epochs", async () => {
  const theirs = torchRuns("digits-mlp-training");
  const ours: TorchRun[] = [];
  for (let seed = 0; seed < MLPS; seed++) {
    const { last } = await train(
      {
        model: { name: "mlp", hidden: [32, 32] },
        data: { source: "example:digits", split: "train" },
        test: { split: "test" },
        optimizer: { name: "sgd", learningRate: 0.05, momentum: 0.9 },
        stop: { epochs: 100, trainLoss: 0.1 },
        seed,
      },
      { runtime: nodeRuntime },
    );
    const { epoch: epochs, train: own, test: other } = last;
    ours.push({ epochs, train_loss: own!.loss, test_loss: other!.loss, test_acc: other!.accuracy! });
  }
  for (const key of ["test_acc", "test_loss", "train_loss", "epochs"] as const) {
    const [found, known] = [ours, theirs].map((runs) => moments(runs.map((run) => run[key]))) as [
      ReturnType<typeof moments>,
      ReturnType<typeof moments>,
    ];
    const error = Math.sqrt(found.variance / found.n + known.variance / known.n);
    expect(Math.abs(found.mean - known.mean), key).toBeLessThan(DEVIATIONS * error);
  }
}, 60_000);

const fashion = "/usr/share/datasets/fashion-mnist";

describe.skipIf(!existsSync(fashion))("LeNet5 on 2 000 images of Fashion-MNIST", () => {
  test("reaches the accuracy of PyTorch's, within the spread of its seeds", async () => {
    const preprocess = "scale=255,pad=2,channels=3";
    const { graph, last, stopped } = await train(
      {
        model: { name: "lenet5" },
        data: {
          source: fashion,
          split: "train",
          samples: goldenPath("lenet5-fashion", "subset-indices.npz"),
          preprocess,
        },
        // Network 3 of PyTorch's.
        batchSize: 64,
        optimizer: { name: "sgd", learningRate: 0.02, momentum: 0.9 },
        evaluate: 3,
        stop: { epochs: 90, trainLoss: 0.1 },
      },
      { runtime: nodeRuntime },
    );
    expect(stopped).toBe("trainLoss");
    expect(last.train!.loss).toBeLessThan(0.1);
    const folder = mkdtempSync(join(tmpdir(), "flatness-lenet-"));
    const file = join(folder, "model.onnx");
    writeFileSync(file, encodeModel(graph));
    const options = { split: "test", preprocess, measures: ["accuracy"], layers: "last", threads: 1 } as const;
    const { accuracy } = (await measure(file, fashion, options)).result.loss;
    rmSync(folder, { recursive: true });
    const { mean, variance } = moments(torchRuns("lenet5-fashion").map((run) => run.test_acc));
    expect(Math.abs(accuracy! - mean)).toBeLessThan(DEVIATIONS * Math.sqrt(variance));
  }, 240_000);
});
