import { Command } from "commander";
import { defaultMeasures, measures } from "../measures/catalog.ts";
import type { Measure } from "../measures/measure.ts";
import { checkWritable, writeFileWhole } from "../store/write-file.ts";
import { formatOption, type Format } from "./options.ts";

const examples = `
Examples:
  $ flatness measures
  $ flatness measures --format json
  $ flatness measure model.onnx --data batch.npz --measures relative-flatness,fisher-rao-norm`;

export function measuresCommand(): Command {
  return new Command("measures")
    .description("list what can be measured: equation, source, needs, and what leaves each measure unchanged")
    .addOption(formatOption(["table", "json"]))
    .option("--out <file>", "write the list there instead of printing it")
    .addHelpText("after", examples)
    .action(({ format, out }: { format: Format; out?: string }) => {
      if (out !== undefined) checkWritable(out);
      const text =
        format === "json" ? JSON.stringify(measures.map(listed), null, 2) : measures.map(described).join("\n\n");
      if (out !== undefined) writeFileWhole(out, `${text}\n`);
      else process.stdout.write(`${text}\n`);
    });
}

/** A measure as JSON has it. */
function listed({ plan: _, planNetwork: __, ...measure }: Measure) {
  return { ...measure, isDefault: defaultMeasures.includes(measure.name), inAll: measure.cost !== "many passes" };
}

function described(measure: Measure): string {
  const { name, symbol, title, equation, source, scope, needs, exactness, cost, invariances } = measure;
  const among = defaultMeasures.includes(name) ? " (default)" : cost === "many passes" ? " (not among all)" : "";
  const lines = [
    ["equation", equation],
    ["source", source],
    [
      "of",
      `${scope === "layer and network" ? "each layer, and the network" : scope === "layer" ? "each layer" : "the network"}`,
    ],
    ["needs", needs.join(", ") || "nothing more"],
    ["is", `${exactness}; ${costs[cost]}`],
    ["unchanged by", invariances.join(", ") || "nothing"],
  ];
  return [`${name}  ${symbol}  ${title}${among}`, ...lines.map(([head, text]) => `  ${head!.padEnd(14)}${text}`)].join(
    "\n",
  );
}

const costs: Readonly<Record<Measure["cost"], string>> = {
  weights: "no pass over the data",
  passes: "shares the passes that other measures need",
  "many passes": "many passes over the data",
};
