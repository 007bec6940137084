import { Command, CommanderError } from "commander";
import { DivergenceError, FlatnessError, Interruption } from "../errors.ts";
import { version } from "../version.ts";
import { boundCommand } from "./bound.ts";
import { dataCommand } from "./data.ts";
import { layersCommand } from "./layers.ts";
import { measureCommand } from "./measure.ts";
import { measuresCommand } from "./measures.ts";
import { preprocessTopic } from "./preprocess-topic.ts";
import { reparameterizeCommand } from "./reparameterize.ts";
import { robustnessCommand } from "./robustness.ts";
import { studyCommand } from "./study.ts";
import { trainCommand } from "./train.ts";

const INTERRUPTED = 130;
const USER_ERROR = 2;
const OUR_ERROR = 1;
const DIVERGED = 3;

function program(): Command {
  const command = new Command("flatness")
    .description("How flat is a trained network? Relative flatness of every layer of an ONNX model, with error bars.")
    .version(version)
    .addHelpText(
      "after",
      "\nflatness help preprocess lists the steps of --preprocess.\n\nStart with:\n  $ flatness measure example:digits-mlp --data example:digits",
    );
  const commands = [
    measureCommand(),
    layersCommand(),
    measuresCommand(),
    reparameterizeCommand(),
    robustnessCommand(),
    boundCommand(),
    trainCommand(),
    studyCommand(),
    dataCommand(),
  ];
  for (const each of commands) command.addCommand(each);
  command.addCommand(preprocessTopic(), { hidden: true });
  for (const each of withCommands(command)) each.exitOverride().showSuggestionAfterError();
  return command;
}

/** A command, its commands and theirs. */
function withCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withCommands)];
}

/** Runs the command line. Errors that the user can mend are a sentence and exit code 2; others are ours, with a stack and 1. */
export async function main(argv: readonly string[]): Promise<number> {
  // Who reads the output may have seen enough, as head has.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  try {
    await program().parseAsync([...argv]);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USER_ERROR;
    if ((error as Error).name === "AbortError") {
      const left = error instanceof Interruption ? error.message : "nothing was written";
      process.stderr.write(`interrupted; ${left}\n`);
      return INTERRUPTED;
    }
    if (error instanceof FlatnessError) {
      process.stderr.write(`error: ${error.message}\n`);
      return error instanceof DivergenceError ? DIVERGED : USER_ERROR;
    }
    process.stderr.write(`This is a bug in flatness ${version}:\n${(error as Error).stack ?? String(error)}\n`);
    return OUR_ERROR;
  }
}
