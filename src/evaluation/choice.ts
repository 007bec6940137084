import type { Dataset, Field } from "../data/dataset.ts";
import { DataError, UsageError } from "../errors.ts";
import type { Layer } from "../graph/layers.ts";
import { lossNamed } from "../losses/catalog.ts";
import type { Loss } from "../losses/loss.ts";
import type { Prepared } from "./prepare.ts";

/**
 * The layers that the user asks for.
 *
 * @throws UsageError naming the layers that there are
 */
export function chooseLayers(
  prepared: Pick<Prepared, "layers" | "above">,
  asked: "all" | "last" | readonly string[],
): Layer[] {
  const { layers } = prepared;
  if (asked === "all") return [...layers];
  if (asked === "last") {
    const last = layers.find((layer) => prepared.above(layer).kind === "logits") ?? layers.at(-1);
    if (!last) throw new UsageError("the model has no layer with weights");
    return [last];
  }
  const chosen = asked.map((name) => {
    const layer = layers.find(
      (candidate) =>
        candidate.name === name ||
        candidate.initializer === name ||
        candidate.node === name ||
        `${candidate.name}.weight` === name,
    );
    if (layer) return layer;
    throw new UsageError(
      `layer ${name}: no such layer. The model has: ${layers.map((known) => known.name).join(", ")}.`,
    );
  });
  return layers.filter((layer) => chosen.includes(layer));
}

const integers = /^(u?int\d+|bool)$/;

/** The array of labels. @throws DataError when it is not there */
export function labelField(data: Dataset, labels: string): Field {
  const field = data.fields.find((candidate) => candidate.name === labels);
  if (field) return field;
  const names = data.fields.map((candidate) => candidate.name).join(", ");
  throw new DataError(`${data.source}: no labels: expected an array ${labels}, found ${names}`);
}

/** The loss by name, else by the labels' type: cross-entropy for integers, squared-error-mean for numbers. */
export function chooseLoss(field: Field, name: string | undefined): Loss {
  if (name !== undefined) return lossNamed(name);
  return lossNamed(integers.test(field.type) ? "cross-entropy" : "squared-error-mean");
}
