import { describe, expect, it, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { elementTypes } from "../../src/graph/onnx-tensors.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { foldedCases } from "./cases/folded.ts";
import type { Case } from "./one-node.ts";
import { fixed, infer, label, list, oneNode, runNode } from "./one-node.ts";
import { distance, numbersOf, tensor, x } from "./running.ts";

/** The runtime computes Pow and Range in float32, we in float64 rounded once: a unit in the last place of 4. */
const ROUNDING = 2 ** -21;

describe("folded constants are what the runtime computes", () => {
  test.each(foldedCases.map(oneNode).map((row) => [label(row), row] as const))("%s", async (_, row) => {
    const { folded } = infer(row);
    const [expected] = await runNode(row);
    if (!folded || !expected) throw new Error("nothing was folded");
    expect(folded.type).toBe(expected.type);
    expect(folded.dims).toEqual(expected.dims);
    if (expected.type.startsWith("float")) {
      // Infinities have no distance.
      const finite = (values: number[]) => values.map((value) => Math.min(Math.max(value, -1e9), 1e9));
      expect(distance(finite([...folded.numbers()]), finite(numbersOf(expected)))).toBeLessThanOrEqual(ROUNDING);
    } else expect(folded.data).toEqual(expected.data);
  });
});

describe("what is left to the runtime", () => {
  const vector = (size: number) => fixed(Tensor.float32([size], new Float32Array(size)));
  const left: readonly [string, Case][] = [
    ["more than eight floats", ["Neg", [vector(9)]]],
    ["a matrix of floats, however small", ["Transpose", [fixed(Tensor.float32([1, 2], [3, 4]))]]],
    [
      "more than 4096 integers",
      [
        "Neg",
        [
          fixed(
            tensor(
              "int64",
              [4097],
              Array.from({ length: 4097 }, () => 1),
            ),
          ),
        ],
      ],
    ],
    ["a large constant", ["ConstantOfShape", [list(3, 3)]]],
    ["many integers from few", ["Expand", [list(1), list(4097)]]],
    ["half precision", ["Cast", [list(2)], { to: elementTypes.indexOf("float16") }]],
    ["an operator that is no shape arithmetic", ["Exp", [fixed(Tensor.float32([], [1]))]]],
    ["a sum along one of two axes", ["ReduceSum", [fixed(tensor("int64", [2, 2], [1, 2, 3, 4])), list(0)]]],
    ["an integer divided by zero", ["Div", [list(1, 2), list(1, 0)]]],
    ["a remainder of zero", ["Mod", [list(1), list(0)]]],
    ["a place outside the data", ["Gather", [list(1, 2), list(2)]]],
    ["the largest of nothing", ["ReduceMax", [list(), list(0)], { keepdims: 0 }]],
    ["the whole part of infinity", ["Cast", [fixed(Tensor.float32([], [Infinity]))], { to: 7 }]],
    ["something fed", ["Neg", [x(2)]]],
  ];

  test.each(left)("%s", (_, row) => expect(infer(oneNode(row)).folded).toBeUndefined());

  it("an operator of another domain", () => {
    const b = new Builder();
    const plain = { op: "Neg", inputs: [b.integers([1])], outputs: ["y"], attributes: {}, name: "" };
    b.node({ ...plain, domain: "com.example" });
    expect(b.constantOf("y")).toBeUndefined();
    expect(b.nodes).toHaveLength(1);
  });
});

it("a chain of shape arithmetic is one constant", () => {
  const b = new Builder();
  const input = b.input("x", "float32", [4, 6, 10]);
  // [x.shape[0], x.shape[-1] / 2 · 3], as exporters write it.
  const shape = b.add("Shape", [input]);
  const first = b.add("Gather", [shape, b.integers([0])]);
  const last = b.add("Gather", [shape, b.integers([-1])]);
  const half = b.add("Div", [last, b.integers([2])]);
  const target = b.add("Concat", [first, b.add("Mul", [half, b.integers([3])])], { axis: 0 });
  expect(b.constantOf(target)?.data).toEqual(BigInt64Array.of(4n, 15n));
  expect(b.nodes).toEqual([]);
});

it("the division of attention is folded: 1 / √(last size)", () => {
  const b = new Builder();
  const width = b.add("Gather", [b.add("Shape", [b.input("x", "float32", [2, 16])]), b.constant(Tensor.int64(-1))]);
  const scale = b.add("Div", [b.scalar(1), b.add("Sqrt", [b.add("Cast", [width], { to: 1 })])]);
  expect(b.constantOf(scale)?.data).toEqual(Float32Array.of(0.25));
});
