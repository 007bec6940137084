import { Command, CommanderError } from "commander";
import { DivergenceError, FlatnessError, Interruption } from "../errors.ts";
import { version } from "../version.ts";
const INTERRUPTED = 130;
const USER_ERROR = 2;
const OUR_ERROR = 1;
const DIVERGED = 3;

/** Each is loaded when it is asked for: what trains and draws takes a while to load. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  measure: async () => (await import("./measure.ts")).measureCommand(),
  layers: async () => (await import("./layers.ts")).layersCommand(),
  measures: async () => (await import("./measures.ts")).measuresCommand(),
  reparameterize: async () => (await import("./reparameterize.ts")).reparameterizeCommand(),
  robustness: async () => (await import("./robustness.ts")).robustnessCommand(),
  bound: async () => (await import("./bound.ts")).boundCommand(),
  train: async () => (await import("./train.ts")).trainCommand(),
  study: async () => (await import("./study.ts")).studyCommand(),
  data: async () => (await import("./data.ts")).dataCommand(),
};

/** The command line with the command that is asked for, or with all of them, for help and for a name that is none. */
async function program([asked = ""]: readonly string[]): Promise<Command> {
  const command = new Command("flatness")
    .description("How flat is a trained network? Relative flatness of every layer of an ONNX model, with error bars.")
    .version(version)
    .addHelpText(
      "after",
      "\nflatness help preprocess lists the steps of --preprocess.\n\nStart with:\n  $ flatness measure example:digits-mlp --data example:digits",
    );
  const names = Object.hasOwn(commands, asked) ? [asked] : Object.keys(commands);
  for (const name of names) command.addCommand(await (commands[name] as () => Promise<Command>)());
  if (names.length > 1) {
    const { preprocessTopic } = await import("./preprocess-topic.ts");
    command.addCommand(preprocessTopic(), { hidden: true });
  }
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
    await (await program(argv.slice(2))).parseAsync([...argv]);
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
