import type { Batch, Dataset, NamedArray } from "../data/dataset.ts";
import { UsageError } from "../errors.ts";
import { RandomStream, shuffled } from "../statistics/random.ts";

/**
 * The data with wrong labels for a share of the samples, drawn by the seed: each gets another class than its own, each
 * other class as likely.
 *
 * @param indices the samples among which those with wrong labels are drawn
 * @throws UsageError for labels that are not one class index a sample
 */
export async function withLabelNoise(
  data: Dataset,
  labels: string,
  indices: Int32Array,
  { share, classes, seed }: { share: number; classes: number; seed: number },
): Promise<Dataset> {
  if (share === 0) return data;
  const field = data.fields.find(({ name }) => name === labels);
  if (!field || field.dims.length > 0 || !/^u?int/.test(field.type) || classes < 2) {
    throw new UsageError(`labelNoise: expected one class index a sample, array ${labels} of ${data.source} is none`);
  }
  const noisy = shuffled(indices, seed, "samples with wrong labels").subarray(0, Math.round(share * indices.length));
  const own = (await data.read(noisy, [labels])).get(labels) as NamedArray;
  const stream = new RandomStream(seed, "wrong labels");
  const wrong = new Map<number, number>();
  for (const [place, index] of noisy.entries()) {
    wrong.set(index, (Number(own.data[place]) + 1 + stream.below(classes - 1)) % classes);
  }
  return {
    ...data,
    async read(asked: ArrayLike<number>, names?: readonly string[], spent?: Batch): Promise<Batch> {
      const batch = await data.read(asked, names, spent);
      const given = batch.get(labels);
      if (!given) return batch;
      const changed = given.data.slice();
      for (let row = 0; row < asked.length; row++) {
        const label = wrong.get(asked[row] as number);
        if (label !== undefined) changed[row] = changed instanceof BigInt64Array ? BigInt(label) : label;
      }
      return new Map(batch).set(labels, { ...given, data: changed });
    },
  };
}
