import { Command, CommanderError } from "commander";
import { FlatnessError } from "../errors.ts";
import { version } from "../version.ts";
import { layersCommand } from "./layers.ts";
import { measureCommand } from "./measure.ts";
import { preprocessTopic } from "./preprocess-topic.ts";

const INTERRUPTED = 130;
const USER_ERROR = 2;
const OUR_ERROR = 1;

function program(): Command {
  const command = new Command("flatness")
    .description("How flat is a trained network? Relative flatness of every layer of an ONNX model, with error bars.")
    .version(version)
    .addHelpText(
      "after",
      "\nflatness help preprocess lists the steps of --preprocess.\n\nStart with:\n  $ flatness measure example:digits-mlp --data example:digits",
    );
  for (const sub of [measureCommand(), layersCommand()]) command.addCommand(sub);
  command.addCommand(preprocessTopic(), { hidden: true });
  for (const each of [command, ...command.commands]) each.exitOverride().showSuggestionAfterError();
  return command;
}

/** Runs the command line. Errors that the user can mend are a sentence and exit code 2; others are ours, with a stack and 1. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync([...argv]);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USER_ERROR;
    if ((error as Error).name === "AbortError") {
      process.stderr.write("interrupted; nothing was written\n");
      return INTERRUPTED;
    }
    if (error instanceof FlatnessError) {
      process.stderr.write(`error: ${error.message}\n`);
      return USER_ERROR;
    }
    process.stderr.write(`This is a bug in flatness ${version}:\n${(error as Error).stack ?? String(error)}\n`);
    return OUR_ERROR;
  }
}
