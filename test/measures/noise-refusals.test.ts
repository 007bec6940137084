import { expect, test } from "vitest";
import { Tensor } from "../../src/graph/tensor.ts";
import { measureAll, relativeError } from "../golden-model.ts";
import { datasetOf, measureSketch, modelOf } from "../sketch-data.ts";
import { Sketch } from "../sketch.ts";

/** The same float32 products. */
const TYPICAL = 1e-5;

test("noise is refused on weights that are not float32, and the rest is measured", async () => {
  const s = new Sketch(95, [3]);
  const net = s.done(s.op("Gemm", ["x", s.rows("c", [3, 3])], { transB: 1 }), 12);
  // The same weights as float64 with a Cast behind.
  const name = [...net.graph.constants.keys()].find((key) => net.graph.constants.get(key)!.dims.length === 2)!;
  const weights = net.graph.constants.get(name)!;
  const wide = Tensor.of("float64", weights.dims, Float64Array.from(weights.numbers()));
  const cast = {
    op: "Cast",
    domain: "",
    name: "narrow",
    outputs: ["narrow"],
    attributes: { to: { kind: "int", value: 1 } },
  };
  const [node, ...rest] = net.graph.nodes;
  const graph = {
    ...net.graph,
    constants: new Map([...net.graph.constants, [name, wide]]),
    nodes: [
      { ...cast, inputs: [name] } as (typeof net.graph.nodes)[number],
      { ...node!, inputs: node!.inputs.map((input) => (input === name ? "narrow" : input)) },
      ...rest,
    ],
  };
  const measures = ["relative-flatness", "pac-bayes-flatness", "pac-bayes-bound"];
  const options = { loss: "cross-entropy", measures };
  const [{ result }, plain] = [
    await measureAll(modelOf(graph), datasetOf(net, "cross-entropy"), options),
    await measureSketch(net, "cross-entropy", { ...options, measures: ["relative-flatness"] }),
  ];
  expect(result.results.map(({ measure }) => measure)).toEqual(["relative-flatness"]);
  expect(relativeError(result.results[0]!.value, plain.result.results[0]!.value)).toBeLessThan(TYPICAL);
  const reason = `noise is put on weights in float32, ${name} is float64`;
  expect(result.skipped).toEqual(measures.slice(1).map((measure) => ({ measure, reason })));
});
