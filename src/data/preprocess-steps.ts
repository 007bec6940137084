import { UsageError } from "../errors.ts";
import { count, type Dims } from "../graph/tensor.ts";
import type { Field } from "./dataset.ts";
import { luma } from "./luma.ts";
import { resized } from "./resize.ts";
import { moved, operated, type SampleMap, type SampleWriter } from "./sample-map.ts";
import { tokensStep } from "./tokens-step.ts";

/** A step as the user wrote it, and the sample that it meets. */
export interface Place {
  /** How messages begin: `preprocess pad=2`, or with a file's name, line and column. */
  readonly where: string;
  readonly value: string;
  readonly field: Field;
  /** The shape of a sample here. */
  readonly dims: Dims;
  /** How its elements come from those before. */
  readonly map: SampleMap;
  /** Whether every value is a byte of the source, nothing computed yet. */
  readonly bytes: boolean;
  /** The value that padding has. */
  readonly padValue: number;
}

/** What a step does: it moves or operates on elements one by one, or makes a whole sample of a whole sample. */
export type Outcome = { readonly value?: string } & (
  | { readonly map: SampleMap; readonly padValue?: number }
  | { readonly dims: Dims; readonly write: SampleWriter }
);

export interface Step {
  /** How it is written. */
  readonly form: string;
  /** What it does, for `flatness help preprocess`. */
  readonly description: string;
  /** What stands between several numbers, where they may stand in a list in a file. */
  readonly separator?: ":" | "x";
  /** @throws UsageError when the value is none, or does not fit the sample */
  apply(place: Place): Outcome;
}

/** Far above any sample, far below what memory bears. */
const mostElements = 2 ** 26;

/** Every step that --preprocess knows. */
export const steps: Readonly<Record<string, Step>> = {
  resize: {
    form: "resize=S|HxW",
    description:
      "make the shorter side S pixels and keep the proportions, or make it H×W: bilinear with antialiasing, " +
      "Pillow's and torchvision's default, rounded to bytes where the values are bytes",
    separator: "x",
    apply: resize,
  },
  crop: { form: "crop=S|HxW", description: "keep the middle S×S or H×W pixels", separator: "x", apply: crop },
  scale: {
    form: "scale=S",
    description: "divide by S: scale=255 makes bytes 0 to 1",
    apply: (place) => arithmetic(place, "divide", [positive(place, place.value)]),
  },
  mean: {
    form: "mean=a[:b:c]",
    description: "subtract a number, or one from each channel (the first axis)",
    separator: ":",
    apply: (place) => arithmetic(place, "subtract", perChannel(place, number)),
  },
  std: {
    form: "std=a[:b:c]",
    description: "divide by a number, or by one for each channel",
    separator: ":",
    apply: (place) => arithmetic(place, "divide", perChannel(place, positive)),
  },
  pad: { form: "pad=P", description: "put P values of 0 on either side of the last two axes", apply: pad },
  "pad-value": {
    form: "pad-value=V",
    description: "padding after this step has the value V instead of 0",
    apply: (place) => {
      const padValue = number(place, place.value);
      return { map: place.map, value: String(padValue), padValue };
    },
  },
  channels: {
    form: "channels=C",
    description:
      "repeat the one channel of [1, H, W]; channels=1 makes red, green, blue their brightness, " +
      "0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded where the values are bytes",
    apply: channels,
  },
  layout: {
    form: "layout=nhwc|nchw",
    description: "[C, H, W] to [H, W, C], or the reverse",
    apply: transpose,
  },
  shape: {
    form: "shape=AxBxC",
    description: "another shape of as many values, in the same order",
    separator: "x",
    apply: reshape,
  },
  flatten: {
    form: "flatten",
    description: "one axis",
    apply: (place) => {
      if (place.value) throw misfit(place, "takes no value");
      return { map: { ...place.map, dims: [count(place.dims)] } };
    },
  },
  tokens: tokensStep,
};

function misfit({ where, dims, field }: Place, what: string): UsageError {
  return new UsageError(`${where}: ${what}; a sample of ${field.name} has dims [${dims.join(", ")}] here.`);
}

function number(place: Place, text: string): number {
  const value = Number(text);
  const fits = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Math.fround(value));
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
  const planes = place.dims.length > 1 ? place.dims[0] : undefined;
  if (values.length > 1 && values.length !== planes) {
    throw misfit(place, `${values.length} values need as many channels as the first axis of [C, H, W]`);
  }
  return values;
}

