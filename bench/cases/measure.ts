import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { compare, type Compared } from "../forward.ts";
import { denseNetwork, FASHION, LENET_PREPROCESS, lenet5, lenetData, noise } from "../inputs.ts";
import { row, type Row } from "../row.ts";

const IMAGES = 2000;
const both = ["relative-flatness", "hessian-trace"];

/** Relative flatness and trace of LeNet5 and an MLP, in forward passes of the same data. */
export async function* measureRows(): AsyncGenerator<Row> {
  const indices = Int32Array.from({ length: IMAGES }, (_, index) => index);
  const data = await lenetData(IMAGES);
  const model = lenet5();
  const compared = (options: Parameters<typeof compare>[3]) =>
    compare(model, data, indices, { measures: both, ...options });
  const ratioRow = (name: string, { ratio }: Compared, goal: number) =>
    row(`LeNet5 ${name}`, ratio, "forward passes", goal);
  const last = await compared({ layers: "last" });
  yield ratioRow("last layer", last, 1.05);
  yield row("LeNet5 forward", last.forwardSeconds * 1000, "ms");
  yield ratioRow("three dense layers", await compared({ layers: ["fc1", "fc2", "fc3"] }), 2.3);
  yield ratioRow("five layers exact", await compared({ method: "exact" }), 12);
  const estimated = await compared({ method: "probes" });
  yield ratioRow("five layers estimated", estimated, 6.5);
  const errors = estimated.result.results
    .filter(({ measure, method }) => measure === "relative-flatness" && method === "gauss-newton-probes")
    .map(({ value, standardError }) => (100 * (standardError?.probe ?? 0)) / value);
  yield row("LeNet5 estimate's standard error, worst layer", Math.max(...errors), "%", 0.3);
  const mlp = await compare(denseNetwork(784, 2048, 2048, 10), noise(512, 784, 10), indices.subarray(0, 512), {
    measures: both,
    method: "exact",
  });
  yield row("MLP 784-2048-2048-10 exact", mlp.ratio, "forward passes", 10);
  yield* largeRows();
  yield* torchRows(last.forwardSeconds, last.seconds);
}

/** The last layer over 60 000 images as a user runs it, in a process of its own. */
function largeRows(): Row[] {
  if (!existsSync(FASHION)) return [];
  const peaks: number[] = [];
  const ratios: number[] = [];
  for (let run = 0; run < 3; run++) {
    const { stdout, stderr } = spawnSync(process.execPath, ["bench/large.mjs", FASHION, LENET_PREPROCESS], {
      encoding: "utf8",
    });
    if (!stdout) throw new Error(stderr);
    const { peak, ratio } = JSON.parse(stdout) as { peak: number; ratio: number };
    peaks.push(peak);
    ratios.push(ratio);
  }
  const middle = (values: number[]) => values.toSorted((a, b) => a - b)[1] as number;
  return [
    row("LeNet5 last layer, 60 000 images", middle(ratios), "forward passes", 1.1),
    row("LeNet5 last layer, 60 000 images, peak memory", middle(peaks), "MB", 200),
  ];
}

/** PyTorch's forward pass on the same machine, one thread, its allocator tuned: untuned it is many times slower. */
function torchRows(ours: number, measured: number): Row[] {
  const env = {
    ...process.env,
    MALLOC_MMAP_THRESHOLD_: "4294967296",
    MALLOC_TRIM_THRESHOLD_: "4294967296",
    MALLOC_TOP_PAD_: "268435456",
    OMP_NUM_THREADS: "1",
  };
  const { stdout, status } = spawnSync("/usr/bin/python3", ["bench/torch_forward.py", String(IMAGES)], {
    encoding: "utf8",
    env,
  });
  if (status !== 0) return [];
  const { seconds, version } = JSON.parse(stdout) as { seconds: number; version: string };
  return [
    row(`PyTorch ${version} LeNet5 forward`, seconds * 1000, "ms"),
    row("LeNet5 forward, ours over PyTorch's", ours / seconds, "ratio"),
    row("LeNet5 last-layer κ, ours over PyTorch's forward", measured / seconds, "ratio"),
  ];
}
