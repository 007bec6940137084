// Run by bench.ts in a process of its own: the last layer of LeNet5 over all training images, and a plain forward pass
// of the same data after it. Prints the ratio, and the peak memory of the measurement alone.
import { readModel, openDataset, measureModel, nodeRuntime } from "../dist/index.js";
import { peakMemory } from "./peak.mjs";

const [source, preprocess] = process.argv.slice(2);
const model = readModel("test/golden/lenet5-fashion/net00-batch64/model.onnx");
const data = await openDataset(source, { preprocess });
const indices = Int32Array.from({ length: data.n }, (_, index) => index);
const { result } = await measureModel(
  model,
  { data, indices, description: "" },
  { layers: "last", threads: 1 },
  nodeRuntime,
);
const peak = peakMemory() / 1024 ** 2;

const size = 32;
const session = await nodeRuntime.open(
  { ...model.graph, inputs: model.graph.inputs.map((input) => ({ ...input, dims: [size, ...input.dims.slice(1)] })) },
  { provider: "cpu", threads: 1 },
);
let batch;
const started = performance.now();
for (let start = 0; start < data.n; start += size) {
  batch = await data.read(indices.subarray(start, start + size), ["x"], batch);
  const { data: images, dims } = batch.get("x");
  await session.run(new Map([["input", { type: "float32", dims, data: images }]]));
}
const forward = (performance.now() - started) / 1000;
await session.release();
process.stdout.write(JSON.stringify({ peak, ratio: result.seconds.run / forward }));
