import { attributes } from "../graph/builder.ts";
import { fromNumbers } from "../graph/fold.ts";
import type { Graph, Node, ValueId } from "../graph/graph.ts";
import { int, string } from "../graph/graph.ts";
import { count, type Dims, type Tensor } from "../graph/tensor.ts";
import { replayed } from "./replay.ts";

/** ONNX Runtime's operators on images whose channels stand in blocks, [N, C/B, H, W, B], as wide as the processor's vectors. */
const DOMAIN = "com.microsoft.nchwc";

/** An image of more channels than any processor's B, and two places. */
const probed = [1, 64, 1, 2];

/** Brings the numbers 0, 1, 2, … into blocks: {@link blockOf} reads B from what comes out. */
export const blockProbe = {
  graph: {
    name: "blocks",
    opset: 18,
    domains: new Map([[DOMAIN, 1]]),
    inputs: [{ name: "x", type: "float32", dims: probed }],
    outputs: [{ name: "y", type: "float32", dims: probed }],
    nodes: [{ op: "ReorderInput", domain: DOMAIN, name: "y", inputs: ["x"], outputs: ["y"], attributes: {} }],
    constants: new Map(),
    declared: new Map(),
  } satisfies Graph,
  feeds: new Map([
    ["x", { type: "float32", dims: probed, data: Float32Array.from({ length: count(probed) }, (_, index) => index) }],
  ] as const),
};

/** B, where there are blocks: the second number of the first channel stands behind the first numbers of a block. */
export function blockOf(probed: ArrayLike<number>): number | undefined {
  const place = Array.from(probed).indexOf(1);
  return place > 1 ? place : undefined;
}

/**
 * The graph with its convolutions on blocks of channels, where their kernels are no constants: with constants the runtime does so itself.
 * Images and kernels are brought into blocks before each and out of them behind it. Values are equal up to the order of float32 sums.
 *
 * @param graph of fixed shapes
 * @param block B, channels of a block; convolutions of other numbers of channels stay
 */
export function blockConvolutions(graph: Graph, block: number): Graph {
  const types = replayed(graph);
  const constants = new Map(graph.constants);
  const blocks = new Map<ValueId, ValueId>();
  const nodes = graph.nodes.flatMap((node) => {
    if (!isBlocked(node, block, constants, (value) => types.typeIfKnown(value)?.dims)) return [node];
    const [x = "", w = "", ...bias] = node.inputs;
    const [y = ""] = node.outputs;
    const made: Node[] = [];
    const emit = (name: string, op: string, inputs: readonly ValueId[], given: Node["attributes"], domain = "") => {
      made.push({ op, domain, name, inputs, outputs: [name], attributes: given });
      return name;
    };
    const reshaped = (name: string, value: ValueId, sizes: Dims) => {
      constants.set(`${name} shape`, fromNumbers("int64", [sizes.length], sizes));
      return emit(name, "Reshape", [value, `${name} shape`], {});
    };
    const images = blocks.get(x) ?? emit(`${x}/blocks`, "ReorderInput", [x], {}, DOMAIN);
    blocks.set(x, images);
    // [O, C, kh, kw] as [O/B, C/B, kh, kw, B of C, B of O], under the dims that it had.
    const dims = types.dims(w);
    const [out, inner, tall, wide] = dims as [number, number, number, number];
    const parts = reshaped(`${y}/kernel parts`, w, [out / block, block, inner / block, block, tall, wide]);
    const order = attributes({ perm: [0, 2, 4, 5, 3, 1] });
    const kernels = reshaped(`${y}/kernel`, emit(`${y}/kernel blocks`, "Transpose", [parts], order), dims);
    const output = emit(`${y}/blocks of output`, "Conv", [images, kernels, ...bias], node.attributes, DOMAIN);
    emit(y, "ReorderOutput", [output], attributes({ channels: out }), DOMAIN);
    return made;
  });
  return { ...graph, nodes, constants, domains: new Map([...graph.domains, [DOMAIN, 1]]) };
}

function isBlocked(
  node: Node,
  block: number,
  constants: ReadonlyMap<ValueId, Tensor>,
  dimsOf: (value: ValueId) => Dims | undefined,
): boolean {
  if (node.op !== "Conv" || node.domain !== "" || int(node, "group", 1) !== 1) return false;
  if (string(node, "auto_pad", "NOTSET") !== "NOTSET") return false;
  const [x = "", w = ""] = node.inputs;
  const kernel = dimsOf(w);
  if (constants.has(w) || kernel?.length !== 4 || dimsOf(x)?.length !== 4) return false;
  return kernel.slice(0, 2).every((channels) => channels % block === 0);
}
