import { describe, expect, it, test } from "vitest";
import type { Node } from "../../src/graph/graph.ts";
import { layerName, uniqueNames, withoutSuffix } from "../../src/graph/layer-names.ts";
import { layersAt } from "./applied.ts";
import { w } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

const SCOPES = "pkg.torch.onnx.name_scopes";

/** A MatMul that makes `z`. */
function matMul(name: string, scopes?: string): Node {
  const metadata = scopes === undefined ? undefined : { [SCOPES]: scopes };
  return { ...node("MatMul", ["x", "w"], "z"), name, metadata };
}

const scopes = "['', 'layers.0', 'layers.0.linear', 'linear_1']";

const rules: readonly [string, Node, initializer: string, bias: string | undefined, name: string][] = [
  ["the initializer, without .weight", matMul("/a/MatMul", scopes), "fc1.weight", "fc1.bias", "fc1"],
  ["the initializer, without .kernel", matMul(""), "dense.kernel", undefined, "dense"],
  ["the initializer, whatever else it ends with", matMul(""), "dense/kernel:0", undefined, "dense/kernel:0"],
  ["the initializer's last .weight only", matMul(""), "a.weight.weight", undefined, "a.weight"],
  ["a number is a name where a suffix follows", matMul(""), "0.weight", undefined, "0"],
  ["the innermost scope, for onnx::", matMul("/a/MatMul", scopes), "onnx::MatMul_217", "b.bias", "layers.0.linear"],
  ["the innermost scope, for val_", matMul("", '["", "head", "linear"]'), "val_12", undefined, "head"],
  ["the node's path, for const_fold", matMul("/a/b/MatMul"), "const_fold_opt__3", "c.bias", "a.b"],
  ["the node's path, for a number", matMul("/fc/MatMul"), "217", undefined, "fc"],
  ["the path where the scopes have no module", matMul("/a/MatMul", "['', 'linear']"), "val_1", undefined, "a"],
  ["the path, a list's name said once", matMul("/blocks/blocks.0/qkv/MatMul"), "onnx::1", undefined, "blocks.0.qkv"],
  ["the path, lists in lists", matMul("/l/l.1/l.1.2/MatMul"), "onnx::1", undefined, "l.1.2"],
  ["the path, names that only begin alike", matMul("/fc/fc1/MatMul"), "onnx::1", undefined, "fc.fc1"],
  ["the bias, where the path has no module", matMul("/MatMul"), "onnx::1", "head.bias", "head"],
  ["the bias, where the node has no path", matMul("MatMul_3"), "onnx::1", "head.bias", "head"],
  ["the output, where the bias has no name either", matMul("MatMul_3"), "onnx::1", "onnx::2", "z"],
  ["the output, where nothing has a name", matMul(""), "217", undefined, "z"],
];

describe("a layer is called after", () => {
  test.each(rules)("%s", (_, one, initializer, bias, name) => expect(layerName(one, initializer, bias)).toBe(name));
});

it("an initializer that is nothing but a suffix keeps it", () => {
  expect(withoutSuffix(".weight")).toBe(".weight");
});

describe("names are unique", () => {
  test.each([
    [
      ["a", "b", "a", "a"],
      ["a", "b", "a#2", "a#3"],
    ],
    // A name that a repeated one would get is taken.
    [
      ["a", "a", "a#2"],
      ["a", "a#3", "a#2"],
    ],
    [
      ["a#2", "a", "a"],
      ["a#2", "a", "a#3"],
    ],
    [[], []],
  ])("%j", (given, expected) => expect(uniqueNames(given)).toEqual(expected));
});

describe("the bias of a layer is what the next Add adds", () => {
  const layerOf = (add: Node) => {
    const graph = graphOf(
      { x: ["N", 2], other: ["N", 3] },
      [{ ...node("MatMul", ["x", "onnx::1"], "z"), name: "" }, node("Relu", ["z"], "r"), add],
      { "onnx::1": w(2, 3), "out.bias": w(3) },
    );
    return layersAt(graph, { x: [4, 2], other: [4, 3] }).layers[0]?.name;
  };

  it("on either side", () => {
    expect(layerOf(node("Add", ["z", "out.bias"], "y"))).toBe("out");
    expect(layerOf(node("Add", ["out.bias", "z"], "y"))).toBe("out");
  });

  it("but not what a later one adds, nor something computed", () => {
    expect(layerOf(node("Add", ["r", "out.bias"], "y"))).toBe("z");
    expect(layerOf(node("Add", ["z", "other"], "y"))).toBe("z");
  });
});
