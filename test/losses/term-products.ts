/** Columns [K, B, T, C]. */
export interface Columns {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

/** Σ_k r_k r_kᵀ within one term of one sample, C×C. */
export function termProducts({ dims, data }: Columns, sample: number, term: number): Float64Array {
  const [count, batch, terms, classes] = dims as [number, number, number, number];
  const total = new Float64Array(classes ** 2);
  for (let column = 0; column < count; column++) {
    const at = ((column * batch + sample) * terms + term) * classes;
    const r = data.subarray(at, at + classes);
    for (let j = 0; j < classes; j++) for (let k = 0; k < classes; k++) total[j * classes + k]! += r[j]! * r[k]!;
  }
  return total;
}

/** Σ_k r_k r_kᵀ of one sample over all its scores, (T·C)×(T·C): the terms among each other too. */
export function sampleProducts({ dims, data }: Columns, sample: number): Float64Array {
  const [count, batch, terms, classes] = dims as [number, number, number, number];
  return termProducts({ dims: [count, batch, 1, terms * classes], data }, sample, 0);
}
