import type { Node, ValueId } from "./graph.ts";

/** Initializer names that exporters made up. */
const meaningless = /^(onnx::|val_|const_fold|p2o\.|\d+$|Constant(_\d+)?(_output_0)?$)/;

/**
 * A layer's name, from the best source there is: the initializer, the exporter's scopes, the node's path, the
 * bias that is added, the output.
 *
 * @param bias the name of the constant that is added to the product, if any
 */
export function layerName(node: Node, initializer: ValueId, bias: ValueId | undefined): string {
  // A constant that was folded has the path of the node that made it: /fc/Transpose_output_0.
  if (initializer.startsWith("/")) return pathName(initializer) ?? (node.outputs[0] as string);
  if (!meaningless.test(initializer)) return withoutSuffix(initializer);
  const place = scopedName(node.metadata?.["pkg.torch.onnx.name_scopes"]) ?? pathName(node.name);
  const added = bias === undefined || meaningless.test(bias) ? undefined : withoutSuffix(bias);
  // The bias may know more: attn.in_proj where the product is in attn.
  if (place !== undefined && added?.startsWith(`${place}.`)) return added;
  return place ?? added ?? (node.outputs[0] as string);
}

/** What a parameter's name says of its layer. */
export function withoutSuffix(parameter: string): string {
  if (/:\d+$|_fused_bn$/.test(parameter)) return tensorFlowName(parameter);
  return parameter.replace(suffix, "") || parameter;
}

/** What frameworks put behind a layer's name: fc.weight, conv2d_0.w_0, and conv2d_0.w_0_deepcopy_12, conv0_weight, attn.in_proj_bias. */
const suffix = /[._/](weights?|kernel|bias|[wb]_0(_deepcopy_\d+)?)$/;

/** The innermost module of torch's list of scopes, `['', 'layers.0', 'layers.0.linear', 'linear']`. */
function scopedName(scopes: string | undefined): string | undefined {
  const names = [...(scopes ?? "").matchAll(/'([^']*)'|"([^"]*)"/g)].map((match) => match[1] ?? match[2] ?? "");
  // The last entry is the operator itself; what comes of no module has a hook for one.
  return names.slice(0, -1).findLast((name) => name !== "" && !name.startsWith("_empty_nn_module"));
}

/** `/blocks/blocks.0/qkv/MatMul` is blocks.0.qkv: torch repeats the name of a list in those of its members. */
function pathName(path: string): string | undefined {
  if (!path.includes("/")) return undefined;
  if (!path.startsWith("/")) return tensorFlowName(path);
  const parts = path.slice(1).split("/").slice(0, -1);
  return parts.filter((part, index) => !parts[index + 1]?.startsWith(`${part}.`)).join(".") || undefined;
}

/** Calls that a saved model is wrapped in. */
const wrapper = /^(Stateful)?PartitionedCall(_\d+)?$/;
/** How TensorFlow reads a variable. */
const reading =
  /^(ReadVariableOp|Read|read|Identity|kernel|weights|bias|embeddings|(depthwise|pointwise)_(kernel|weights))(_\d+)?$|^\d+$/;
/** What it calls the operator within a layer. */
const operator =
  /^(MatMul|BiasAdd|Tensordot|Einsum|Conv\dD(Transpose|BackpropInput)?|conv\dd_transpose|depthwise|separable_conv\dd|ExpandDims|embedding_lookup|Gather(V2)?)(_\d+)?$/;

/** `StatefulPartitionedCall/model/dense/MatMul/ReadVariableOp:0` is model.dense. */
function tensorFlowName(path: string): string {
  const plain = path
    .replace(/:\d+$/, "")
    .replace(/_(weights|bias)_fused_bn$/, "")
    .replace(/__\d+$/, "");
  const parts = plain.split("/").filter((part) => !wrapper.test(part));
  const endsWith = (pattern: RegExp) => parts.length > 1 && pattern.test(parts.at(-1) as string);
  while (endsWith(reading)) parts.pop();
  // One only: a layer may be called as its operator is.
  if (endsWith(operator)) parts.pop();
  if (endsWith(/^einsum(_\d+)?$/)) parts.pop();
  return parts.join(".") || path;
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
