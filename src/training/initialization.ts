import type { ValueId } from "../graph/graph.ts";
import { count, Tensor } from "../graph/tensor.ts";
import { RandomStream } from "../statistics/random.ts";
import type { Trainable } from "./parameters.ts";
import type { Recipe } from "./recipe.ts";

type Settings = Recipe["initialization"];

/** The deviation that makes a normal or a uniform distribution of a scheme, for layers that a ReLU follows. */
const deviations = {
  xavier: ({ fanIn, fanOut }: Trainable) => Math.sqrt(2 / (fanIn + fanOut)),
  kaiming: ({ fanIn }: Trainable) => Math.sqrt(2 / fanIn),
};

/**
 * Initial values of the parameters, a stream of random numbers each: Xavier (Glorot and Bengio 2010, variance 2/(fan-in + fan-out)),
 * Kaiming (He et al. 2015, variance 2/fan-in), orthogonal (Saxe et al. 2014), and `torch`, the default of PyTorch's Linear and Conv:
 * uniform on ±1/√fan-in for weights and biases. Normalizations begin with scale 1 and shift 0; embeddings are normal with deviation
 * 0.02.
 */
export function initialized(
  trainable: readonly Trainable[],
  { name, scale }: Settings,
  seed: number,
): Map<ValueId, Tensor> {
  return new Map(
    trainable.map((parameter) => {
      const stream = new RandomStream(seed, `initialization of ${parameter.name}`);
      const values = new Float32Array(count(parameter.dims));
      fill(values, parameter, name, stream);
      if (parameter.kind !== "scale") values.forEach((value, index) => (values[index] = value * scale));
      return [parameter.name, Tensor.float32(parameter.dims, values)];
    }),
  );
}

const EMBEDDING_DEVIATION = 0.02;

function fill(values: Float32Array, parameter: Trainable, name: Settings["name"], stream: RandomStream): void {
  const { kind, fanIn } = parameter;
  const draw = (next: () => number) => values.forEach((_, index) => (values[index] = next()));
  const uniform = (bound: number) => draw(() => bound * (2 * stream.uniform() - 1));
  const normal = (deviation: number) => draw(() => deviation * stream.normal());
  if (kind === "scale") return void values.fill(1);
  if (kind === "shift") return;
  if (kind === "embedding") return normal(EMBEDDING_DEVIATION);
  if (name === "torch") return uniform(1 / Math.sqrt(fanIn));
  if (kind === "bias") return;
  if (name === "orthogonal") return orthogonal(values, parameter, stream);
  const [scheme, distribution] = name.split("-") as [keyof typeof deviations, "normal" | "uniform"];
  const deviation = deviations[scheme](parameter);
  if (distribution === "normal") normal(deviation);
  else uniform(Math.sqrt(3) * deviation);
}

/** Rows, or columns where there are fewer, orthonormal: Gram and Schmidt on normal vectors, twice, in float64. */
function orthogonal(values: Float32Array, { dims }: Trainable, stream: RandomStream): void {
  const rows = dims[0] as number;
  const columns = values.length / rows;
  const [vectors, length] = rows <= columns ? [rows, columns] : [columns, rows];
  const basis: Float64Array[] = [];
  for (let index = 0; index < vectors; index++) {
    const vector = Float64Array.from({ length }, () => stream.normal());
    for (const known of [...basis, ...basis]) {
      const along = known.reduce((sum, value, place) => sum + value * (vector[place] as number), 0);
      known.forEach((value, place) => (vector[place] = (vector[place] as number) - along * value));
    }
    const norm = Math.hypot(...vector);
    basis.push(vector.map((value) => value / norm));
  }
  for (const [index, vector] of basis.entries()) {
    vector.forEach((value, place) => {
      const [row, column] = rows <= columns ? [index, place] : [place, index];
      values[row * columns + column] = value;
    });
  }
}
