import { Command, Option } from "commander";
import { robustnessCsv, robustnessTable } from "../report/robustness-table.ts";
import { robustnessHtml } from "../report/robustness-html.ts";
import { robustness, type RobustnessFileOptions } from "../robustness.ts";
import { checkWritable, writeFileWhole } from "../store/write-file.ts";
import { nameList, wholeNumber } from "./options.ts";
import { decimal, decimals, print, running, type TheoryFlags, withModelOptions } from "./theory-options.ts";

interface Flags
  extends
    TheoryFlags,
    Pick<
      RobustnessFileOptions,
      | "features"
      | "draws"
      | "sigma"
      | "antithetic"
      | "epsilon"
      | "teacher"
      | "seed"
      | "split"
      | "preprocess"
      | "samples"
    > {
  readonly layer: "all" | "last" | string[];
  readonly delta: number[];
}

const examples = `
Examples:
  $ flatness robustness example:digits-mlp --data example:digits --layer last --antithetic
  $ flatness robustness model.onnx --data batch.npz --layer fc3 --delta 0.01,0.03,0.1,0.3 --report report.html
  $ flatness robustness model.onnx --data batch.npz --layer fc3 --features kernel --sigma 0.5
  $ flatness robustness model.onnx --data batch.npz --layer fc3 --features matrix:A.npy --epsilon 0.01

E_F is the change of the loss when features move, φ ↦ φ + δAφ. Small is robust; it has the unit of the loss.`;

export function robustnessCommand(): Command {
  const command = new Command("robustness")
    .description(
      "measure how the loss changes when the features of a layer move, beside what relative flatness predicts",
    )
    .argument("<model>", "an .onnx file, hf://owner/model/file.onnx, or example:digits-mlp")
    .requiredOption("--data <source>", "as for flatness measure, or example:digits")
    .addOption(
      new Option("--layer <names>", "all, last, or names with commas between")
        .argParser(nameList("all", "last"))
        .default("last"),
    )
    .addOption(
      new Option("--delta <numbers>", "how far features move, as shares of their length")
        .argParser(decimals)
        .default([0.01, 0.03, 0.1, 0.3], "0.01,0.03,0.1,0.3"),
    )
    .option(
      "--features <which>",
      "matrices A: orthogonal and kernel are averages over random ones; neurons, directions:FILE, matrix:FILE are given; covariance:FILE shapes random ones",
      "orthogonal",
    )
    .option("--draws <k>", "random matrices", wholeNumber(1), 200)
    .option("--sigma <s>", "of the kernel, before it is truncated (default: 1)", decimal)
    .option("--antithetic", "take the negative of each random matrix too, which removes most of the noise")
    .option("--epsilon <e>", "decide whether |E_F(αA)| ≤ e for all α up to each delta", decimal)
    .option("--teacher <model>", "an .onnx file that gives moved features their labels");
  return withModelOptions(command).addHelpText("after", examples).action(run);
}

async function run(
  model: string,
  { data, layer, delta, input, format, out, report, ...options }: Flags,
): Promise<void> {
  for (const path of [out, report]) if (path !== undefined) checkWritable(path);
  const { finish, ...watched } = running("moving features", "samples");
  const asked = { ...options, ...watched, layers: layer, deltas: delta, inputs: input };
  const result = await robustness(model, data, asked).finally(finish);
  if (report !== undefined) writeFileWhole(report, await robustnessHtml(result));
  const text = { table: robustnessTable, csv: robustnessCsv, json: (value: unknown) => JSON.stringify(value, null, 2) };
  print(text[format](result), out);
}
