import { UnsupportedOperatorError } from "../errors.ts";
import type { OpenedLayer } from "../evaluation/layer-changes.ts";
import { OneDraw, SharedDraws } from "./averages.ts";
import type { RobustnessTask } from "./feature-robustness.ts";
import { matricesOf } from "./feature-robustness.ts";

/** What E_F is to second order in δ. */
export interface Theory {
  /** Why there is none. */
  readonly reason?: string;
  /** @param index of the given matrix; 0 for a distribution */
  at(delta: number, index: number): { readonly value: number; readonly error: number } | undefined;
}

/** Relative flatness κ of the layer and the part of its standard error that comes from probes. */
export interface Flatness {
  readonly value: number;
  readonly probeError: number;
}

/** Theorem 5: the mean over O is δ²κ/2m, over rO of Proposition 2 δ²E[s²]κ/2m. */
export function averageTheory(share: number, m: number, { value, probeError }: Flatness): Theory {
  const factor = share / (2 * m);
  return { at: (delta) => ({ value: delta ** 2 * factor * value, error: delta ** 2 * factor * probeError }) };
}

/**
 * For given matrices δ⟨∇, WA⟩ + δ²/2 ⟨WA, H[WA]⟩, exact; for a distribution that is no multiple of κ the mean of δ²/2 ⟨WA, H[WA]⟩ over
 * the draws, whose odd orders vanish. Cost: some three runs of what lies above the layer for each matrix.
 */
export async function taylorTheory(
  opened: OpenedLayer,
  task: Pick<RobustnessTask, "family" | "seed" | "draws">,
): Promise<Theory> {
  const { family } = task;
  const given = family.kind === "given";
  const total = given ? family.members.length : task.draws;
  const draw = matricesOf(opened, task);
  const changes = Array.from({ length: total }, () => Float32Array.from(draw().afterRows(opened.matrix)));
  const collectors = Array.from({ length: given ? total : 1 }, () =>
    given
      ? { first: new OneDraw(), second: new OneDraw() }
      : { first: new SharedDraws(total, opened.n), second: new SharedDraws(total, opened.n) },
  );
  try {
    for await (const batch of opened.batches()) {
      for (const [index, change] of changes.entries()) {
        const { first, second } = await batch.slopes(Float64Array.from(change));
        const into = collectors[given ? index : 0]!;
        into.first.add(given ? 0 : index, batch.start, first, batch.terms, 1);
        into.second.add(given ? 0 : index, batch.start, second, batch.terms, 1);
      }
    }
  } catch (error) {
    if (error instanceof UnsupportedOperatorError) return { reason: error.message, at: () => undefined };
    throw error;
  }
  const orders = collectors.map(({ first, second }) => ({ first: first.average(), second: second.average() }));
  return {
    at(delta, index) {
      const { first, second } = orders[index]!;
      const even = (delta ** 2 / 2) * second.mean;
      if (given) return { value: delta * first.mean + even, error: 0 };
      return { value: even, error: (delta ** 2 / 2) * (second.drawError ?? 0) };
    },
  };
}
