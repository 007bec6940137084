// Run by bench.ts in a process of its own: LeNet5's five layers exact over some of the training images. Prints the peak memory.
import { readModel, openDataset, measureModel, nodeRuntime } from "../dist/index.js";
import { peakMemory } from "./peak.mjs";

const [source, preprocess, samples] = process.argv.slice(2);
const model = readModel("test/golden/lenet5-fashion/net00-batch64/model.onnx");
const data = await openDataset(source, { preprocess });
const indices = Int32Array.from({ length: Number(samples) }, (_, index) => index);
await measureModel(model, { data, indices, description: "" }, { method: "exact", threads: 1 }, nodeRuntime);
process.stdout.write(JSON.stringify({ peak: peakMemory() / 1024 ** 2 }));
