import type { Batch, Dataset, Field, NamedArray } from "../data/dataset.ts";
import { DataError, UsageError } from "../errors.ts";
import type { DeclaredDim, Graph, ValueId, ValueInfo, ValueType } from "../graph/graph.ts";
import type { Dims, ElementType, TypedArray } from "../graph/tensor.ts";
import { count } from "../graph/tensor.ts";
import type { RuntimeArray } from "../runtime/session.ts";

/** Which array of the data feeds which input of the model. */
export interface Binding {
  /** The arrays of the data that are used. */
  readonly arrays: readonly string[];
  /** Types of the inputs at a batch size. */
  types(batch: number): Map<ValueId, ValueType>;
  /** The inputs of a batch, converted to the model's element types and padded to `size` by repeating the last sample. */
  feeds(batch: Batch, size: number): Map<ValueId, RuntimeArray>;
}

/**
 * Binds inputs to arrays: as the user says, else by equal names, else the one input to `x`.
 *
 * @param chosen model input → array name, from --input
 * @throws UsageError for names that do not exist, DataError for shapes or types that do not fit
 */
export function bindInputs(graph: Graph, data: Dataset, chosen: Readonly<Record<string, string>> = {}): Binding {
  for (const name of Object.keys(chosen)) {
    if (graph.inputs.some((input) => input.name === name)) continue;
    throw new UsageError(`input ${name}: no such input; the model has ${list(graph.inputs)}`);
  }
  const fields = new Map<ValueId, Field>();
  for (const input of graph.inputs) {
    const wanted = chosen[input.name] ?? (data.fields.some((field) => field.name === input.name) ? input.name : "x");
    const field = data.fields.find((candidate) => candidate.name === wanted);
    if (!field || (graph.inputs.length > 1 && wanted === "x" && input.name !== "x" && !chosen[input.name])) {
      throw new UsageError(
        `input ${input.name}: no array for it in ${data.source}, which has ${list(data.fields)}; use --input ${input.name}=ARRAY`,
      );
    }
    checkShape(input, field, data);
    fields.set(input.name, field);
  }
  const typeOf = (input: ValueInfo): ElementType => input.type ?? fields.get(input.name)?.type ?? "float32";
  return {
    arrays: [...new Set([...fields.values()].map((field) => field.name))],
    types: (batch) =>
      new Map(
        graph.inputs.map((input) => {
          const dims = [batch, ...(fields.get(input.name) as Field).dims];
          return [input.name, { type: typeOf(input), dims }];
        }),
      ),
    feeds: (batch, size) =>
      new Map(
        graph.inputs.map((input) => {
          const field = fields.get(input.name) as Field;
          const array = batch.get(field.name) as NamedArray;
          const data = padded(converted(array, typeOf(input), input.name), array.dims[0] as number, size);
          return [input.name, { type: typeOf(input), dims: [size, ...field.dims], data }];
        }),
      ),
  };
}

function checkShape(input: ValueInfo, field: Field, data: Dataset): void {
  const declared = input.dims?.slice(1);
  if (!declared) return;
  const fits =
    declared.length === field.dims.length &&
    declared.every((size, axis) => typeof size !== "number" || size === field.dims[axis]);
  if (fits) return;
  const wanted = declared.map((size) => size ?? "?").join(", ");
  const steps = fittingSteps(declared, field.dims);
  const hint = steps ? `; --preprocess ${steps} gives it that shape` : "";
  throw new DataError(
    `${data.source}: the model's input ${input.name} expects samples of shape [${wanted}], array ${field.name} has [${field.dims.join(", ")}]${hint}`,
  );
}

/** Steps of --preprocess that make a sample of the shape that the model declares: for an image those that leave it one. */
function fittingSteps(declared: readonly DeclaredDim[], dims: Dims): string | undefined {
  const fixed = declared.filter((size) => typeof size === "number");
  const known = fixed.length === declared.length ? fixed : undefined;
  const three = declared.length === 3 && dims.length === 3;
  const [a, b, c] = dims as [number, number, number];
  if (known && count(known) === count(dims)) {
    if (three && known.join() === [b, c, a].join()) return "layout=nhwc";
    if (three && known.join() === [c, a, b].join()) return "layout=nchw";
    return `shape=${known.join("x")}`;
  }
  if (!three || (a !== 1 && a !== 3)) return undefined;
  for (const layout of ["nchw", "nhwc"]) {
    const [channels, height, width] = layout === "nchw" ? declared : [declared[2], declared[0], declared[1]];
    if (channels !== a && channels !== 1 && !(a === 1 && channels === 3)) continue;
    const steps: string[] = [];
    if (typeof height === "number" && typeof width === "number" && (height !== b || width !== c)) {
      steps.push(`resize=${height}x${width}`);
    }
    if (channels !== a) steps.push(`channels=${channels}`);
    return [...steps, ...(layout === "nhwc" ? ["layout=nhwc"] : [])].join(",");
  }
  return undefined;
}

const integerTypes = new Set<ElementType>([
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
]);

/** An array in the element type that the model reads. Integers become floats; floats never become integers. */
function converted(array: NamedArray, type: ElementType, input: string): TypedArray {
  if (array.type === type) return array.data;
  const { data } = array as { data: ArrayLike<number | bigint> };
  if (type === "float32") return Float32Array.from(data, Number);
  if (type === "float64") return Float64Array.from(data, Number);
  if (integerTypes.has(array.type)) {
    if (type === "int64") return BigInt64Array.from(data, (value) => BigInt(value));
    if (type === "int32") return Int32Array.from(data, Number);
  }
  throw new DataError(`input ${input}: the model expects ${type}, array ${array.name} is ${array.type}`);
}

/** A batch of `n` samples made `size` long by repeating the last: what is computed for the repeats is dropped. */
export function padded<T extends TypedArray>(data: T, n: number, size: number): T {
  if (n === size) return data;
  const sample = data.length / n;
  const longer = new (data.constructor as new (length: number) => T)(sample * size);
  longer.set(data as never);
  const last = data.subarray((n - 1) * sample, n * sample);
  for (let index = n; index < size; index++) longer.set(last as never, index * sample);
  return longer;
}

function list(named: readonly { readonly name: string }[]): string {
  return named.map(({ name }) => name).join(", ");
}
