import { readModel } from "./graph/files.ts";
import { type MeasureFileOptions, sampledFrom, subjectOf } from "./measure.ts";
import { teacherFile, withOrigin } from "./robustness.ts";
import { nodeRuntime } from "./runtime/node.ts";
import { type BoundOptions, measureBound } from "./theory/measure-bound.ts";
import type { BoundResult } from "./theory/result.ts";

/** Options of {@link bound}. */
export interface BoundFileOptions
  extends
    Omit<BoundOptions, "teacher">,
    Pick<MeasureFileOptions, "split" | "preprocess" | "samples" | "weights" | "onDownload"> {
  /** The split of the held-out data, where its source has parts; default `test` where the training data's is given. */
  readonly testSplit?: string;
  /** An .onnx file that gives features their labels. */
  readonly teacher?: string;
}

/**
 * The generalization gap of a model file taken apart by equation 5 of Petzka et al. 2021, and the terms of its Theorem 6.
 *
 * @param data the data that the model was fitted to
 * @param test data that it never saw
 * @throws ModelError, DataError, UsageError with one sentence on what was expected, what came and what to do
 */
export async function bound(
  model: string,
  data: string,
  test: string,
  options: BoundFileOptions = {},
): Promise<BoundResult> {
  const { teacher, weights, testSplit, split, preprocess: _, samples: __, ...rest } = options;
  const subject = await subjectOf({ model, weights }, readModel, options);
  const labeller = teacher === undefined ? undefined : await teacherFile(teacher, options);
  const train = await sampledFrom(data, options);
  const heldSplit = testSplit ?? (split === undefined ? undefined : "test");
  const held = await sampledFrom(test, { ...options, samples: undefined, split: heldSplit });
  const asked = { ...rest, ...(labeller && { teacher: labeller }) };
  const result = await measureBound(subject, train, held, asked, nodeRuntime);
  return "weights" in subject ? withOrigin(result, subject) : result;
}
