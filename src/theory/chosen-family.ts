import type { NamedArray } from "../data/dataset.ts";
import { UsageError } from "../errors.ts";
import {
  covarianceFamily,
  type FeatureFamily,
  kernelFamily,
  neuronFamily,
  orthogonalFamily,
} from "./feature-family.ts";
import { directionMatrix, givenMatrix } from "./feature-matrix.ts";

/** Which matrices move features: a distribution, the projections onto each neuron, or those of a file. */
export type FamilyChoice =
  | { readonly kind: "orthogonal" | "neurons" }
  | { readonly kind: "kernel"; readonly sigma: number }
  /** An array from a file: directions [k, m] or [m], matrices [m, m] or [k, m, m], a covariance [m, m]. */
  | {
      readonly kind: "directions" | "matrix" | "covariance";
      readonly file: string;
      readonly array: Pick<NamedArray, "dims" | "data">;
    };

/**
 * The family for a layer of m features.
 *
 * @throws UsageError for an array of another shape, or with ‖A‖ > 1
 */
export async function familyFor(choice: FamilyChoice, layer: string, m: number): Promise<FeatureFamily> {
  switch (choice.kind) {
    case "orthogonal":
      return orthogonalFamily(m);
    case "neurons":
      return neuronFamily(m);
    case "kernel":
      if (!(choice.sigma > 0 && choice.sigma < Infinity))
        throw new UsageError(`sigma ${choice.sigma}: expected a number above 0.`);
      return kernelFamily(m, choice.sigma);
    default:
      return fromFile(choice, layer, m);
  }
}

async function fromFile(
  { kind, file, array }: Extract<FamilyChoice, { file: string }>,
  layer: string,
  m: number,
): Promise<FeatureFamily> {
  const { dims } = array;
  const values = Float64Array.from(array.data as ArrayLike<number | bigint>, Number);
  const own = kind === "directions" ? [m] : [m, m];
  const many = dims.length === own.length + 1 && kind !== "covariance";
  if ((dims.length !== own.length && !many) || own.some((size, axis) => size !== dims[axis + (many ? 1 : 0)])) {
    const several = kind === "covariance" ? "" : ` or [k, ${own.join(", ")}]`;
    throw new UsageError(
      `${file}: expected an array [${own.join(", ")}]${several}, as layer ${layer} has ${m} features; it has [${dims.join(", ")}].`,
    );
  }
  if (kind === "covariance") return covarianceFamily(file, values, m);
  if (values.length === 0) throw new UsageError(`${file}: expected at least one of ${own.join(" × ")}, it has none.`);
  const size = kind === "directions" ? m : m * m;
  const parts = Array.from({ length: values.length / size }, (_, index) =>
    values.subarray(index * size, (index + 1) * size),
  );
  const members = await Promise.all(
    parts.map((part, index) => {
      const where = many ? `${file}, number ${index}` : file;
      return kind === "directions" ? directionMatrix(`${index}`, part, where) : givenMatrix(`${index}`, part, m, where);
    }),
  );
  return { kind: "given", name: kind, members };
}
