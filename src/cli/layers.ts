import Table from "cli-table3";
import { Command } from "commander";
import type { LayerListing } from "../evaluation/list-layers.ts";
import { layers } from "../layers.ts";
import { checkWritable, writeFileWhole } from "../store/write-file.ts";
import { formatOption, type Format } from "./options.ts";
import { downloadProgress } from "./progress.ts";

const examples = `
Examples:
  $ flatness layers model.onnx
  $ flatness layers hf://owner/model/onnx/model.onnx
  $ flatness layers example:digits-mlp --format json`;

export function layersCommand(): Command {
  return new Command("layers")
    .description("list the layers of a model that carry weights, and how each can be measured")
    .argument("<model>", "an .onnx file, hf://owner/model/file.onnx, or example:digits-mlp")
    .option("--output <name>", "the model output that is the raw scores (default: the first)")
    .addOption(formatOption(["table", "json"]))
    .option("--out <file>", "write the list there instead of printing it")
    .addHelpText("after", examples)
    .action(async (model: string, flags: { output?: string; format: Format; out?: string }) => {
      if (flags.out !== undefined) checkWritable(flags.out);
      const interrupt = new AbortController();
      process.once("SIGINT", () => interrupt.abort());
      const downloads = downloadProgress(process.stderr);
      const options = { output: flags.output, signal: interrupt.signal, onDownload: downloads.update };
      const listing = await layers(model, options).finally(downloads.finish);
      const text = flags.format === "json" ? JSON.stringify(listing, null, 2) : layerList(listing);
      if (flags.out !== undefined) writeFileWhole(flags.out, `${text}\n`);
      else process.stdout.write(`${text}\n`);
    });
}

function layerList({ model, layers: rows }: LayerListing): string {
  const table = new Table({
    head: ["layer", "d × m", "positions", "groups", "method", "cost", "initializer"],
    style: { head: [], border: [], compact: true },
    colAligns: ["left", "right", "right", "right", "left", "right", "left"],
  });
  for (const { name, d, m, positions, groups, method, cost, reason, initializer } of rows) {
    table.push([
      name,
      `${d} × ${m}`,
      positions ?? "open",
      groups,
      method ?? `none: ${reason}`,
      cost === null ? "–" : `${cost < 10 ? cost.toPrecision(2) : Math.round(cost)} passes`,
      initializer,
    ]);
  }
  const count = rows.length === 1 ? "1 layer" : `${rows.length} layers`;
  return `${model.file} (opset ${model.opset}): ${count} with weights\n${table.toString()}`;
}
