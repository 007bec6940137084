// Run in a process of its own: measures the last layer of a model file. Prints κ and the peak memory.
import { measure } from "../dist/index.js";
import { peakMemory } from "./peak.mjs";

const [model, data] = process.argv.slice(2);
const { result } = await measure(model, data, { layers: "last" });
const { value } = result.results.find((row) => row.measure === "relative-flatness");
const { seconds } = result;
process.stdout.write(JSON.stringify({ peak: peakMemory(), value, seconds }));