function arithmetic(place: Place, kind: "subtract" | "divide", values: readonly number[]): Outcome {
  return { map: operated(place.map, kind, values), value: values.join(":") };
}

/** The last two axes, where images lie. */
function imageOf(place: Place): [height: number, width: number] {
  const [height, width] = place.dims.slice(-2);
  if (height === undefined || width === undefined) throw misfit(place, "needs two axes or more");
  return [height, width];
}

/** `HxW`, or one number. */
function sides(place: Place): readonly [first: number, second?: number] {
  const [first, second, ...more] = place.value.split("x").map((side) => whole(place, side, 1));
  if (more.length > 0) throw misfit(place, `expected S or HxW, came "${place.value}"`);
  return [first!, second];
}

function resize(place: Place): Outcome {
  const [height, width] = imageOf(place);
  const [first, second] = sides(place);
  const short = Math.min(height, width);
  const kept = (side: number) => Math.trunc((first * side) / short);
  const [tall, wide] = second === undefined ? [kept(height), kept(width)] : [first, second];
  const dims = bounded(place, [...place.dims.slice(0, -2), tall, wide]);
  return { dims, write: resized(place.dims, tall, wide, place.bytes), value: spelled(first, second) };
}

function spelled(first: number, second?: number): string {
  return second === undefined ? String(first) : `${first}x${second}`;
}

function crop(place: Place): Outcome {
  const [height, width] = imageOf(place);
  const [tall, second] = sides(place);
  const wide = second ?? tall;
  if (tall > height || wide > width) {
    throw misfit(place, `${tall} × ${wide} is not inside ${height} × ${width}: resize or pad before`);
  }
  const dims = [...place.dims.slice(0, -2), tall, wide];
  const first = halfToEven(height - tall) * width + halfToEven(width - wide);
  const planes = count(place.dims.slice(0, -2));
  const write: SampleWriter = (source, start, target, at) => {
    for (let plane = 0, to = at; plane < planes; plane++) {
      const corner = start + plane * height * width + first;
      for (let row = 0; row < tall; row++) {
        for (let i = 0, from = corner + row * width; i < wide; i++) target[to++] = Number(source[from++]);
      }
    }
  };
  return { dims, write, value: spelled(tall, second) };
}

/** Half of a number of pixels, rounded as torchvision's center_crop does: of two whole numbers alike near, the even one. */
function halfToEven(pixels: number): number {
  const half = Math.floor(pixels / 2);
  return pixels % 2 === 0 || half % 2 === 0 ? half : half + 1;
}

function pad(place: Place): Outcome {
  const { dims } = place;
  const border = whole(place, place.value, 0);
  const [h, w] = imageOf(place);
  const padded = bounded(place, [...dims.slice(0, -2), h + 2 * border, w + 2 * border]);
  const [tall, wide] = padded.slice(-2) as [number, number];
  const source = (element: number) => {
    const column = (element % wide) - border;
    const row = (Math.floor(element / wide) % tall) - border;
    const image = Math.floor(element / (wide * tall));
    return row < 0 || row >= h || column < 0 || column >= w ? -1 : (image * h + row) * w + column;
  };
  return { map: moved(place.map, padded, source, place.padValue), value: String(border) };
}

function channels(place: Place): Outcome {
  const { dims } = place;
  const wanted = whole(place, place.value, 1);
  const value = String(wanted);
  if (wanted === 1 && dims.length === 3 && dims[0] === 3) {
    return { dims: [1, ...dims.slice(1)], write: luma(dims, place.bytes), value };
  }
  if (dims.length !== 3 || dims[0] !== 1) throw misfit(place, "needs one channel, [1, H, W], or for channels=1 three");
  const image = count(dims);
  const repeated = bounded(place, [wanted, ...dims.slice(1)]);
  return { map: moved(place.map, repeated, (element) => element % image), value };
}

function transpose(place: Place): Outcome {
  const { value, dims } = place;
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

function reshape(place: Place): Outcome {
  const dims = place.value.split("x").map((dim) => whole(place, dim, 1));
  const have = count(place.dims);
  if (count(dims) !== have) throw misfit(place, `[${dims.join(", ")}] has ${count(dims)} values, not ${have}`);
  return { map: { ...place.map, dims }, value: dims.join("x") };
}
