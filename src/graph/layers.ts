import type { Builder } from "./builder.ts";
import type { Node, ValueId } from "./graph.ts";
import { consumers, int, producers } from "./graph.ts";
import { layerName, uniqueNames } from "./layer-names.ts";
import { count } from "./tensor.ts";
import { afterMove, weightOf, type Weight } from "./weights.ts";

/** How a node applies W to its features. */
export type UseKind =
  /** z = φ Wᵀ: features are the last axis, positions the axes between. */
  | "dense"
  /** z = W φ: features are the last axis but one. */
  | "dense-left"
  | "convolution";

/** One application of a weight: the features φ that go in, the pre-activation z = Wφ (+ b) that comes out. */
export interface Use {
  readonly kind: UseKind;
  readonly node: Node;
  readonly features: ValueId;
  readonly preactivation: ValueId;
  /** z = scale · Wφ: Gemm's alpha. */
  readonly scale: number;
}

/** A weight matrix W (d×m) and everywhere that the network applies it. */
export interface Layer {
  readonly name: string;
  readonly node: string;
  readonly initializer: ValueId;
  /** The value that the nodes read: the initializer, or what a Transpose makes of it. */
  readonly weight: ValueId;
  readonly d: number;
  readonly m: number;
  /** Side by side layers of a grouped convolution: rows of W in g blocks, each with features of its own. */
  readonly groups: number;
  /** Positions that share W, over all uses. */
  readonly positions: number;
  readonly uses: readonly Use[];
  /** W row-major, d rows of m, as the layer applies it. */
  matrix(): Float32Array | Float64Array;
}

interface Found extends Use {
  readonly weight: ValueId;
  readonly root: Weight;
  readonly d: number;
  readonly m: number;
  readonly groups: number;
  readonly positions: number;
  /** W is stored as m×d. */
  readonly transposed: boolean;
}

/** The weight-carrying layers of an instantiated model, in graph order. */
export function findLayers(builder: Builder): Layer[] {
  const made = producers(builder.nodes);
  const found = builder.nodes.flatMap((node) => find(builder, made, node) ?? []);
  // Uses of one weight as the same matrix are one layer, however it is written: Gemm with transB, or a Transpose and MatMul.
  const tied = new Map<string, Found[]>();
  for (const use of found) {
    const { root, d, m, groups, transposed } = use;
    const moves = transposed ? afterMove(root.moves, [m, d], [1, 0]) : root.moves;
    const key = JSON.stringify([root.initializer, d, m, groups, moves, use.kind === "convolution"]);
    tied.set(key, [...(tied.get(key) ?? []), use]);
  }
  const groups = [...tied.values()];
  const read = consumers(builder.nodes);
  const names = uniqueNames(
    groups.map(([first]) => {
      const { node, root } = first as Found;
      return layerName(node, root.initializer, followingBias(builder, read, node));
    }),
  );
  return groups.map((uses, index) => {
    const first = uses[0] as Found;
    const { d, m, groups: blocks, root, weight, transposed } = first;
    return {
      name: names[index] as string,
      node: first.node.name || (first.node.outputs[0] as string),
      initializer: root.initializer,
      weight,
      d,
      m,
      groups: blocks,
      positions: uses.reduce((sum, use) => sum + use.positions, 0),
      uses: uses.map(({ kind, node, features, preactivation, scale }) => ({
        kind,
        node,
        features,
        preactivation,
        scale,
      })),
      matrix: () => (transposed ? rows(root.values(), m, d) : root.values()),
    };
  });
}

function find(builder: Builder, made: Map<ValueId, Node>, node: Node): Found | undefined {
  if (node.domain !== "") return undefined;
  const [left = "", right = ""] = node.inputs;
  const preactivation = node.outputs[0] as ValueId;
  const z = builder.typeIfKnown(preactivation);
  const output = z?.dims ?? [];
  if (node.op === "Conv") {
    const root = weightOf(builder, made, right);
    if (!root || isConstant(builder, made, left)) return undefined;
    const d = root.dims[0] as number;
    const m = count(root.dims.slice(1));
    const shared = { node, preactivation, scale: 1, positions: count(output.slice(2)), transposed: false };
    return { ...shared, kind: "convolution", features: left, weight: right, root, d, m, groups: int(node, "group", 1) };
  }
  if (node.op !== "MatMul" && node.op !== "Gemm") return undefined;
  const alpha = node.attributes["alpha"];
  const scale = alpha?.kind === "float" ? alpha.value : 1;
  const onRight = weightOf(builder, made, right);
  if (onRight?.dims.length === 2 && !isConstant(builder, made, left)) {
    if (int(node, "transA", 0)) return undefined;
    const transposed = int(node, "transB", 0) === 0;
    const [m, d] = (transposed ? onRight.dims : onRight.dims.toReversed()) as [number, number];
    const shared = { node, preactivation, scale, groups: 1, positions: count(output.slice(1, -1)), transposed };
    return { ...shared, kind: "dense", features: left, weight: right, root: onRight, d, m };
  }
  const onLeft = weightOf(builder, made, left);
  if (node.op === "MatMul" && onLeft?.dims.length === 2 && !isConstant(builder, made, right)) {
    const [d, m] = onLeft.dims as [number, number];
    const positions = count(output.toSpliced(-2, 1).slice(1));
    const shared = { node, preactivation, scale, groups: 1, positions, transposed: false };
    return { ...shared, kind: "dense-left", features: right, weight: left, root: onLeft, d, m };
  }
  return undefined;
}

function isConstant(builder: Builder, made: Map<ValueId, Node>, value: ValueId): boolean {
  return builder.constantOf(value) !== undefined || weightOf(builder, made, value) !== undefined;
}

/** The constant that the next Add adds to a node's output. */
function followingBias(builder: Builder, read: Map<ValueId, Node[]>, node: Node): ValueId | undefined {
  const next = read.get(node.outputs[0] as ValueId)?.find((reader) => reader.op === "Add");
  return next?.inputs.find((input) => builder.constantOf(input));
}

/** The m×d matrix turned into d rows of m. */
function rows(values: Float32Array | Float64Array, m: number, d: number): Float32Array | Float64Array {
  const result = new (values.constructor as Float32ArrayConstructor)(values.length);
  for (let row = 0; row < d; row++) {
    for (let column = 0; column < m; column++) result[row * m + column] = values[column * d + row] as number;
  }
  return result;
}
