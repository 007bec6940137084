import { ModelError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { instantiate } from "../graph/instantiate.ts";
import { count } from "../graph/tensor.ts";
import type { Labels } from "../losses/loss.ts";
import type { Runtime, SessionOptions } from "../runtime/session.ts";
import { padded } from "./binding.ts";

/** Rows at once. */
const BATCH = 256;

/** A network that gives features their labels. */
export interface Teacher {
  /** @param features [n, m] */
  label(features: Float32Array, n: number): Promise<Labels>;
  close(): Promise<void>;
}

/**
 * Opens a network as the labelling of a feature space: the class of its largest output, or for a regression its outputs.
 *
 * @param m width of the features that it will be given
 * @param classification whether labels are classes
 * @throws ModelError where it does not read one array of m numbers a sample, or its outputs are no labels
 */
export async function openTeacher(
  { graph, file }: { readonly graph: Graph; readonly file: string },
  m: number,
  classification: boolean,
  runtime: Runtime,
  options: SessionOptions,
): Promise<Teacher> {
  const [input, ...others] = graph.inputs;
  const own = input?.dims?.slice(1);
  const fixed = own?.every((size) => typeof size === "number") ? (own as number[]) : [m];
  if (!input || others.length > 0 || count(fixed) !== m) {
    const found = graph.inputs.map(({ name, dims }) => `${name} [${dims?.map((size) => size ?? "?").join(", ")}]`);
    throw new ModelError(
      `${file}: expected a teacher that reads the ${m} features of the layer, this one reads ${found.join(" and ")}`,
    );
  }
  const type = { type: "float32" as const, dims: [BATCH, ...fixed] };
  const { builder } = instantiate(graph, new Map([[input.name, type]]));
  const output = graph.outputs[0]?.name ?? "";
  const given = builder.typeIfKnown(output);
  const width = given && given.dims.length > 0 ? count(given.dims) / BATCH : 0;
  if (!given || given.dims[0] !== BATCH || given.type !== "float32" || (classification && width < 2)) {
    const shape = given ? `${given.type} [${given.dims.join(", ")}]` : "unknown";
    throw new ModelError(
      `${file}: expected ${classification ? "a score for each class" : "a target"} of each sample in float32, its output ${output} is ${shape} for ${BATCH} samples`,
    );
  }
  const session = await runtime.open(builder.graph(new Map([[output, output]])), options);
  return {
    async label(features, n) {
      const scores = new Float32Array(n * width);
      for (let start = 0; start < n; start += BATCH) {
        const rows = Math.min(BATCH, n - start);
        const data = padded(features.subarray(start * m, (start + rows) * m), rows, BATCH);
        const outputs = await session.run(new Map([[input.name, { ...type, data }]]));
        const { data: all } = outputs.get(output) as { data: Float32Array };
        scores.set(all.subarray(0, rows * width), start * width);
      }
      if (!classification) return { type: "float32", dims: [n, width], data: scores };
      return { type: "int32", dims: [n], data: largestOf(scores, width) };
    },
    close: () => session.release(),
  };
}

/** The place of the largest number of each row. */
function largestOf(scores: Float32Array, width: number): Int32Array {
  return new Int32Array(scores.length / width).map((_, row) => {
    let best = 0;
    for (let index = 1; index < width; index++)
      if (scores[row * width + index]! > scores[row * width + best]!) best = index;
    return best;
  });
}
