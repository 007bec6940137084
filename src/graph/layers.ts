import type { Builder } from "./builder.ts";
import type { Node, ValueId } from "./graph.ts";
import { consumers, int, producers } from "./graph.ts";
import { layerName, uniqueNames } from "./layer-names.ts";
import { count } from "./tensor.ts";
import { afterMove, transposed, weightOf, type Weight } from "./weights.ts";

/** How a node applies W to its features. */
export type UseKind =
  /** z = φ Wᵀ: features are the last axis, positions the axes between. */
  | "dense"
  /** z = W φ: features are the last axis but one. */
  | "dense-left"
  | "convolution"
  | "transposed-convolution"
  /** z = the column of W at a token: features are rows with a one, positions the axes of the indices. */
  | "embedding";

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
  /** Where features are taken over these numbers: the layer of φ/σ and Wσ, which matrix() gives. Absent else. */
  readonly scaling?: FeatureScaling;
  /** W row-major, d rows of m, as the layer applies it. */
  matrix(): Float32Array | Float64Array;
  /** Where in the initializer each element of the matrix stands. */
  places(): Int32Array;
}

/** What the features of a layer are divided by, and its weights multiplied with: the function stays. */
export interface FeatureScaling {
  /** σ of each feature; of a convolution each input channel. A feature whose σ is 0 drops out, and its column of W with it. */
  readonly scales: Float64Array;
  /** The layer as the model has it. */
  readonly of: Layer;
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

/** Uses of these kinds may be one layer: the same matrix on features of the same sort. */
const kindOfTie: Readonly<Record<UseKind, string>> = {
  dense: "dense",
  "dense-left": "dense",
  convolution: "convolution",
  "transposed-convolution": "transposed-convolution",
  embedding: "embedding",
};

/** The weight-carrying layers of an instantiated model, in graph order. */
export function findLayers(builder: Builder): Layer[] {
  const made = producers(builder.nodes);
  const found = builder.nodes.flatMap((node) => find(builder, made, node) ?? []);
  // Uses of one weight as the same matrix are one layer, however it is written: Gemm with transB, or a Transpose and MatMul.
  const tied = new Map<string, Found[]>();
  for (const use of found) {
    const { root, d, m, groups, transposed } = use;
    const moves = transposed ? afterMove(root.moves, [m, d], [1, 0]) : root.moves;
    const key = JSON.stringify([root.initializer, d, m, groups, moves, kindOfTie[use.kind]]);
    tied.set(key, [...(tied.get(key) ?? []), use]);
  }
  const groups = [...tied.values()];
  const read = consumers(builder.nodes);
  const names = uniqueNames(
    groups.map(([first]) => {
      const { node, root } = first as Found;
      return layerName(node, root.initializer, biasName(builder, made, read, node));
    }),
  );
  return groups.map((uses, index) => {
    const first = uses[0] as Found;
    const { d, m, groups: blocks, root, weight } = first;
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
      matrix: () => inRows(first, root.values()),
      places: () => Int32Array.from(inRows(first, root.places())),
    };
  });
}

/** The elements of a weight, as it is stored, in d rows of m. */
function inRows({ kind, root, d, m, groups, transposed: turned }: Found, values: Float32Array | Float64Array) {
  if (kind !== "transposed-convolution") return turned ? transposed(values, [m, d], [1, 0]) : values;
  // Stored as (in, out/g, kernel): the rows of a group are its outputs, the columns its inputs at each place of the kernel.
  const [inputs, outputs, ...kernel] = root.dims as [number, number, ...number[]];
  return transposed(values, [groups, inputs / groups, outputs, count(kernel)], [0, 2, 1, 3]);
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
  if (node.op === "ConvTranspose") {
    const root = weightOf(builder, made, right);
    if (!root || isConstant(builder, made, left)) return undefined;
    const groups = int(node, "group", 1);
    const [inputs, outputs, ...kernel] = root.dims as [number, number, ...number[]];
    const [d, m] = [outputs * groups, (inputs / groups) * count(kernel)];
    const shared = { node, preactivation, scale: 1, positions: count(output.slice(2)), transposed: false };
    return { ...shared, kind: "transposed-convolution", features: left, weight: right, root, d, m, groups };
  }
  if (node.op === "Gather") {
    const root = weightOf(builder, made, left);
    const indices = builder.typeIfKnown(right);
    const table = root?.dims.length === 2 && int(node, "axis", 0) === 0;
    if (!root || !table || !indices || indices.dims.length === 0 || builder.constantOf(right)) return undefined;
    const [m, d] = root.dims as [number, number];
    const shared = {
      node,
      preactivation,
      scale: 1,
      groups: 1,
      positions: count(indices.dims.slice(1)),
      transposed: true,
    };
    return { ...shared, kind: "embedding", features: right, weight: left, root, d, m };
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

const rearranging = new Set(["Reshape", "Transpose", "Identity", "Squeeze", "Unsqueeze"]);

/** The name of the constant that a node itself adds to its product, or the next Add behind what only rearranges it. */
function biasName(
  builder: Builder,
  made: ReadonlyMap<ValueId, Node>,
  read: ReadonlyMap<ValueId, Node[]>,
  node: Node,
): ValueId | undefined {
  let readers = read.get(node.outputs[0] as ValueId) ?? [];
  while (readers.length === 1 && rearranging.has((readers[0] as Node).op)) {
    readers = read.get((readers[0] as Node).outputs[0] as ValueId) ?? [];
  }
  const own = node.op === "MatMul" || node.op === "Gather" ? [] : node.inputs.slice(2, 3);
  for (const value of [...own, ...(readers.find(({ op }) => op === "Add")?.inputs ?? [])]) {
    const constant = weightOf(builder, made, value);
    // Of equal biases one is kept, and Identity has the names of the others.
    if (constant) return made.get(value)?.op === "Identity" ? value : constant.initializer;
  }
  return undefined;
}
