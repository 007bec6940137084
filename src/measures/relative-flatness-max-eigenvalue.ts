import type { Layer } from "../graph/layers.ts";
import { largestEigenvalue, refusalOf } from "./max-eigenvalue.ts";
import type { CurvatureOperator, Measure } from "./measure.ts";

/**
 * Σ_s ‖w_s‖² λ_max(H_{s,s}) over the rows s of W: what some papers call relative flatness, with the largest eigenvalue in the place of
 * the trace and without the pairs s ≠ s'. Costs a Lanczos run a row.
 */
export const relativeFlatnessMaxEigenvalue: Measure = {
  name: "relative-flatness-max-eigenvalue",
  symbol: "κ_λ",
  title: "relative flatness by largest eigenvalues",
  equation: "κ_λ = Σ_s ‖w_s‖² λ_max(H_{s,s})",
  source: "a variant in later papers and code, by Lanczos, row by row",
  scope: "layer",
  needs: ["derivative rules"],
  exactness: "exact",
  cost: "many passes",
  invariances: ["layer-wise rescaling", "neuron-wise rescaling of its outputs"],
  plan: (layer, task) =>
    refusalOf(layer, task) ?? {
      kind: "iterative",
      method: "lanczos",
      curvature: task.curvature,
      run: ({ seed, withOperator }) =>
        withOperator([layer], async (operator) => {
          let value = 0;
          let warning: string | undefined;
          for (const [row, squared] of rowNorms(layer).entries()) {
            const found = await largestEigenvalue(rowOperator(operator, layer, row), seed);
            value += squared * found.value;
            warning ??= found.warning;
          }
          return { value, ...(warning !== undefined && { warning }) };
        }),
    },
};

/** ‖w_s‖² of each row. */
function rowNorms({ d, m, matrix }: Layer): number[] {
  const values = matrix();
  return Array.from({ length: d }, (_, row) => {
    let sum = 0;
    for (let column = 0; column < m; column++) sum += (values[row * m + column] as number) ** 2;
    return sum;
  });
}

/** The block H_{s,s} of a layer's operator, whose weights stand row by row. */
function rowOperator({ apply }: CurvatureOperator, { d, m }: Layer, row: number): CurvatureOperator {
  return {
    size: m,
    async apply(vector) {
      const whole = new Float64Array(d * m);
      whole.set(vector, row * m);
      return (await apply(whole)).slice(row * m, (row + 1) * m);
    },
  };
}
