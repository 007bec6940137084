import { UsageError } from "../errors.ts";
import { isNeeded, type Parameter } from "../graph/parameters.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { layoutsOf } from "./layouts.ts";

/** What stands before the names that model and file have in common: `module.` of DataParallel, the name of an attribute. */
export interface Prefixes {
  readonly model: string;
  readonly file: string;
}

/** A name with dots, as PyTorch writes it; Flax and TensorFlow write slashes. */
export function dotted(name: string): string {
  return name.replaceAll("/", ".");
}

/** The name in the file under which a parameter of this name stands, if the model's prefix is on it. */
export function nameInFile(name: string, { model, file }: Prefixes): string | undefined {
  const own = dotted(name);
  if (!own.startsWith(model)) return undefined;
  return file + own.slice(model.length);
}

/** More places of one suffix than these say nothing. */
const MOST_PLACES = 256;

/**
 * The prefixes under which most parameters are found by name, with a shape that fits: none where more than half of them
 * are not found under the same.
 *
 * @throws UsageError where several sets of weights in the file fit equally, such as those of a model and of its running average
 */
export function commonNames(parameters: readonly Parameter[], checkpoint: Checkpoint): Prefixes {
  const places = new Map<string, string[]>();
  const names = new Map([...checkpoint.tensors].map(([name, tensor]) => [dotted(name), tensor]));
  for (const name of names.keys()) {
    for (const [prefix, suffix] of cuts(name)) {
      const list = places.get(suffix);
      if (list) list.push(prefix);
      else places.set(suffix, [prefix]);
    }
  }
  const candidates = new Map<string, Candidate>();
  for (const parameter of parameters) {
    for (const name of new Set([dotted(parameter.name), ...parameter.framework])) {
      for (const [model, suffix] of cuts(name)) {
        const found = places.get(suffix) ?? [];
        if (found.length > MOST_PLACES) continue;
        for (const file of found) {
          // With a prefix on both sides the last word alone, such as `weight`, is no agreement.
          if (model !== "" && file !== "" && !suffix.includes(".")) continue;
          const tensor = names.get(file + suffix);
          if (!tensor || layoutsOf(parameter, tensor.dims).length === 0) continue;
          const key = `${model} ${file}`;
          const candidate = candidates.get(key) ?? { model, file, parameters: new Set(), tensors: new Set() };
          candidate.parameters.add(parameter);
          candidate.tensors.add(file + suffix);
          candidates.set(key, candidate);
        }
      }
    }
  }
  return chosen([...candidates.values()], parameters.filter(isNeeded).length, checkpoint.file);
}

interface Candidate extends Prefixes {
  readonly parameters: Set<Parameter>;
  readonly tensors: Set<string>;
}

/** A name in two, at the beginning and behind each dot. */
function* cuts(name: string): Generator<[prefix: string, suffix: string]> {
  for (let at = 0; at >= 0; at = name.indexOf(".", at) + 1 || -1) yield [name.slice(0, at), name.slice(at)];
}

const NONE: Prefixes = { model: "", file: "" };

function chosen(candidates: readonly Candidate[], all: number, file: string): Prefixes {
  const length = (prefixes: Prefixes) => `${prefixes.model}${prefixes.file}`.split(".").length;
  const sorted = candidates.toSorted(
    (left, right) => right.parameters.size - left.parameters.size || length(left) - length(right),
  );
  const [best] = sorted;
  // Equal names need no choice; prefixes that few agree on are chance.
  if (!best || best.model + best.file === "" || 2 * best.parameters.size <= all) return NONE;
  const rivals = sorted.filter(
    ({ parameters, tensors }) =>
      parameters.size === best.parameters.size && ![...tensors].some((name) => best.tensors.has(name)),
  );
  if (rivals.length > 0) {
    const parts = [...new Set([best, ...rivals].map((each) => each.file.replace(/\.$/, "")))];
    throw new UsageError(
      `${file}: has the weights of several models: ${parts.join(", ")}; choose one, such as ${file}#${parts[0]}.`,
    );
  }
  return { model: best.model, file: best.file };
}
