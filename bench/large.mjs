// Run by bench.ts in a process of its own: the last layer of LeNet5 over all training images, and again between two plain forward passes
// of the same data. Prints the ratio of the latter, and the peak memory of the first alone.
import { readModel, openDataset, measureModel, nodeRuntime } from "../dist/index.js";
import { peakMemory } from "./peak.mjs";

const [source, preprocess] = process.argv.slice(2);
const model = readModel("test/golden/lenet5-fashion/net00-batch64/model.onnx");
const data = await openDataset(source, { preprocess });
const indices = Int32Array.from({ length: data.n }, (_, index) => index);

async function measured() {
  const sampled = { data, indices, description: "" };
  const { result } = await measureModel(model, sampled, { layers: "last", threads: 1 }, nodeRuntime);
  return result.seconds.run;
}

async function forward() {
  const size = 32;
  const inputs = model.graph.inputs.map((input) => ({ ...input, dims: [size, ...input.dims.slice(1)] }));
  const session = await nodeRuntime.open({ ...model.graph, inputs }, { provider: "cpu", threads: 1 });
  let batch;
  const started = performance.now();
  for (let start = 0; start < data.n; start += size) {
    batch = await data.read(indices.subarray(start, start + size), ["x"], batch);
    const { data: images, dims } = batch.get("x");
    await session.run(new Map([["input", { type: "float32", dims, data: images }]]));
  }
  const seconds = (performance.now() - started) / 1000;
  await session.release();
  return seconds;
}

await measured();
const peak = peakMemory() / 1024 ** 2;
const before = await forward();
const own = await measured();
process.stdout.write(JSON.stringify({ peak, ratio: (2 * own) / (before + (await forward())) }));
