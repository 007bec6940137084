import { describe, expect, it } from "vitest";
import type { Attributes, Node } from "../../src/graph/graph.ts";
import { convertOpset } from "../../src/graph/opset.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import type { Case } from "./opset-case.ts";
import { difference, float, floats, graphOf, grid, info, run, statistics } from "./opset-case.ts";
import { waves } from "./running.ts";

describe("a converted node", () => {
  const node: Node = {
    op: "Squeeze",
    domain: "",
    name: "n",
    inputs: ["x"],
    outputs: ["y0"],
    attributes: { axes: { kind: "ints", value: [0] } },
    metadata: { scope: "net.squeeze" },
    source: {},
  };
  const base = graphOf({ op: "Squeeze", opset: 11, dims: [1, 3] });

  it("keeps name, outputs and metadata, and loses the message it was read from", () => {
    const [converted] = convertOpset({ ...base, nodes: [node] }).nodes;
    expect(converted).toEqual({ ...node, inputs: ["x", "n/axes"], attributes: {}, source: undefined });
  });

  it("gives its name, outputs and metadata to the last of several", () => {
    const gelu = { ...node, op: "Gelu", attributes: {} };
    const { nodes } = convertOpset({ ...base, opset: 20, nodes: [gelu] });
    expect(nodes.map(({ name }) => name)).toEqual(["n/Div", "n/Erf", "n/Add", "n/Mul", "n"]);
    expect(nodes.at(-1)?.outputs).toEqual(["y0"]);
    expect(nodes.every(({ metadata, source }) => metadata === node.metadata && !source)).toBe(true);
  });

  it("reads constants whose names collide with nothing", () => {
    const taken = new Map([["n/axes", floats(1)]]);
    const declared = new Map([["n/axes_1", info("n/axes_1", "float32", [1])]]);
    const again = { ...node, outputs: ["y1"] };
    const { constants, nodes } = convertOpset({ ...base, nodes: [node, again], constants: taken, declared });
    expect([...constants.keys()]).toEqual(["n/axes", "n/axes_2", "n/axes_3"]);
    expect(nodes.map(({ inputs }) => inputs[1])).toEqual(["n/axes_2", "n/axes_3"]);
    expect([...taken.keys()]).toEqual(["n/axes"]);
  });

  it("without a name is called after what it makes", () => {
    const [converted] = convertOpset({ ...base, nodes: [{ ...node, name: "" }] }).nodes;
    expect(converted?.inputs).toEqual(["x", "y0/axes"]);
  });

  it("of another domain is none", () => {
    const foreign = { ...node, domain: "com.example" };
    expect(convertOpset({ ...base, nodes: [foreign] }).nodes[0]).toBe(foreign);
  });

  it("loses statistics of training that nobody reads, and normalizes with those of the model", async () => {
    const row: Case = { op: "BatchNormalization", opset: 9, dims: [2, 3], others: statistics };
    const five = graphOf({ ...row, outputs: 5 });
    const converted = convertOpset({ ...five, outputs: five.outputs.slice(0, 1) });
    expect(converted.nodes[0]?.outputs).toEqual(["y0"]);
    const [[actual], [expected]] = [await run(converted, waves(6), [2, 3]), await run(graphOf(row), waves(6), [2, 3])];
    expect(difference(actual, expected)).toBe(0);
  });

  it("gets constants of the float type that the value has that it comes from", () => {
    const scale = Tensor.of("float16", [], Uint16Array.of(0x3c00));
    const multiply: Node = { ...node, op: "Mul", name: "m", inputs: ["w", "x"], outputs: ["h"], attributes: {} };
    const attributes: Attributes = { min: float(-0.1), max: float(6) };
    const clip: Node = { ...node, op: "Clip", inputs: ["h"], attributes };
    const graph = convertOpset({ ...base, opset: 10, nodes: [multiply, clip], constants: new Map([["w", scale]]) });
    expect(graph.constants.get("n/max")?.type).toBe("float16");
    expect(graph.constants.get("n/max")?.numbers()).toEqual(Float32Array.of(6));
    // The half-precision number nearest to −0.1.
    expect(graph.constants.get("n/min")?.data).toEqual(Uint16Array.of(0xae66));
  });

  it("knows that the output of Gemm has two axes", () => {
    const gemm: Node = { ...node, op: "Gemm", name: "g", inputs: ["x", "w"], outputs: ["h"], attributes: {} };
    const soft: Node = { ...node, op: "Softmax", inputs: ["h"], attributes: {} };
    const constants = new Map([["w", grid(3, 2)]]);
    const { nodes } = convertOpset({
      ...base,
      outputs: [info("y0", "float32", undefined)],
      nodes: [gemm, soft],
      constants,
    });
    expect(nodes[1]?.attributes).toEqual({ axis: { kind: "int", value: 1 } });
  });
});
