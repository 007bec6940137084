// node --import tsx bench/train-epochs.ts EPOCHS: trains a LeNet5 on noise on one thread, waits for a line, prints the seconds of its epochs.
import { once } from "node:events";
import { trainedEpochs } from "./training-epochs.ts";

const epochs = Number(process.argv[2]);
await trainedEpochs(1);
process.stdout.write("ready\n");
await once(process.stdin, "data");
process.stdout.write(`${JSON.stringify(await trainedEpochs(epochs))}\n`);
process.exit(0);
