import { expect } from "vitest";
import { pushForward } from "../../src/calculus/taylor.ts";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { dot, maximumError } from "../float64-array.ts";
import { valuesOf } from "../run-graph.ts";
import type { RuleCase } from "./rule-check.ts";

/** Two routes in float32 to the same sums of a few hundred products. */
const ROUNDING = 2e-5;

/**
 * Checks that derivatives can be taken of the graph that a rule's pull emits, which hvps and gradients of gradients need:
 * the pull is linear in its cotangent u, so that pulling w back through it is J w; and along x + ε v it changes by D²⟨u, f⟩[v].
 */
export async function checkComposition(given: RuleCase, random: () => number): Promise<void> {
  const b = new Builder();
  const feeds: Record<ValueId, RuntimeArray> = {};
  const fed = (name: string, dims: Dims, values?: Float32Array): ValueId => {
    feeds[name] = { type: "float32", dims, data: values ?? Float32Array.from({ length: count(dims) }, random) };
    return b.input(name, "float32", dims);
  };
  const varying: { id: ValueId; w: ValueId; direction: ValueId; dims: Dims }[] = [];
  const inputs = given.inputs.map((input, index) => {
    if (input === "") return "";
    if (input instanceof Tensor) return b.constant(input, `c${index}`);
    const id = fed(`x${index}`, input.dims, input.values);
    const w = fed(`w${index}`, input.dims);
    varying.push({ id, w, direction: b.add("Reshape", [w, b.integers([1, ...input.dims])]), dims: input.dims });
    return id;
  });
  const [index, outputs] = given.output ?? [0, 1];
  const y = b.addMany(given.op, inputs, given.attributes ?? {}, outputs)[index] as ValueId;
  const u = fed("u", b.dims(y));
  const gradients = pullBack(
    b,
    new Map([[y, u]]),
    varying.map(({ id }) => id),
    0,
  );

  const pulled = varying.flatMap(({ id, w }) => (gradients.has(id) ? [[gradients.get(id)!, w] as const] : []));
  const wanted: Record<string, ValueId> = {};
  const jets = new Map(varying.map(({ id, direction }) => [id, { first: direction }] as const));
  const jet = pushForward(b, jets, [y], 2).get(y);
  if (jet) wanted["Jw"] = jet.first;
  if (jet?.second !== undefined) wanted["second"] = jet.second;
  const back = pullBack(b, new Map(pulled), [u], 0).get(u);
  if (back !== undefined) wanted["JwBack"] = back;
  for (const [gradient, w] of pulled) {
    const change = pushForward(b, jets, [gradient], 1).get(gradient);
    if (change) wanted[`change ${w}`] = change.first;
  }
  const values = await valuesOf(b, wanted, feeds);
  expect(values["Jw"], `${given.op} varies`).toBeDefined();
  expect(maximumError(values["JwBack"]!, values["Jw"]!), "the transpose of the transpose").toBeLessThan(ROUNDING);
  const bent = values["second"] === undefined ? 0 : dot(feeds["u"]!.data as Float32Array, values["second"]);
  const [whole, size] = varying.reduce(
    ([total, terms], { w }) => {
      const change = values[`change ${w}`];
      const direction = feeds[w]!.data as Float32Array;
      if (change === undefined) return [total, terms];
      return [total + dot(direction, change), terms + dot(direction.map(Math.abs), change.map(Math.abs))];
    },
    [0, 1],
  );
  expect(Math.abs(whole - bent) / size, "forward over reverse").toBeLessThan(ROUNDING);
}
