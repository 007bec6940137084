import { UsageError } from "../errors.ts";
import { count, type Dims } from "../graph/tensor.ts";
import type { Field } from "./dataset.ts";
import { compiled, identity, moved, operated, type SampleMap, type SampleWriter } from "./sample-map.ts";

/** What --preprocess does to the samples of one field: compiled once, then a loop. */
export interface Preprocess {
  /** The steps in canonical form: the same text for the same steps. */
  readonly resolved: string;
  /** The shape of a converted sample, which is float32. */
  readonly dims: Dims;
  readonly write: SampleWriter;
}

/** A step as the user wrote it, the map before it, and the value that padding has. */
interface Place {
  readonly text: string;
  readonly value: string;
  readonly map: SampleMap;
  readonly padValue: number;
  readonly field: Field;
}

interface Step {
  /** How it is written, for messages. */
  readonly form: string;
  /** The map after the step, the step's canonical value, and the padding value if it changed. */
  apply(place: Place): { map: SampleMap; value?: string; padValue?: number };
}

/** Far above any sample, far below what memory bears. */
const mostElements = 2 ** 26;

const steps: Readonly<Record<string, Step>> = {
  scale: {
    form: "scale=S",
    apply: (place) => arithmetic(place, "divide", [positive(place, place.value)]),
  },
  mean: {
    form: "mean=a[:b:c]",
    apply: (place) => arithmetic(place, "subtract", perChannel(place, number)),
  },
  std: {
    form: "std=a[:b:c]",
    apply: (place) => arithmetic(place, "divide", perChannel(place, positive)),
  },
  pad: { form: "pad=P", apply: pad },
  "pad-value": {
    form: "pad-value=V",
    apply: (place) => {
      const padValue = number(place, place.value);
      return { map: place.map, value: String(padValue), padValue };
    },
  },
  channels: { form: "channels=C", apply: repeatChannel },
  layout: { form: "layout=nhwc|nchw", apply: transpose },
  shape: { form: "shape=AxBxC", apply: reshape },
  flatten: {
    form: "flatten",
    apply: (place) => {
      if (place.value) throw misfit(place, "takes no value");
      return { map: { ...place.map, dims: [count(place.map.dims)] } };
    },
  },
};

/** How every step is written. */
export const stepForms: readonly string[] = Object.values(steps).map(({ form }) => form);

/**
 * The comma list of --preprocess, applied in the order written: `scale=255,pad=2,channels=3`.
 *
 * The stored values become float32; then `scale=S` divides, `mean` subtracts and `std` divides, each rounded to
 * float32, one number for all or one a channel (the first axis); `pad=P` puts P values of 0 (of V after `pad-value=V`)
 * on either side of the last two axes; `channels=C` repeats the one channel of [1, H, W]; `layout=nchw` makes
 * [C, H, W] of [H, W, C] and `layout=nhwc` the reverse; `shape=AxBxC` and `flatten` reshape. Exact.
 *
 * @throws UsageError for an unknown step, a value that is none, or a sample that a step does not fit.
 */
export function compilePreprocess(text: string, field: Field): Preprocess {
  let map = identity(field.dims);
  let padValue = 0;
  const resolved: string[] = [];
  for (const part of text.split(",")) {
    const [name = "", value = ""] = part.split(/=(.*)/s).map((side) => side.trim());
    const step = Object.hasOwn(steps, name) ? steps[name] : undefined;
    if (!step) {
      throw new UsageError(`preprocess ${part.trim() || '""'}: no such step. Known: ${stepForms.join(", ")}.`);
    }
    const result = step.apply({ text: part.trim(), value, map, padValue, field });
    map = result.map;
    padValue = result.padValue ?? padValue;
    resolved.push(result.value === undefined ? name : `${name}=${result.value}`);
  }
  return { resolved: resolved.join(","), dims: map.dims, write: compiled(map) };
}

function misfit({ text, map, field }: Place, what: string): UsageError {
  return new UsageError(
    `preprocess ${text}: ${what}; a sample of ${field.name} has dims [${map.dims.join(", ")}] here.`,
  );
}

function number(place: Place, text: string): number {
  const value = Number(text);
  const fits = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Math.fround(value));
  if (!fits) throw misfit(place, `expected a number, came "${text}"`);
  return value;
}

function positive(place: Place, text: string): number {
  const value = number(place, text);
  // Below, 255 divided by it is no float32.
  if (value < 1e-30) throw misfit(place, `expected a number above 0, came ${text}`);
  return value;
}

function whole(place: Place, text: string, least: number): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least) {
    throw misfit(place, `expected a whole number of at least ${least}, came "${text}"`);
  }
  return Number(text);
}

function bounded(place: Place, dims: Dims): Dims {
  if (count(dims) > mostElements)
    throw misfit(place, `would make [${dims.join(", ")}], more than 2^26 values a sample`);
  return dims;
}

function perChannel(place: Place, parse: (place: Place, text: string) => number): number[] {
  const values = place.value.split(":").map((part) => parse(place, part));
  const channels = place.map.dims.length > 1 ? place.map.dims[0] : undefined;
  if (values.length > 1 && values.length !== channels) {
    throw misfit(place, `${values.length} values need as many channels as the first axis of [C, H, W]`);
  }
  return values;
}

function arithmetic(place: Place, kind: "subtract" | "divide", values: readonly number[]) {
  return { map: operated(place.map, kind, values), value: values.join(":") };
}

function pad(place: Place) {
  const { dims } = place.map;
  const width = whole(place, place.value, 0);
  const [h, w] = dims.slice(-2);
  if (h === undefined || w === undefined) throw misfit(place, "needs two axes or more");
  const padded = bounded(place, [...dims.slice(0, -2), h + 2 * width, w + 2 * width]);
  const [tall, wide] = padded.slice(-2) as [number, number];
  const source = (element: number) => {
    const column = (element % wide) - width;
    const row = (Math.floor(element / wide) % tall) - width;
    const image = Math.floor(element / (wide * tall));
    return row < 0 || row >= h || column < 0 || column >= w ? -1 : (image * h + row) * w + column;
  };
  return { map: moved(place.map, padded, source, place.padValue), value: String(width) };
}

function repeatChannel(place: Place) {
  const { dims } = place.map;
  const channels = whole(place, place.value, 1);
  if (dims.length !== 3 || dims[0] !== 1) throw misfit(place, "needs one channel, [1, H, W]");
  const image = count(dims);
  const repeated = bounded(place, [channels, ...dims.slice(1)]);
  return { map: moved(place.map, repeated, (element) => element % image), value: String(channels) };
}

function transpose(place: Place) {
  const { value } = place;
  const { dims } = place.map;
  if (value !== "nhwc" && value !== "nchw") throw misfit(place, `expected nhwc or nchw, came "${value}"`);
  if (dims.length !== 3) throw misfit(place, "needs three axes");
  // Either way the two outer axes change places with the inner one: rows × columns becomes columns × rows.
  const [a, b, c] = dims as [number, number, number];
  const [rows, columns] = value === "nchw" ? [a * b, c] : [a, b * c];
  const turned = value === "nchw" ? [c, a, b] : [b, c, a];
  return {
    map: moved(place.map, turned, (element) => (element % rows) * columns + Math.floor(element / rows)),
    value,
  };
}

function reshape(place: Place) {
  const dims = place.value.split("x").map((dim) => whole(place, dim, 1));
  const have = count(place.map.dims);
  if (count(dims) !== have) throw misfit(place, `[${dims.join(", ")}] has ${count(dims)} values, not ${have}`);
  return { map: { ...place.map, dims }, value: dims.join("x") };
}
