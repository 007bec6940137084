import { describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import type { Dataset, NamedArray } from "../../src/data/dataset.ts";
import { compilePreprocess } from "../../src/data/preprocess.ts";
import { DataError, UsageError } from "../../src/errors.ts";
import { bindInputs } from "../../src/evaluation/binding.ts";
import type { Graph, ValueInfo } from "../../src/graph/graph.ts";
import type { ElementType, TypedArray } from "../../src/graph/tensor.ts";
import { measureAll, relativeError, rowOf } from "../golden-model.ts";
import { modelOf } from "../sketch-data.ts";
import { normals, Sketch } from "../sketch.ts";

/** The same graph on the same numbers. */
const SAME = 1e-7;

const N = 6;
const normal = normals(61);

function array(name: string, dims: readonly number[], data: TypedArray, type: ElementType): NamedArray {
  return { name, type, dims, data };
}

const floats = (name: string, width: number) =>
  array(name, [N, width], Float32Array.from({ length: N * width }, normal), "float32");
const y = array(
  "y",
  [N],
  BigInt64Array.from({ length: N }, (_, index) => BigInt(index % 3)),
  "int64",
);
const image = floats("image", 4);
const age = floats("age", 2);

function dataset(...arrays: NamedArray[]): Dataset {
  return arrayDataset({ source: "people.npz", sha256: "" }, arrays, { input: arrays[0]!.name });
}

/** Two inputs that meet in a Concat. */
function twoInputs(names: readonly [string, string]): Graph {
  const s = new Sketch(62, [4]);
  const both = s.op("Concat", [...names], { axis: 1 });
  const a = s.op("Relu", [s.op("Gemm", [both, s.rows("a", [5, 6])], { transB: 1 })]);
  const { graph } = s.done(s.op("Gemm", [a, s.rows("b", [3, 5])], { transB: 1 }), 1);
  const inputs: ValueInfo[] = names.map((name, index) => ({ name, type: "float32", dims: ["N", index === 0 ? 4 : 2] }));
  return { ...graph, inputs };
}

/** One input of 4 numbers, of a type. */
function oneInput(type: ElementType = "float32", dims: ValueInfo["dims"] = ["N", 4]): Graph {
  const s = new Sketch(63, [4]);
  const x = type === "float32" ? "x" : s.op("Cast", ["x"], { to: 1 });
  const { graph } = s.done(s.op("Gemm", [x, s.rows("b", [3, 4])], { transB: 1 }), 1);
  return { ...graph, inputs: [{ name: "x", type, dims }] };
}

const kappa = async (graph: Graph, data: Dataset, inputs?: Record<string, string>) =>
  rowOf(await measureAll(modelOf(graph), data, { inputs }), "b", "relative-flatness").value;

describe("several inputs", () => {
  test("by equal names, or as --input says", async () => {
    const byName = await kappa(twoInputs(["image", "age"]), dataset(image, age, y));
    const chosen = await kappa(twoInputs(["pixels", "years"]), dataset(image, age, y), {
      pixels: "image",
      years: "age",
    });
    const half = await kappa(twoInputs(["image", "years"]), dataset(image, age, y), { years: "age" });
    for (const value of [chosen, half]) expect(relativeError(value, byName)).toBeLessThan(SAME);
  });

  test("x is taken for no other of several inputs", async () => {
    const data = dataset({ ...image, name: "x" }, age, y);
    await expect(kappa(twoInputs(["pixels", "age"]), data)).rejects.toThrow(
      new UsageError("input pixels: no array for it in people.npz, which has x, age, y; use --input pixels=ARRAY"),
    );
    expect(await kappa(twoInputs(["pixels", "age"]), data, { pixels: "x" })).toBeGreaterThan(0);
  });

  test("names that do not exist", async () => {
    const data = dataset(image, age, y);
    await expect(kappa(twoInputs(["image", "age"]), data, { picture: "image" })).rejects.toThrow(
      new UsageError("input picture: no such input; the model has image, age"),
    );
    await expect(kappa(twoInputs(["image", "age"]), data, { image: "picture" })).rejects.toThrow(
      new UsageError("input image: no array for it in people.npz, which has image, age, y; use --input image=ARRAY"),
    );
  });
});

describe("the one input", () => {
  test("is x, whatever the model calls it", async () => {
    const graph = oneInput();
    const renamed: Graph = {
      ...graph,
      inputs: [{ ...graph.inputs[0]!, name: "pixel_values" }],
      nodes: graph.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map((name) => (name === "x" ? "pixel_values" : name)),
      })),
    };
    const data = dataset({ ...image, name: "x" }, y);
    expect(relativeError(await kappa(renamed, data), await kappa(graph, data))).toBeLessThan(SAME);
  });

  test.each<[ElementType, TypedArray]>([
    ["uint8", Uint8Array.from({ length: N * 4 }, (_, index) => (index * 37) % 11)],
    ["float64", Float64Array.from({ length: N * 4 }, (_, index) => (index * 37) % 11)],
    ["int64", BigInt64Array.from({ length: N * 4 }, (_, index) => BigInt((index * 37) % 11))],
  ])("of %s becomes what the model reads", async (type, values) => {
    const whole = array("x", [N, 4], Float32Array.from(values as Uint8Array, Number), "float32");
    const expected = await kappa(oneInput(), dataset(whole, y));
    expect(relativeError(await kappa(oneInput(), dataset(array("x", [N, 4], values, type), y)), expected)).toBeLessThan(
      SAME,
    );
  });

  test("integers go into a model of integers, floats do not", async () => {
    const whole = Uint8Array.from({ length: N * 4 }, (_, index) => (index * 37) % 11);
    const expected = await kappa(oneInput(), dataset(array("x", [N, 4], whole, "uint8"), y));
    for (const type of ["int64", "int32", "uint8"] as const) {
      expect(
        relativeError(await kappa(oneInput(type), dataset(array("x", [N, 4], whole, "uint8"), y)), expected),
      ).toBeLessThan(SAME);
    }
    await expect(kappa(oneInput("int64"), dataset({ ...image, name: "x" }, y))).rejects.toThrow(
      new DataError("input x: the model expects int64, array x is float32"),
    );
  });
});

