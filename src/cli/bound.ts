import { Command, InvalidArgumentError, Option } from "commander";
import { bound, type BoundFileOptions } from "../bound.ts";
import { boundHtml } from "../report/bound-html.ts";
import { boundCsv, boundTable } from "../report/bound-table.ts";
import { checkWritable, writeFileWhole } from "../store/write-file.ts";
import { wholeNumber } from "./options.ts";
import { decimal, print, running, type TheoryFlags, withModelOptions } from "./theory-options.ts";

interface Flags
  extends TheoryFlags, Omit<BoundFileOptions, "inputs" | "onProgress" | "onDownload" | "signal" | "weights"> {
  readonly test: string;
}

const examples = `
Examples:
  $ flatness bound example:digits-mlp --data example:digits --split train --test example:digits --layer last
  $ flatness bound model.onnx --data train.npz --test test.npz --layer fc3 --delta grid --report report.html
  $ flatness bound logistic.onnx --data train.npz --test test.npz --teacher teacher.onnx

The held-out data must be samples that the model never saw. Theorem 6's terms are theory, no prediction of the gap.`;

export function boundCommand(): Command {
  const command = new Command("bound")
    .description(
      "take the generalization gap apart: representativeness, feature robustness, and the terms of the bound",
    )
    .argument("<model>", "an .onnx file, hf://owner/model/file.onnx, or example:digits-mlp")
    .requiredOption("--data <source>", "the training data, as for flatness measure")
    .requiredOption("--test <source>", "held-out data that the model never saw")
    .option("--test-split <name>", "split of the held-out data (default: test where --split is given)")
    .option("--layer <name>", "a fully connected layer that reads one vector of features", "last")
    .addOption(
      new Option("--delta <d>", "a number, auto = n^(−1/(4+m)), or grid to see how the parts trade off")
        .argParser(deltaOf)
        .default("auto"),
    )
    .option("--sigma <s>", "of the kernel, before it is truncated", decimal, 1)
    .option("--probability <p>", "with which the bound holds", decimal, 0.95)
    .option("--draws <k>", "random vectors for each sample, and random matrices", wholeNumber(2), 200)
    .option("--teacher <model>", "an .onnx file that gives moved features their labels");
  return withModelOptions(command).addHelpText("after", examples).action(run);
}

function deltaOf(text: string): number | "auto" | "grid" {
  if (text === "auto" || text === "grid") return text;
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("expected a number, auto or grid.");
  return value;
}

async function run(model: string, { data, test, input, format, out, report, ...options }: Flags): Promise<void> {
  for (const path of [out, report]) if (path !== undefined) checkWritable(path);
  const { finish, ...watched } = running("moving features", "samples");
  const result = await bound(model, data, test, { ...options, ...watched, inputs: input }).finally(finish);
  if (report !== undefined) writeFileWhole(report, await boundHtml(result));
  const text = { table: boundTable, csv: boundCsv, json: (value: unknown) => JSON.stringify(value, null, 2) };
  print(text[format](result), out);
}
