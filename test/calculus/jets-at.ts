import { pushForward } from "../../src/calculus/taylor.ts";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder, type AttributeValue } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { numbersOf, runGraph } from "../graph/running.ts";

/** An operator at a point, with jets of its first input: R directions x' [R, …dims] and one x'' [dims]. */
export interface Point {
  readonly op: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly dims: Dims;
  readonly x: ArrayLike<number>;
  /** The other inputs. */
  readonly constants?: readonly Tensor[];
  readonly first: ArrayLike<number>;
  readonly second?: ArrayLike<number>;
  /** A cotangent of the output, pulled back to x. */
  readonly cotangent?: ArrayLike<number>;
}

/** What our rule makes of a point in float32: y, y', Σ_r y'' and x̄. */
export async function jetsAt(point: Point): Promise<Record<"y" | "first" | "second" | "pulled", number[]>> {
  const { op, attributes = {}, dims, constants = [] } = point;
  const b = new Builder();
  const feeds = new Map<ValueId, Tensor>();
  const input = (name: string, shape: Dims, values: ArrayLike<number>) => {
    feeds.set(name, Tensor.float32(shape, values));
    return b.input(name, "float32", shape);
  };
  const x = input("x", dims, point.x);
  const y = b.add(op, [x, ...constants.map((constant) => b.constant(constant))], attributes);
  const first = input("x'", [point.first.length / count(dims), ...dims], point.first);
  const second = point.second && input("x''", dims, point.second);
  const jet = pushForward(b, new Map([[x, { first, second }]]), [y], 2).get(y);
  const wanted = new Map([["y", y]]);
  if (jet) wanted.set("first", jet.first);
  if (jet?.second !== undefined) wanted.set("second", jet.second);
  if (point.cotangent) {
    const given = input("ȳ", b.dims(y), point.cotangent);
    wanted.set("pulled", pullBack(b, new Map([[y, given]]), [x], 0).get(x) as ValueId);
  }
  const graph = b.graph(wanted);
  const read = new Map([...feeds].filter(([name]) => graph.inputs.some((info) => info.name === name)));
  const values = await runGraph(graph, read);
  const of = (name: string) => (values.has(name) ? numbersOf(values.get(name)!) : []);
  return { y: of("y"), first: of("first"), second: of("second"), pulled: of("pulled") };
}
