import type { Node } from "../graph.ts";
import { string } from "../graph.ts";
import { filled } from "./filled.ts";
import type { Rewriting } from "./rewriting.ts";

/** ½x·(1 + erf(x/√2)), or with `approximate: tanh` ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))). */
export function gelu(node: Node, rewriting: Rewriting): Node[] {
  const [x = ""] = node.inputs;
  const type = rewriting.floatType(x);
  const number = (role: string, value: number) => rewriting.constant(node, role, filled(type, [], value));
  const expansion = rewriting.expansion(node);
  const curve = () => {
    if (string(node, "approximate", "none") !== "tanh") {
      return expansion.add("Erf", [expansion.add("Div", [x, number("root", Math.SQRT2)])]);
    }
    const cube = expansion.add("Mul", [expansion.add("Mul", [x, x]), x]);
    const sum = expansion.add("Add", [x, expansion.add("Mul", [cube, number("cubic", 0.044715)])]);
    return expansion.add("Tanh", [expansion.add("Mul", [sum, number("root", Math.sqrt(2 / Math.PI))])]);
  };
  const twice = expansion.add("Mul", [x, expansion.add("Add", [curve(), number("one", 1)])]);
  return expansion.end("Mul", [twice, number("half", 0.5)]);
}
