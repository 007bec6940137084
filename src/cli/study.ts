import { Command } from "commander";
import { nodeRuntime } from "../runtime/node.ts";
import { serveTasks } from "../runner/worker.ts";
import { readModel } from "../graph/files.ts";
import { studyExecution } from "../studies/execution.ts";
import { builtInStudies, findStudy } from "../studies/files.ts";
import { studyJsonSchema } from "../studies/schema.ts";
import { textTable } from "../report/text-table.ts";
import { withWeights } from "../weights.ts";
import { formatOption, wholeNumber } from "./options.ts";
import { compareStudies } from "./study-comparison.ts";
import { reportStudy } from "./study-report.ts";
import { runStudy } from "./study-run.ts";

const examples = `
Examples:
  $ flatness study list
  $ flatness study run figure-5-digits --jobs 2 --out results/digits
  $ flatness study run figure-5-digits --networks 20 --out results/short
  $ flatness study run my-study.yaml --out results/mine
  $ flatness study report results/digits
  $ flatness study compare results/digits results/reparameterized
  $ flatness study --schema > study.schema.json

The same command again does what is missing, whatever ended the run before it.`;

export function studyCommand(): Command {
  const study = new Command("study")
    .description(
      "run the paper's experiments, or your own: many networks, their flatness, and how it goes with the gap",
    )
    .option("--schema", "print the JSON Schema of study files, for editors")
    .addHelpText("after", examples)
    .action(({ schema }: { schema?: true }, command: Command) => {
      if (!schema) command.help({ error: true });
      process.stdout.write(`${JSON.stringify(studyJsonSchema(), null, 2)}\n`);
    });
  study
    .command("run")
    .description("do what is missing of a study, and write its results, figures and report")
    .argument("<study>", "a study's name, or a file.yaml")
    .requiredOption("--out <folder>", "where results are kept; what is done there is not done again")
    .option("--jobs <n>", "processes at once, of one thread each", wholeNumber(1), nodeRuntime.cores)
    .option("--networks <n>", "at most so many networks, models or data sets a separation", wholeNumber(1))
    .action(runStudy);
  study
    .command("list")
    .description("the studies that come with flatness")
    .addOption(formatOption(["table", "json"]))
    .action(list);
  study
    .command("show")
    .description("print a study's file: copy it to make one of your own")
    .argument("<study>", "a study's name, or a file.yaml")
    .action((name: string) => void process.stdout.write(findStudy(name).text));
  study
    .command("report")
    .description("write summary, figures and report again, from results.parquet and study.yaml alone")
    .argument("<folder>", "the --out of a run")
    .action(reportStudy);
  study
    .command("compare")
    .description("how the measures' correlations differ between two studies")
    .argument("<a>", "the --out of a run")
    .argument("<b>", "the --out of another")
    .addOption(formatOption())
    .option("--out <file>", "write it there instead of printing it")
    .action(compareStudies);
  study
    .command("work", { hidden: true })
    .description("a worker process, started by `study run`")
    .action(() => serveTasks(studyExecution(nodeRuntime, openSubject)));
  return study;
}

async function openSubject(model: string, weights: string | null) {
  const file = readModel(model);
  return weights === null ? file : withWeights(file, weights);
}

function list({ format }: { format: "table" | "json" }): void {
  const studies = builtInStudies().map(({ study: { name, title, about, make } }) => ({
    name,
    title,
    about,
    make: make.kind,
  }));
  if (format === "json") process.stdout.write(`${JSON.stringify(studies, null, 2)}\n`);
  else
    process.stdout.write(
      `${textTable(
        ["study", "what it shows"],
        ["left", "left"],
        studies.map(({ name, title }) => [name, title]),
      ).join("\n")}\n`,
    );
}
