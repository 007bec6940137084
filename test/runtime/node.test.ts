import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ModelError, UsageError } from "../../src/errors.ts";
import { Builder } from "../../src/graph/builder.ts";
import { DataFiles } from "../../src/graph/external-data/files.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";

const cpu = { provider: "cpu", threads: 1 };

/** y = 2x + 1, and its integer part. */
function graph() {
  const b = new Builder();
  const x = b.input("x", "float32", [2, 2]);
  const y = b.add("Add", [b.add("Mul", [x, b.scalar(2)]), b.scalar(1)]);
  return b.graph(
    new Map([
      ["y", y],
      ["whole", b.add("Cast", [y], { to: 7 })],
    ]),
  );
}

describe("large weights in files", () => {
  const folder = mkdtempSync(join(tmpdir(), "flatness-node-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  /** One weight alone, 64 MB, is as large as what the runtime is made to map. */
  const [rows, columns] = [4096, 4097];

  /** A file of zeros with a one at [row, row + 1] of the weight that begins at `offset`. */
  function stored(name: string, row: number, offset: number): Tensor {
    const file = join(folder, name, "weights.bin");
    mkdirSync(join(folder, name));
    const length = rows * columns * 4;
    const descriptor = openSync(file, "w");
    ftruncateSync(descriptor, offset + length);
    writeSync(descriptor, new Uint8Array(Float32Array.of(1).buffer), 0, 4, offset + 4 * (row * columns + row + 1));
    closeSync(descriptor);
    writeFileSync(join(folder, "model.onnx"), "");
    const source = new DataFiles("model", join(folder, "model.onnx"));
    return new Tensor("float32", [rows, columns], source.at({ file: `${name}/weights.bin`, offset, length }));
  }

  test("in several folders and at places that cannot be mapped are all found", async () => {
    const b = new Builder();
    const x = b.input("x", "float32", [1, rows]);
    const weights = { one: stored("one", 5, 0), two: stored("two", 6, 64), odd: stored("odd", 7, 2) };
    const products = Object.entries(weights).map(
      ([name, tensor]) => [name, b.add("MatMul", [x, b.constant(tensor, `${name}.weight`)])] as const,
    );
    const session = await nodeRuntime.open(b.graph(new Map(products)), cpu);
    const data = Float32Array.from({ length: rows }, (_, index) => index);
    const outputs = await session.run(new Map([["x", { type: "float32", dims: [1, rows], data }]]));
    await session.release();
    for (const [name, row] of [
      ["one", 5],
      ["two", 6],
      ["odd", 7],
    ] as const) {
      const expected = new Float32Array(columns);
      expected[row + 1] = row;
      expect(outputs.get(name)?.data).toEqual(expected);
    }
  });
});

describe("a session", () => {
  test("runs a graph: names, types, dims and values", async () => {
    const session = await nodeRuntime.open(graph(), cpu);
    const data = Float32Array.of(0, 1, -1, 0.25);
    const outputs = await session.run(new Map([["x", { type: "float32", dims: [2, 2], data }]]));
    expect(outputs.get("y")).toEqual({ type: "float32", dims: [2, 2], data: Float32Array.of(1, 3, -1, 1.5) });
    expect(outputs.get("whole")).toEqual({ type: "int64", dims: [2, 2], data: BigInt64Array.of(1n, 3n, -1n, 1n) });
    await session.release();
  });

  test("gives the same bits on every run", async () => {
    const b = new Builder();
    const x = b.input("x", "float32", [8, 300]);
    const w = b.constant(
      Tensor.float32(
        [300, 5],
        Float32Array.from({ length: 1500 }, (_, index) => Math.sin(index)),
      ),
    );
    const session = await nodeRuntime.open(b.graph(new Map([["y", b.add("MatMul", [x, w])]])), {
      provider: "cpu",
      threads: 2,
    });
    const feeds = new Map([
      [
        "x",
        {
          type: "float32" as const,
          dims: [8, 300],
          data: Float32Array.from({ length: 2400 }, (_, index) => Math.cos(index)),
        },
      ],
    ]);
    const [first, second] = [(await session.run(feeds)).get("y")?.data, (await session.run(feeds)).get("y")?.data];
    expect(second).toEqual(first);
    await session.release();
  });

  test("refuses inputs that are not the graph's", async () => {
    const session = await nodeRuntime.open(graph(), cpu);
    const wrong = new Map([["x", { type: "float32" as const, dims: [4], data: new Float32Array(4) }]]);
    await expect(session.run(wrong)).rejects.toThrow(/rank/i);
    await session.release();
  });
});

describe("what cannot be opened", () => {
  test("a provider that this machine does not have", async () => {
    await expect(nodeRuntime.open(graph(), { provider: "quantum", threads: 1 })).rejects.toThrow(
      new UsageError(`provider quantum: not available here; there are ${nodeRuntime.providers.join(", ")}`),
    );
  });

  test("a graph with an operator that nobody knows", async () => {
    const broken = graph();
    const nodes = broken.nodes.map((node) => (node.op === "Mul" ? { ...node, op: "Mule" } : node));
    const opened = nodeRuntime.open({ ...broken, nodes }, cpu);
    await expect(opened).rejects.toThrow(ModelError);
    await expect(opened).rejects.toThrow(/^the runtime refuses the model: .*Mule/);
  });
});

test("the runtime says what it is", () => {
  expect(nodeRuntime.name).toBe("onnxruntime-node");
  expect(nodeRuntime.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(nodeRuntime.providers).toContain("cpu");
  expect(nodeRuntime.cores).toBeGreaterThan(0);
});
