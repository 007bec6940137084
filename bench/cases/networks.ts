import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Subject } from "../../src/evaluation/measure-model.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { compare } from "../forward.ts";
import { FASHION, inMemory, LENET_PREPROCESS } from "../inputs.ts";
import { gpt, resnet18, vitTiny } from "../networks.ts";
import { row, type Row } from "../row.ts";

const SAMPLES = 32;
/** One in eight is drawn twice; of 2 000 it is one in twelve. */
const PAIRED_SAMPLES = 4;
const TOKENS = 64;
const VOCABULARY = 128;
/** Forward passes that each kind of layer may cost. */
const GOALS: Readonly<Record<string, number>> = { "closed-form": 2, "taylor-exact": 30, "taylor-probes": 12 };

/** ResNet-18 exact, and every layer of a ViT and a GPT by default, in forward passes of the same data. */
export async function networkRows(): Promise<Row[]> {
  const rows: Row[] = [];
  const indices = Int32Array.from({ length: SAMPLES }, (_, index) => index);
  const resnet = await compare(resnet18(), images(), indices, { measures: ["relative-flatness"], method: "exact" }, 3);
  rows.push(row("ResNet-18 at 32×32, all 21 layers exact", resnet.ratio, "forward passes", 25));
  rows.push(...(await everyLayer(vitTiny(), images(), indices)), ...(await everyLayer(gpt(), tokens(), indices)));
  return [...rows, ...memoryRows()];
}

async function everyLayer(subject: Subject, data: Dataset, indices: Int32Array): Promise<Row[]> {
  const names = subject.graph.nodes.flatMap((node) => node.inputs.filter((input) => input.endsWith(".weight")));
  const rows: Row[] = [];
  for (const name of new Set(names)) {
    const layer = name.replace(/\.weight$/, "");
    const options = { measures: ["relative-flatness"], layers: [layer], pairedSamples: PAIRED_SAMPLES };
    const { ratio, result } = await compare(subject, data, indices, options, 1);
    const method = result.results[0]?.method ?? "";
    rows.push(row(`${subject.file} ${layer}, ${method}`, ratio, "forward passes", GOALS[method]));
  }
  return rows;
}

function images(): Dataset {
  const stream = new RandomStream(7, "images");
  const pixels = Float32Array.from({ length: SAMPLES * 3072 }, () => stream.sign());
  const labels = Uint8Array.from({ length: SAMPLES }, (_, index) => index % 10);
  return inMemory("noise", pixels, [SAMPLES, 3, 32, 32], labels);
}

function tokens(): Dataset {
  const stream = new RandomStream(8, "tokens");
  const draw = () => BigInt64Array.from({ length: SAMPLES * TOKENS }, () => BigInt(stream.below(VOCABULARY)));
  const dims = [SAMPLES, TOKENS];
  return arrayDataset({ source: "noise", sha256: "" }, [
    { name: "x", type: "int64", dims, data: draw() },
    { name: "y", type: "int64", dims, data: draw() },
  ]);
}

/** Peak memory of LeNet5's five layers exact over few images and over many: it is that of a batch. */
function memoryRows(): Row[] {
  if (!existsSync(FASHION)) return [];
  const [few, many] = [2000, 50_000].map((samples) => {
    const args = ["bench/memory.mjs", FASHION, LENET_PREPROCESS, String(samples)];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (!stdout) throw new Error(stderr);
    return (JSON.parse(stdout) as { peak: number }).peak;
  }) as [number, number];
  return [
    row("LeNet5 five layers exact, 50 000 images, peak memory", many, "MB"),
    row("the same, over that of 2 000 images", many / few, "ratio", 1.1),
  ];
}
