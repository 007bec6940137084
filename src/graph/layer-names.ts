import type { Node, ValueId } from "./graph.ts";

/** Initializer names that exporters made up. */
const meaningless = /^(onnx::|val_|const_fold|\d+$)/;

/**
 * A layer's name, from the best source there is: the initializer, the exporter's scopes, the node's path, the
 * bias that is added, the output.
 *
 * @param bias the name of the constant that the following Add adds, if any
 */
export function layerName(node: Node, initializer: ValueId, bias: ValueId | undefined): string {
  if (!meaningless.test(initializer)) return withoutSuffix(initializer);
  return (
    scopedName(node.metadata?.["pkg.torch.onnx.name_scopes"]) ??
    pathName(node.name) ??
    (bias !== undefined && !meaningless.test(bias) ? bias.replace(/\.bias$/, "") : undefined) ??
    (node.outputs[0] as string)
  );
}

export function withoutSuffix(initializer: string): string {
  return initializer.replace(/\.(weight|kernel)$/, "") || initializer;
}

/** The innermost module of torch's list of scopes, `['', 'layers.0', 'layers.0.linear', 'linear']`. */
function scopedName(scopes: string | undefined): string | undefined {
  const names = [...(scopes ?? "").matchAll(/'([^']*)'|"([^"]*)"/g)].map((match) => match[1] ?? match[2] ?? "");
  // The last entry is the operator itself.
  return names.slice(0, -1).findLast((name) => name !== "");
}

/** `/blocks/blocks.0/qkv/MatMul` is blocks.0.qkv: torch repeats the name of a list in those of its members. */
function pathName(path: string): string | undefined {
  if (!path.startsWith("/")) return undefined;
  const parts = path.slice(1).split("/").slice(0, -1);
  return parts.filter((part, index) => !parts[index + 1]?.startsWith(`${part}.`)).join(".") || undefined;
}

/** Makes each name unique: a second `fc` becomes `fc#2`. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let times = 2; seen.has(unique) || (unique !== name && taken.has(unique)); times++)
      unique = `${name}#${times}`;
    seen.add(unique);
    return unique;
  });
}
