import { attributes } from "../graph/builder.ts";
import { ints, makersOf, type Graph, type Node, type ValueId } from "../graph/graph.ts";
import { Matching } from "../graph/matching.ts";

/** ONNX Runtime's own operators. */
const DOMAIN = "com.microsoft";

/**
 * A graph in which products read a right operand as it stands that was transposed for them, and before that for others, as the heads of
 * attention are: the runtime alone would make one transposition of the two and copy the operand once more.
 */
export function readTurned(graph: Graph): Graph {
  const matching = new Matching(graph);
  let found = false;
  const nodes = graph.nodes.map((node): Node => {
    const operand = node.op === "MatMul" && node.domain === "" ? untransposed(matching, node.inputs[1]) : undefined;
    if (operand === undefined) return node;
    found = true;
    const inputs = [node.inputs[0] as ValueId, operand];
    return { ...node, op: "FusedMatMul", domain: DOMAIN, inputs, attributes: attributes({ transB: 1 }) };
  });
  if (!found) return graph;
  const outputs = graph.outputs.map(({ name }) => name);
  return { ...graph, nodes: makersOf(nodes, outputs).nodes, domains: new Map([...graph.domains, [DOMAIN, 1]]) };
}

/** What a transposition swaps the last two axes of, if it is one of another transposition. */
function untransposed(matching: Matching, value: ValueId | undefined): ValueId | undefined {
  const transposition = matching.maker(value, "Transpose");
  const before = matching.maker(transposition?.inputs[0], "Transpose");
  const order = transposition && ints(transposition, "perm");
  const last = (order?.length ?? 0) - 1;
  const swaps = order?.every((axis, place) => axis === (place < last - 1 ? place : 2 * last - 1 - place));
  return before && swaps ? transposition?.inputs[0] : undefined;
}
