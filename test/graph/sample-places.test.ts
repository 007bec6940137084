import { describe, expect, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { SamplePlaces } from "../../src/graph/sample-places.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { runGraph, w, x } from "./running.ts";
import { B, cases, place, type Case } from "./sample-place-cases.ts";
import { node } from "./small-graph.ts";

function follow({ sample, nodes, constants = {} }: Case) {
  const b = new Builder();
  b.input("x", "float32", [B, ...sample]);
  for (const [name, tensor] of Object.entries(constants)) b.constant(tensor, name);
  const places = new SamplePlaces(b, B);
  places.input("x");
  for (const one of nodes) {
    b.node(one);
    places.follow(one);
  }
  return { b, found: places.of("y") };
}

describe("samples are followed through", () => {
  test.each(cases)("$what", async (one) => {
    const { b, found } = follow(one);
    expect(found).toEqual(one.place);
    if (!found) return;
    // What changes when one sample does is what stands at its place.
    const graph = b.graph(new Map([["result", "y"]]));
    const whole = x(B, ...one.sample);
    const valuesAt = async (changed?: number) => {
      const size = count(one.sample);
      // From 0 to 4, as a table's rows are.
      const data = Float32Array.from(
        whole.numbers(),
        (value, index) => Math.abs(value) + (Math.floor(index / size) === changed ? 2 : 0),
      );
      return (await runGraph(graph, new Map([["x", Tensor.float32([B, ...one.sample], data)]]))).get("result");
    };
    const before = await valuesAt();
    const { axis, inner } = found;
    const dims = before?.dims as Dims;
    const stride = count(dims.slice(axis + 1)) * inner;
    let moved = 0;
    for (let sample = 0; sample < B; sample++) {
      const after = (await valuesAt(sample))?.data as Float32Array;
      after.forEach((value, index) => {
        if (value === before?.data[index]) return;
        moved++;
        expect(Math.floor(index / stride) % B).toBe(sample);
      });
    }
    expect(moved).toBeGreaterThan(0);
  });
});

test("what does not depend on the inputs has no samples", () => {
  const b = new Builder();
  b.input("x", "float32", [B, 3]);
  b.constant(w(B, 3), "w");
  const places = new SamplePlaces(b, B);
  places.input("x");
  for (const one of [node("Exp", ["w"], "e"), node("Shape", ["x"], "s"), node("Mul", ["x", "e"], "y")]) {
    b.node(one);
    places.follow(one);
  }
  expect([places.of("e"), places.of("s"), places.of("y")]).toEqual([undefined, undefined, place(0)]);
});
