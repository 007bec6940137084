import { applyCheckpoint } from "./checkpoints/apply.ts";
import type { Checkpoint } from "./checkpoints/checkpoint.ts";
import { type Mapping, mapWeights } from "./checkpoints/mapping.ts";
import { listed, misfit } from "./checkpoints/misfit.ts";
import { openCheckpoint } from "./checkpoints/open.ts";
import type { Warning, Weights } from "./evaluation/result.ts";
import { type ModelFile, readModel } from "./graph/files.ts";
import type { Dims } from "./graph/tensor.ts";
import { localModel, type LocalPathOptions } from "./remote/local-path.ts";

/** A model with the weights of a file in place of its own. */
export interface WeightedModel extends ModelFile {
  readonly weights: Weights;
  /** What of the mapping a reader should know of. */
  readonly warnings: readonly Warning[];
}

/**
 * A model with the weights of another file: .safetensors (or the index of its shards), what torch.save writes (.pt, .pth), or .npz;
 * `file#part` is a part of one.
 *
 * @throws ModelError where they do not fit, with both sides; DataError for a damaged file; UsageError for a part that is not there
 */
export async function withWeights(model: ModelFile, path: string): Promise<WeightedModel> {
  const checkpoint = await openCheckpoint(path);
  const { graph, mapping } = applyCheckpoint(model.graph, model.file, checkpoint);
  const { file, sha256, opset } = model;
  return { graph, file, sha256, opset, weights: origin(checkpoint), warnings: warningsOf(mapping) };
}

/** What {@link explainWeights} finds: every tensor of the file and every parameter of the model, and what became of them. */
export interface WeightListing {
  readonly model: { readonly file: string; readonly sha256: string; readonly opset: number };
  readonly weights: Weights;
  /** Why they do not fit; absent where they do. */
  readonly misfit?: string;
  readonly matches: readonly {
    readonly initializer: string;
    readonly dims: Dims;
    readonly tensor: string;
    readonly tensorDims: Dims;
    readonly by: "name" | "module" | "shape" | "order";
    readonly layout: "as-is" | "turned";
  }[];
  /** Constants of the model that stay. */
  readonly kept: readonly { readonly initializer: string; readonly dims: Dims; readonly reason: string }[];
  readonly ignored: readonly { readonly tensor: string; readonly reason: string }[];
  readonly missing: readonly { readonly initializer: string; readonly dims: Dims }[];
  readonly leftOver: readonly { readonly tensor: string; readonly tensorDims: Dims }[];
}

/**
 * Which tensor of a file of weights becomes which parameter of a model, and how it was found. Nothing is put in.
 *
 * @throws ModelError or DataError where a file is absent or damaged; UsageError where the file has several sets of weights that fit
 */
export async function explainWeights(
  model: string,
  path: string,
  options: Pick<LocalPathOptions, "signal" | "onDownload"> = {},
): Promise<WeightListing> {
  const place = await localModel(model, options);
  const { graph, file, sha256, opset } = readModel(place.path, place.name);
  const checkpoint = await openCheckpoint(path);
  const mapping = mapWeights(graph, checkpoint);
  const message = misfit(mapping, file, checkpoint);
  return {
    model: { file, sha256, opset },
    weights: origin(checkpoint),
    ...(message !== undefined && { misfit: message }),
    matches: mapping.matches.map(({ parameter, tensor, dims, by, layout }) => {
      return { initializer: parameter.name, dims: parameter.dims, tensor, tensorDims: dims, by, layout };
    }),
    kept: mapping.kept.map(({ parameter: { name, dims }, reason }) => ({ initializer: name, dims, reason })),
    ignored: mapping.ignored,
    missing: mapping.missing.map(({ name, dims }) => ({ initializer: name, dims })),
    leftOver: mapping.leftOver.map((name) => ({ tensor: name, tensorDims: checkpoint.tensors.get(name)?.dims ?? [] })),
  };
}

function origin({ file, sha256, part }: Checkpoint): Weights {
  return { file, sha256, ...(part !== undefined && { part }) };
}

/** Names that a warning lists before it counts. */
const MOST_NAMES = 6;

function warningsOf({ matches, kept }: Mapping): Warning[] {
  const guessed = matches.filter(({ by }) => by === "shape" || by === "order");
  const constants = kept.filter(({ parameter }) => parameter.role === "constant");
  const warnings: Warning[] = [];
  if (guessed.length > 0) {
    const pairs = guessed.map(({ parameter, tensor }) => `${parameter.name} from ${tensor}`);
    const text = `${guessed.length} of ${matches.length} weights were found by shape or order alone, no name says that they are right`;
    warnings.push({
      code: "weights-by-shape",
      text: `${text}: ${listed(pairs, MOST_NAMES)}; --explain-weights shows all`,
    });
  }
  if (constants.length > 0) {
    const names = constants.map(({ parameter }) => parameter.name);
    const text = "constants that the file of weights does not have stay as the model has them";
    warnings.push({ code: "weights-kept", text: `${text}: ${listed(names, MOST_NAMES)}` });
  }
  return warnings;
}
