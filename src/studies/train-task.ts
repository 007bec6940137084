import { decodeModel, encodeModel } from "../graph/onnx.ts";
import type { Subject } from "../evaluation/measure-model.ts";
import type { Runtime } from "../runtime/session.ts";
import { ResultFolder } from "../store/result-folder.ts";
import { sha256 } from "../store/sha256.ts";
import { train } from "../training/train.ts";
import { measureNetwork } from "./measurement.ts";
import type { StudyRun } from "./study-run.ts";
import type { TrainTask } from "./tasks.ts";
import { dataOf, type StudyData } from "./training-data.ts";

/** A network as it was at one epoch. */
interface Snapshot {
  readonly epoch: number;
  readonly bytes: Uint8Array;
}

/** What is kept of training beside the models. */
interface TrainingRecord {
  readonly stopped: string;
  readonly epochs: number;
  /** Epochs whose models are kept, the last of them the end. */
  readonly snapshots: readonly number[];
  readonly history: readonly unknown[];
}

/**
 * Trains the network, or takes it from `networks` where it was trained before: what is measured may change without training
 * again.
 */
export async function runTrainTask(task: TrainTask, networks: ResultFolder, runtime: Runtime): Promise<StudyRun[]> {
  const data = await dataOf(task.recipe, task.sampling);
  const { record, snapshots } = kept(networks, task.networkKey) ?? (await trained(task, data, networks, runtime));
  const runs: StudyRun[] = [];
  for (const [index, { epoch, bytes }] of snapshots.entries()) {
    const subject = subjectOf(bytes);
    const { seed = 0 } = task.recipe;
    const { facts, values, origin } = await measureNetwork(subject, data, task.measure, seed, runtime);
    const last = index === snapshots.length - 1;
    const ending = { epochs: record.epochs, stopped: record.stopped };
    runs.push({
      run: task.run,
      epoch: task.record === null ? null : epoch,
      settings: task.settings,
      facts: { ...facts, ...(last && ending) },
      values,
      origin,
    });
  }
  return runs;
}

function subjectOf(bytes: Uint8Array): Subject {
  const graph = decodeModel(bytes);
  return { graph, file: "model.onnx", sha256: sha256(bytes), opset: graph.opset };
}

async function trained(task: TrainTask, data: StudyData, networks: ResultFolder, runtime: Runtime) {
  const { samples: _, split: __, preprocess: ___, ...source } = task.recipe.data;
  const recipe = { ...task.recipe, data: source, test: {}, threads: 1 };
  const snapshots: Snapshot[] = [];
  const { record: period } = task;
  const result = await train(recipe, {
    runtime,
    data,
    onEpoch({ epoch }, graph) {
      if (period !== null && epoch % period === 0) snapshots.push({ epoch, bytes: encodeModel(graph()) });
    },
  });
  const epochs = result.history.at(-1)?.epoch ?? 0;
  if (snapshots.at(-1)?.epoch !== epochs) snapshots.push({ epoch: epochs, bytes: encodeModel(result.graph) });
  const record: TrainingRecord = {
    stopped: result.stopped,
    epochs,
    snapshots: snapshots.map(({ epoch }) => epoch),
    history: result.history,
  };
  networks.commit(task.networkKey, {
    ...Object.fromEntries(snapshots.map(({ epoch, bytes }) => [modelFile(epoch, epochs), bytes])),
    "training.json": JSON.stringify({ recipe: task.recipe, sampling: task.sampling, ...record }),
  });
  return { record, snapshots };
}

function modelFile(epoch: number, last: number): string {
  return epoch === last ? "model.onnx" : `epoch-${epoch}.onnx`;
}

/** A network that was trained before; taken away when it cannot be read. */
function kept(networks: ResultFolder, key: string): { record: TrainingRecord; snapshots: Snapshot[] } | undefined {
  if (!networks.has(key)) return undefined;
  try {
    const record = JSON.parse(new TextDecoder().decode(networks.read(key, "training.json"))) as TrainingRecord;
    const snapshots = record.snapshots.map((epoch) => {
      const bytes = networks.read(key, modelFile(epoch, record.epochs));
      if (!bytes) throw new SyntaxError(`no model of epoch ${epoch}`);
      decodeModel(bytes);
      return { epoch, bytes };
    });
    return { record, snapshots };
  } catch {
    networks.discard(key);
    return undefined;
  }
}
