import { readArrayFile } from "./data/array-file.ts";
import { UsageError } from "./errors.ts";
import { readModel } from "./graph/files.ts";
import { type MeasureFileOptions, sampledFrom, subjectOf } from "./measure.ts";
import { localModel } from "./remote/local-path.ts";
import { nodeRuntime } from "./runtime/node.ts";
import type { FamilyChoice } from "./theory/chosen-family.ts";
import { measureRobustness, type RobustnessOptions } from "./theory/measure-robustness.ts";
import type { RobustnessResult } from "./theory/result.ts";
import type { WeightedModel } from "./weights.ts";

/** Options of {@link robustness}. */
export interface RobustnessFileOptions
  extends
    Omit<RobustnessOptions, "features" | "teacher">,
    Pick<MeasureFileOptions, "split" | "preprocess" | "samples" | "weights" | "onDownload"> {
  /**
   * Which matrices A move features: `orthogonal` (default), `kernel`, `neurons`, or of a .npy or .npz file `directions:FILE`,
   * `matrix:FILE`, `covariance:FILE`.
   */
  readonly features?: string;
  /** σ of the kernel; default 1. */
  readonly sigma?: number;
  /** An .onnx file that gives features their labels. */
  readonly teacher?: string;
}

/**
 * Feature robustness of a model file's layers on a data set: E_F(f, S, δA), the change of the risk when features move, φ ↦ φ + δAφ, with
 * standard errors, and what theory makes of it (Petzka et al. 2021, Definition 1 and Theorem 5).
 *
 * Cost: for each matrix and δ one run of what lies above the layer.
 *
 * @throws ModelError, DataError, UsageError with one sentence on what was expected, what came and what to do
 */
export async function robustness(
  model: string,
  data: string,
  options: RobustnessFileOptions = {},
): Promise<RobustnessResult> {
  const { features = "orthogonal", sigma, teacher, split: _, preprocess: __, samples: ___, weights, ...rest } = options;
  const choice = await familyChoice(features, sigma);
  const subject = await subjectOf({ model, weights }, readModel, options);
  const labeller = teacher === undefined ? undefined : await teacherFile(teacher, options);
  const sampled = await sampledFrom(data, options);
  const asked = { ...rest, features: choice, ...(labeller && { teacher: labeller }) };
  const result = await measureRobustness(subject, sampled, asked, nodeRuntime);
  return "weights" in subject ? withOrigin(result, subject) : result;
}

/** A result that says where its weights came from. */
export function withOrigin<T extends Pick<RobustnessResult, "model" | "warnings">>(
  result: T,
  { weights, warnings }: WeightedModel,
): T {
  return { ...result, model: { ...result.model, weights }, warnings: [...warnings, ...result.warnings] };
}

export async function teacherFile(path: string, options: Parameters<typeof localModel>[1]) {
  const local = await localModel(path, options);
  return readModel(local.path, local.name);
}

/** @throws UsageError for a family that does not exist */
async function familyChoice(text: string, sigma: number | undefined): Promise<FamilyChoice> {
  if (text === "kernel") return { kind: "kernel", sigma: sigma ?? 1 };
  if (sigma !== undefined) throw new UsageError(`sigma ${sigma}: only the features of the kernel have one: kernel.`);
  if (text === "orthogonal" || text === "neurons") return { kind: text };
  const [, kind, file] = /^(directions|matrix|covariance):(.+)$/.exec(text) ?? [];
  if (kind === undefined || file === undefined) {
    throw new UsageError(
      `features ${text}: expected orthogonal, kernel, neurons, directions:FILE, matrix:FILE or covariance:FILE.`,
    );
  }
  const array = await readArrayFile(file, kind === "directions" ? "directions" : "a square matrix");
  if (!/^(float32|float64|u?int\d+)$/.test(array.type))
    throw new UsageError(`${file}: expected numbers, has ${array.type}.`);
  return { kind: kind as "matrix", file, array };
}
