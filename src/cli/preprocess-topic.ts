import { Command } from "commander";
import { steps } from "../data/preprocess-steps.ts";

const width = 96;
const column = 20;

const before = `--preprocess changes the input on its way into the model, step by step in the order written:
  --preprocess resize=256,crop=224,scale=255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225

A sample is [C, H, W] or any other shape that the data has. Stored values become float32, and each operation is
rounded to float32, as in NumPy and PyTorch; bytes stay bytes until the first of scale, mean and std.
`;

const after = `
Or a file: --preprocess steps.yaml (.yml, .json), with a list of steps, such as
  - resize: 256
  - crop: [224, 224]
  - scale=255
  - mean: [0.485, 0.456, 0.406]
The result keeps the steps in the form of the command line.
`;

/** What `flatness help preprocess` prints, from the table of the steps. */
export function preprocessTopic(): Command {
  const rows = Object.values(steps).map(({ form, description }) => {
    const [first = "", ...more] = wrapped(description, width - column);
    return [`  ${form.padEnd(column - 2)}${first}`, ...more.map((line) => " ".repeat(column) + line)].join("\n");
  });
  const text = `${before}\n${rows.join("\n")}\n${after}`;
  return new Command("preprocess")
    .helpOption(false)
    .configureHelp({ formatHelp: () => text })
    .action((_options: unknown, command: Command) => command.outputHelp());
}

function wrapped(text: string, most: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line.length + 1 + word.length > most && line !== "") lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}
