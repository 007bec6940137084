import type { LayerRow, PerSample, Result, ResultRow } from "../../src/evaluation/result.ts";

type Row = readonly [
  layer: string | null,
  measure: string,
  value: number,
  data: number | null,
  probe: number,
  how: string,
];

/** A layer's row, of one position and one group unless said otherwise. */
export function layer(name: string, d: number, m: number, rest: Partial<LayerRow> = {}): LayerRow {
  return { name, node: `/${name}/Gemm`, initializer: `${name}.weight`, d, m, positions: 1, groups: 1, ...rest };
}

/** A result row; without a data error it is a norm. */
export function row(...[name, measure, value, data, probe, method]: Row): ResultRow {
  return {
    layer: name,
    measure,
    value,
    standardError: data === null ? null : { data, probe },
    n: 2000,
    method,
    curvature: data === null ? null : method === "closed-form" ? "hessian" : "gauss-newton",
    options: {},
  };
}

const exact = "gauss-newton-exact";
const probes = "gauss-newton-probes";
const measured: readonly Row[] = [
  ["conv1", "relative-flatness", 27.044708, 1.8912, 0, exact],
  ["conv1", "hessian-trace", 5.5229529, 0.41337, 0, exact],
  ["conv1", "squared-weight-norm", 14.81206, null, 0, "weights"],
  ["fc1", "relative-flatness", 232.71222, 11.94, 0.31, probes],
  ["fc1", "hessian-trace", 67.518677, 3.1204, 0.094, probes],
  ["fc1", "squared-weight-norm", 188.3305, null, 0, "weights"],
  ["fc3", "relative-flatness", 31.419966, 1.9031, 0, "closed-form"],
  ["fc3", "hessian-trace", 8.2403684, 0.50149, 0, "closed-form"],
  ["fc3", "squared-weight-norm", 35.709665, null, 0, "weights"],
  [null, "fisher-rao-norm", 1.1865801, 0.03127, 0, "backpropagated"],
];

/** A LeNet5 of invented numbers, one layer of it not measured. */
export const example: Result = {
  schema: 1,
  model: { file: "lenet5.onnx", sha256: "9f2c".repeat(16), opset: 17, producer: "pytorch 2.5.1", output: "logits" },
  data: { source: "fashion-mnist.npz", sha256: "0b7e".repeat(16), n: 2000, split: "train" },
  loss: { kind: "cross-entropy", value: 0.04436629, standardError: 0.0021342, accuracy: 0.987 },
  layers: [
    layer("conv1", 6, 75, { positions: 784 }),
    layer("mel", 64, 80, { skipped: "excluded by --exclude" }),
    layer("fc1", 120, 400),
    layer("fc3", 10, 84),
  ],
  results: measured.map((fields) => row(...fields)),
  warnings: [
    {
      code: "gradient-not-small",
      layer: "fc1",
      text: "the mean gradient is 0.21 of its per-sample size: not at a minimum",
    },
  ],
  environment: { flatness: "0.1.0", onnxruntime: "1.30.0", provider: "cpu", threads: 2, batch: 16, seed: 1 },
  seconds: { total: 5.274, load: 0.214, measure: 5.06 },
};

/** Numbers in [0, 1) from a seed, the same everywhere (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Per-sample values with a law like κ's: log-normal over many decades, of a given mean. */
export function perSample(name: string, mean: number, n = 2000, spread = 2.2, seed = 1): PerSample {
  const next = uniform(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const drawn = Array.from({ length: n }, () => Math.exp(spread * normal()));
  const scale = (mean * n) / drawn.reduce((sum, value) => sum + value, 0);
  const values = Float32Array.from(drawn, (value) => scale * value);
  return { layer: name, measure: "relative-flatness", values };
}
