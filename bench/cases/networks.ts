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
/** As many as have the plan of a large data set; one in twelve is drawn twice, as of 2 000. */
const VIT_SAMPLES = 200;
const PAIRED_SHARE = 1 / 12;
/** As many as make the few that are drawn twice a batch of their own. */
const GPT_SAMPLES = 96;
const TOKENS = 64;
const VOCABULARY = 128;
/** Forward passes that each kind of layer may cost. */
const GOALS: Readonly<Record<string, number>> = { "closed-form": 2, "taylor-exact": 30, "taylor-probes": 12 };

/** ResNet-18 exact, and every layer of a ViT and a GPT by default, in forward passes of the same data. */
export async function* networkRows(): AsyncGenerator<Row> {
  const indices = Int32Array.from({ length: SAMPLES }, (_, index) => index);
  const resnet = await compare(
    resnet18(),
    images(SAMPLES),
    indices,
    { measures: ["relative-flatness"], method: "exact" },
    { runs: 3 },
  );
  yield row("ResNet-18 at 32×32, all 21 layers exact", resnet.ratio, "forward passes", 25);
  const many = Int32Array.from({ length: VIT_SAMPLES }, (_, index) => index);
  yield* everyLayer(vitTiny(), images(VIT_SAMPLES), many);
  const texts = Int32Array.from({ length: GPT_SAMPLES }, (_, index) => index);
  yield* everyLayer(gpt(), tokens(), texts);
  yield* memoryRows();
}

async function* everyLayer(subject: Subject, data: Dataset, indices: Int32Array): AsyncGenerator<Row> {
  const names = subject.graph.nodes.flatMap((node) => node.inputs.filter((input) => input.endsWith(".weight")));
  for (const name of new Set(names)) {
    const layer = name.replace(/\.weight$/, "");
    const options = {
      measures: ["relative-flatness"],
      layers: [layer],
      pairedSamples: Math.round(PAIRED_SHARE * indices.length),
    };
    const { ratio, result } = await compare(subject, data, indices, options, { runs: 1, warmups: 0, forwards: 2 });
    const method = result.results[0]?.method ?? "";
    yield row(`${subject.file} ${layer}, ${method}`, ratio, "forward passes", GOALS[method]);
  }
}

function images(samples: number): Dataset {
  const stream = new RandomStream(7, "images");
  const pixels = Float32Array.from({ length: samples * 3072 }, () => stream.sign());
  const labels = Uint8Array.from({ length: samples }, (_, index) => index % 10);
  return inMemory("noise", pixels, [samples, 3, 32, 32], labels);
}

function tokens(): Dataset {
  const stream = new RandomStream(8, "tokens");
  const draw = () => BigInt64Array.from({ length: GPT_SAMPLES * TOKENS }, () => BigInt(stream.below(VOCABULARY)));
  const dims = [GPT_SAMPLES, TOKENS];
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