describe("shapes that do not fit", () => {
  const x = { ...image, name: "x" };

  test("another number of elements", async () => {
    await expect(kappa(oneInput("float32", ["N", 5]), dataset(x, y))).rejects.toThrow(
      new DataError("people.npz: the model's input x expects samples of shape [5], array x has [4]"),
    );
  });

  test("the same number of elements: the step that mends it", async () => {
    await expect(kappa(oneInput("float32", ["N", 2, 2]), dataset(x, y))).rejects.toThrow(
      new DataError(
        "people.npz: the model's input x expects samples of shape [2, 2], array x has [4]; --preprocess shape=2x2 gives it that shape",
      ),
    );
  });

  const suggested: [declared: ValueInfo["dims"], sample: number[], steps: string | undefined][] = [
    [["N", 3, 224, 224], [3, 375, 500], "resize=224x224"],
    [["N", 1, 28, 28], [3, 28, 28], "channels=1"],
    [["N", 3, 32, 32], [1, 28, 28], "resize=32x32,channels=3"],
    [["N", 32, 32, 3], [3, 32, 32], "layout=nhwc"],
    [["N", 3, 4, 5], [4, 5, 3], "layout=nchw"],
    [["N", "h", "w", 3], [1, 8, 9], "channels=3,layout=nhwc"],
    [["N", 4, 8, 8], [3, 8, 8], undefined],
    [["N", 5, 8], [3, 8, 8], undefined],
  ];
  test.each(suggested)("a model of %j and images of %j", (declared, sample, steps) => {
    const size = sample.reduce((product, side) => product * side, 1);
    const data = dataset(array("x", [1, ...sample], new Float32Array(size), "float32"), { ...y, dims: [1] });
    const message = expect.stringContaining(
      steps ? `; --preprocess ${steps} gives it that shape` : `[${sample.join(", ")}]`,
    );
    expect(() => bindInputs(oneInput("float32", declared), data)).toThrow(expect.objectContaining({ message }));
    if (!steps) return;
    const { dims } = compilePreprocess(steps, { name: "x", type: "float32", dims: sample });
    expect(declared!.slice(1).every((side, axis) => typeof side !== "number" || side === dims[axis])).toBe(true);
  });

  test("sizes that the model leaves open fit anything", async () => {
    expect(await kappa(oneInput("float32", ["N", "features"]), dataset(x, y))).toBeGreaterThan(0);
    expect(await kappa(oneInput("float32", undefined), dataset(x, y))).toBeGreaterThan(0);
    await expect(kappa(oneInput("float32", ["N", "height", 4]), dataset(x, y))).rejects.toThrow(
      new DataError("people.npz: the model's input x expects samples of shape [height, 4], array x has [4]"),
    );
  });
});

describe("labels", () => {
  const x = { ...image, name: "x" };

  test("of another name", async () => {
    const arrays = [x, { ...y, name: "class" }];
    const renamed = arrayDataset({ source: "people.npz", sha256: "" }, arrays, { labels: "class" });
    await expect(kappa(oneInput(), renamed)).rejects.toThrow(
      new DataError("people.npz: no labels: expected an array y, found x, class"),
    );
    const measured = await measureAll(modelOf(oneInput()), renamed, { labels: "class" });
    const expected = await kappa(oneInput(), dataset(x, y));
    expect(relativeError(rowOf(measured, "b", "relative-flatness").value, expected)).toBeLessThan(SAME);
  });

  test("integers mean cross-entropy, floats squared errors, unless said otherwise", async () => {
    const kind = async (labels: NamedArray, loss?: string) =>
      (await measureAll(modelOf(oneInput()), dataset(x, labels), { loss })).result.loss.kind;
    const numbers = floats("y", 3);
    expect(await kind(y)).toBe("cross-entropy");
    expect(await kind(numbers)).toBe("squared-error-mean");
    expect(await kind(numbers, "squared-error-sum")).toBe("squared-error-sum");
    const whole = array(
      "y",
      [N],
      Float32Array.from({ length: N }, (_, index) => index % 3),
      "float32",
    );
    expect(await kind(whole, "cross-entropy")).toBe("cross-entropy");
  });

  test("a wrong one is found, named by its number in the data", async () => {
    const labels = array("y", [N], BigInt64Array.of(0n, 1n, 2n, 0n, 3n, 1n), "int64");
    await expect(measureAll(modelOf(oneInput()), dataset(x, labels), {}, Int32Array.of(5, 4))).rejects.toThrow(
      new DataError("labels: sample 4 has label 3; expected an integer from 0 to 2, as the model has 3 outputs"),
    );
  });
});
