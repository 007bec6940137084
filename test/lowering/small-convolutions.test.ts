import { describe, expect, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import { Builder, type AttributeValue } from "../../src/graph/builder.ts";
import type { Graph, ValueId } from "../../src/graph/graph.ts";
import type { Dims } from "../../src/graph/tensor.ts";
import { lower } from "../../src/lowering/lower.ts";
import { normals } from "../sketch.ts";
import { equalsPlain } from "./equal-to-plain.ts";

type Given = Readonly<Record<string, AttributeValue>>;

/** Networks of convolutions whose weights are inputs. */
class Network {
  readonly b = new Builder();
  #weights = 0;

  input(dims: Dims): ValueId {
    return this.b.input("x", "float32", dims);
  }

  weight(dims: Dims): ValueId {
    return this.b.input(`w${this.#weights++}`, "float32", dims);
  }

  conv(x: ValueId, kernels: Dims, given: Given = {}, bias = true): ValueId {
    const inputs = [x, this.weight(kernels), ...(bias ? [this.weight([kernels[0] as number])] : [])];
    return this.b.add("Conv", inputs, given);
  }

  relu(x: ValueId): ValueId {
    return this.b.add("Relu", [x]);
  }

  pool(x: ValueId, tile: Dims = [2, 2], given: Given = {}): ValueId {
    return this.b.add("MaxPool", [x], { kernel_shape: tile, strides: tile, ...given });
  }

  done(...outputs: ValueId[]): Graph {
    return this.b.graph(new Map(outputs.map((output) => [output, output])));
  }
}

function lenet(batch: number): Graph {
  const net = new Network();
  const first = net.pool(net.relu(net.conv(net.input([batch, 3, 16, 14]), [4, 3, 5, 3])));
  const second = net.pool(net.relu(net.conv(first, [5, 4, 3, 3])));
  const flat = net.b.add("Flatten", [second], { axis: 1 });
  return net.done(net.b.add("Gemm", [flat, net.weight([7, net.b.dims(flat)[1] as number])], { transB: 1 }));
}

describe("convolutions with the batch innermost", () => {
  test("of a LeNet, pooled", async () => {
    const operators = await equalsPlain(lenet(9));
    expect(operators).not.toContain("Conv");
    expect(operators).not.toContain("MaxPool");
  });

  test("first of equal maxima", async () => {
    // Small integers: most tiles have several maxima, at zero and above.
    const draw = normals(5);
    const operators = await equalsPlain(lenet(8), () => Math.round(draw()));
    expect(operators).not.toContain("MaxPool");
  });

  test("strides, uneven padding and tiles, edges that no tile covers, no bias, no ReLU", async () => {
    const net = new Network();
    const x = net.input([8, 2, 21, 23]);
    const y = net.pool(net.conv(x, [3, 2, 5, 4], { strides: [2, 1], pads: [1, 0, 2, 3] }, false), [1, 2]);
    const operators = await equalsPlain(net.done(net.conv(y, [2, 3, 1, 1], { strides: [2, 2] })));
    expect(operators).not.toContain("Conv");
    expect(operators).not.toContain("MaxPool");
  });

  test("values read elsewhere keep their layout and their name", async () => {
    const net = new Network();
    const y = net.relu(net.conv(net.input([8, 2, 9, 9]), [3, 2, 3, 3], { auto_pad: "SAME_UPPER" }));
    const pooled = net.pool(y);
    const mean = net.b.add("GlobalAveragePool", [net.b.add("Tanh", [y])]);
    await equalsPlain(net.done(y, pooled, mean));
  });

  test("pools that are no tiles stay", async () => {
    const net = new Network();
    const y = net.conv(net.input([8, 2, 11, 11]), [3, 2, 3, 3]);
    const overlapping = net.pool(y, [3, 3], { strides: [2, 2] });
    const operators = await equalsPlain(net.done(overlapping));
    expect(operators).toContain("MaxPool");
    expect(operators).not.toContain("Conv");
  });

  const stays: readonly [string, Dims, Dims, Given][] = [
    ["groups", [8, 4, 6, 6], [4, 2, 3, 3], { group: 2 }],
    ["dilations", [8, 2, 9, 9], [3, 2, 3, 3], { dilations: [2, 2] }],
    ["many channels", [8, 2, 6, 6], [40, 2, 3, 3], {}],
    ["a small batch", [2, 2, 6, 6], [3, 2, 3, 3], {}],
    ["large maps without maxima", [8, 2, 14, 14], [3, 2, 3, 3], {}],
    ["one axis", [8, 2, 9], [3, 2, 3], {}],
  ];
  test.each(stays)("not for %s", async (_, dims, kernels, given) => {
    const net = new Network();
    expect(await equalsPlain(net.done(net.conv(net.input(dims), kernels, given)))).toContain("Conv");
  });

  test("not on other providers", () => {
    const operators = lower(lenet(9), { provider: "webgpu" }).nodes.map(({ op }) => op);
    expect(operators).toEqual(lenet(9).nodes.map(({ op }) => op));
  });

  test("refuses a shape that is not fixed", () => {
    const graph = lenet(9);
    const inputs = graph.inputs.map((input) => (input.name === "x" ? { ...input, dims: ["N", 3, 16, 14] } : input));
    expect(() => lower({ ...graph, inputs }, { provider: "cpu" })).toThrow(
      new ModelError("input x: expected a fixed shape, got [N, 3, 16, 14]"),
    );
  });
});
