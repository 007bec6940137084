import { type Command, Option } from "commander";
import { losses } from "../losses/catalog.ts";
import { assignment, formatOption, integer, wholeNumber } from "./options.ts";

// What commands have in common that run a model on data.

export function lossOption(): Option {
  return new Option("--loss <name>", losses.map(({ name }) => name).join(", ")).default(
    undefined,
    "cross-entropy for integer labels, else squared-error-mean",
  );
}

/** Adds the options that say how a model is run on which samples, and where results go. */
export function withRunOptions(command: Command): Command {
  return command
    .option("--ignore-index <n>", "label of tokens or pixels that do not count", integer, -100)
    .option("--seed <n>", "of everything random", wholeNumber(0), 0)
    .option("--batch <n>", "samples at once (default: what is fastest)", wholeNumber(1))
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1))
    .option("--provider <name>", "execution provider: cpu, cuda, webgpu, …", "cpu")
    .option("--samples <N|FILE>", "the first N samples, or those listed in an .npy file (default: all)")
    .option("--split <name>", "train or test, where the data has parts")
    .option(
      "--preprocess <steps>",
      "such as resize=256,crop=224,scale=255, or a .json or .yaml file; flatness help preprocess lists the steps",
    )
    .option("--input <NAME=ARRAY>", "array that feeds a model input; may be repeated", assignment)
    .option("--labels <array>", "array of the labels (default: y)")
    .option("--output <name>", "the model output that is the raw scores (default: the first)")
    .addOption(formatOption())
    .option("--out <file>", "write the result there instead of printing it")
    .option("--report <file>", "write a self-contained HTML page with figures");
}
