import { mean } from "./correlation.ts";
import { quantile } from "./quantile.ts";
import { gridLines, type Settings } from "./settings-grid.ts";

/** One environment: a change of one setting, all others fixed. */
export interface Environment {
  readonly name: string;
  readonly pairs: number;
  readonly signError: number;
}

export interface RobustSignError {
  readonly environments: readonly Environment[];
  readonly mean: number;
  /** 90th percentile over environments. */
  readonly ninetieth: number;
  /** The largest: the robust sign-error. */
  readonly worst: number;
  readonly worstEnvironment?: string;
}

/**
 * Robust sign-error over environments (Dziugaite et al. 2020, section 3): how often the measure C is wrong about which of two networks
 * has the larger gap, SE(e) = ½ E[1 − sgn(y' − y)·sgn(C' − C)], in the worst environment. An environment is a change of one axis
 * between two values with all other axes fixed; its pairs are all of one sample on either side. 0 is always right, ½ a coin, 1 always wrong.
 *
 * @param noise pairs whose |y' − y| is not above this are left out: their order is the test set's noise. Environments
 *   without a pair are left out. The paper instead weighs pairs by a Hoeffding bound on that noise.
 */
export function robustSignError(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  settings: Settings,
  noise: number | ((one: number, other: number) => number) = 0,
): RobustSignError {
  const floor = typeof noise === "number" ? () => noise : noise;
  const environments: Environment[] = [];
  for (const axis of Object.keys(settings)) {
    for (const { at, others } of gridLines(settings, axis, x.length)) {
      const values = [...at.keys()];
      for (const [index, low] of values.entries()) {
        for (const high of values.slice(index + 1)) {
          const errors = pairs(at.get(low)!, at.get(high)!)
            .filter(([one, other]) => Math.abs(y[other]! - y[one]!) > floor(one, other))
            .map(([one, other]) => (1 - Math.sign(y[other]! - y[one]!) * Math.sign(x[other]! - x[one]!)) / 2);
          if (errors.length === 0) continue;
          const name = `${axis} ${low} → ${high}${others && ` at ${others}`}`;
          environments.push({ name, pairs: errors.length, signError: mean(errors) });
        }
      }
    }
  }
  const errors = environments.map(({ signError }) => signError);
  const worst = errors.length === 0 ? Number.NaN : Math.max(...errors);
  return {
    environments,
    mean: mean(errors),
    ninetieth: errors.length === 0 ? Number.NaN : quantile(errors, 0.9),
    worst,
    worstEnvironment: environments.find(({ signError }) => signError === worst)?.name,
  };
}

function pairs(some: readonly number[], others: readonly number[]): [number, number][] {
  return some.flatMap((one) => others.map((other): [number, number] => [one, other]));
}
