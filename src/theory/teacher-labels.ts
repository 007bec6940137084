import type { OpenedLayer } from "../evaluation/layer-changes.ts";
import type { Warning } from "../evaluation/result.ts";
import type { LabelFunction } from "./labels.ts";

/**
 * Warns where a label function gives samples that have not moved another class than the data do: the terms with its labels are then not
 * 0 at δ = 0. Cost: a run of the teacher on the features.
 */
export async function teacherWarnings(opened: OpenedLayer, labelFunction: LabelFunction): Promise<Warning[]> {
  if (!opened.loss.classification) return [];
  let others = 0;
  for await (const { features, labels, n } of opened.batches()) {
    const own = await labelFunction(await features(), n);
    for (let index = 0; index < n; index++) {
      const given = Number(labels.data[index]);
      if (given >= 0 && given !== Number(own.data[index])) others += 1;
    }
  }
  if (others === 0) return [];
  return [
    {
      code: "teacher-disagrees",
      layer: opened.layer.name,
      text: `the teacher gives ${others} of ${opened.n} samples another label than the data do: what its labels change of the loss is not 0 where nothing moves`,
    },
  ];
}
