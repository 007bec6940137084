import { describe, expect, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { optimizerOf } from "../../src/training/optimizers.ts";
import { type Recipe, recipeSchema } from "../../src/training/recipe.ts";
import { float32Array } from "../run-graph.ts";

/** Rounding of a float32 chain of a dozen operations on values of order 1. */
const TOLERANCE = 2e-6;
const start = [1, -2, 0.5];
const gradients = [
  [0.1, -0.2, 0.3],
  [-0.3, 0.1, 0.2],
  [0.2, 0.4, -0.1],
];
const learningRate = 0.1;

/** Three steps with the gradients above: weights after each. */
async function steps(settings: unknown): Promise<number[][]> {
  const { optimizer: resolved } = recipeSchema.parse({
    model: { name: "mlp" },
    data: { source: "example:digits" },
    optimizer: settings,
  }) as Recipe;
  const optimizer = optimizerOf(resolved);
  const b = new Builder();
  const input = (name: string, dims: number[]) => b.input(name, "float32", dims);
  const [weights, gradient] = [input("w", [3]), input("g", [3])];
  const slots = new Map(optimizer.slots.map((slot) => [slot, input(`slot ${slot}`, [3])]));
  const numbers = new Map(optimizer.numbers.map((number) => [number, input(`number ${number}`, [])]));
  const slot = (name: string) => slots.get(name)!;
  const number = (name: string) => numbers.get(name)!;
  const updated = optimizer.update(b, { weights, gradient, slot, number });
  const outputs = new Map([
    ["w'", updated.weights],
    ...Object.entries(updated.slots).map(([name, value]) => [`new ${name}`, value] as const),
  ]);
  const session = await nodeRuntime.open(b.graph(outputs), { provider: "cpu", threads: 1 });
  const vector = (data: ArrayLike<number>, dims: number[]) => float32Array({ dims, data: Float64Array.from(data) });
  let w: ArrayLike<number> = start;
  const kept = new Map(optimizer.slots.map((name) => [name, [0, 0, 0] as ArrayLike<number>]));
  const seen: number[][] = [];
  for (const [index, g] of gradients.entries()) {
    const at = optimizer.numbersAt(index + 1, learningRate);
    const feeds = new Map([
      ["w", vector(w, [3])],
      ["g", vector(g, [3])],
      ...[...kept].map(([name, data]) => [`slot ${name}`, vector(data, [3])] as const),
      ...optimizer.numbers.map((name) => [`number ${name}`, vector([at[name]!], [])] as const),
    ]);
    const found = await session.run(feeds);
    w = found.get("w'")!.data as Float32Array;
    for (const name of kept.keys()) kept.set(name, found.get(`new ${name}`)!.data as Float32Array);
    seen.push(Array.from(w));
  }
  await session.release();
  return seen;
}

/** The rule written down for one number in float64. */
type Rule = (w: number, g: number, memory: { a: number; b: number }, t: number) => number;

function byHand(rule: Rule): number[][] {
  const memories = start.map(() => ({ a: 0, b: 0 }));
  let w = start;
  return gradients.map((g, step) => (w = w.map((value, index) => rule(value, g[index]!, memories[index]!, step + 1))));
}

function momentum(w: number, g: number, memory: { a: number }): number {
  memory.a = 0.9 * memory.a + g;
  return w - learningRate * memory.a;
}

function adam(decoupled: boolean, decay: number): Rule {
  return (w, gradient, memory, t) => {
    const g = decoupled ? gradient : gradient + decay * w;
    const from = decoupled ? w * (1 - learningRate * decay) : w;
    memory.a = 0.9 * memory.a + 0.1 * g;
    memory.b = 0.999 * memory.b + 0.001 * g * g;
    const [m, v] = [memory.a / (1 - 0.9 ** t), memory.b / (1 - 0.999 ** t)];
    return from - (learningRate * m) / (Math.sqrt(v) + 1e-8);
  };
}

const cases: readonly (readonly [name: string, settings: object, rule: Rule])[] = [
  ["sgd", { name: "sgd" }, (w, g) => w - learningRate * g],
  ["sgd with decay", { name: "sgd", weightDecay: 0.01 }, (w, g) => w - learningRate * (g + 0.01 * w)],
  ["momentum", { name: "sgd", momentum: 0.9 }, momentum],
  [
    "nesterov",
    { name: "sgd", momentum: 0.9, nesterov: true },
    (w, g, memory) => {
      memory.a = 0.9 * memory.a + g;
      return w - learningRate * (g + 0.9 * memory.a);
    },
  ],
  ["adam", { name: "adam" }, adam(false, 0)],
  ["adam with decay", { name: "adam", weightDecay: 0.1 }, adam(false, 0.1)],
  ["adamw", { name: "adamw", weightDecay: 0.1 }, adam(true, 0.1)],
  [
    "rmsprop",
    { name: "rmsprop", momentum: 0.9 },
    (w, g, memory) => {
      memory.b = 0.99 * memory.b + 0.01 * g * g;
      memory.a = 0.9 * memory.a + g / (Math.sqrt(memory.b) + 1e-8);
      return w - learningRate * memory.a;
    },
  ],
];

describe("optimizers take the steps of their rules", () => {
  test.each(cases)("%s", async (_, settings, rule) => {
    const found = await steps({ ...settings, learningRate });
    for (const [step, weights] of byHand(rule).entries()) {
      for (const [index, value] of weights.entries()) {
        expect(Math.abs(found[step]![index]! - value)).toBeLessThan(TOLERANCE * Math.max(1, Math.abs(value)));
      }
    }
  });

  test("plain steps by hand", async () => {
    const [first, second, third] = await steps({ name: "sgd", learningRate, momentum: 0.9 });
    // v = 0.1, −0.21, 0.011: w = 1 − 0.01, + 0.021, − 0.0011.
    expect(first![0]).toBeCloseTo(0.99, 6);
    expect(second![0]).toBeCloseTo(1.011, 6);
    expect(third![0]).toBeCloseTo(1.0099, 6);
  });
});
