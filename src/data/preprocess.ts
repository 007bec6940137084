import { UsageError } from "../errors.ts";
import { count, type Dims } from "../graph/tensor.ts";
import type { Field } from "./dataset.ts";
import { type Outcome, type Place, steps, type Step } from "./preprocess-steps.ts";
import { compiled, identity, keepsBytes, type SampleMap, type SampleWriter } from "./sample-map.ts";

/** What --preprocess does to the samples of one shape: compiled once, then a loop. */
export interface Preprocess {
  /** The steps in canonical form: the same text for the same steps. */
  readonly resolved: string;
  /** The shape of a converted sample, which is float32. */
  readonly dims: Dims;
  readonly write: SampleWriter;
}

/** A step that was read, and where it stands. */
export interface WrittenStep {
  readonly name: string;
  readonly step: Step;
  readonly value: string;
  /** How messages begin. */
  readonly where: string;
}

/** Steps as a comma list, or as they were read from a file. */
export type PreprocessOption = string | readonly WrittenStep[];

/** Shapes of samples whose compiled form is kept: those of photographs are mostly a few. */
const keptShapes = 16;

/**
 * The comma list of --preprocess, applied in the order written: `scale=255,pad=2,channels=3`. What each of the
 * {@link steps} does, its description says. The stored values become float32, and every operation is rounded to
 * float32, as in NumPy and PyTorch; bytes stay bytes until the first of scale, mean and std.
 *
 * @throws UsageError for an unknown step, a value that is none, or a sample that a step does not fit.
 */
export function compilePreprocess(text: PreprocessOption, field: Field): Preprocess {
  return preprocessing(writtenSteps(text))(field);
}

/** The steps of a comma list; none of an empty one. Throws UsageError for an unknown step. */
export function writtenSteps(option: PreprocessOption = ""): readonly WrittenStep[] {
  if (typeof option !== "string") return option;
  if (option.trim() === "") return [];
  return option.split(",").map((part) => {
    const [name = "", value = ""] = part.split(/=(.*)/s).map((side) => side.trim());
    const where = `preprocess ${part.trim() || '""'}`;
    return { name, value, step: stepNamed(name, where), where };
  });
}

export function stepNamed(name: string, where: string): Step {
  if (Object.hasOwn(steps, name)) return steps[name]!;
  const forms = Object.values(steps).map(({ form }) => form);
  throw new UsageError(`${where}: no such step. Known: ${forms.join(", ")}.`);
}

/** What the steps from one on do to samples of one shape. */
interface Rest {
  readonly dims: Dims;
  readonly resolved: readonly string[];
  readonly writers: readonly Writer[];
}

/** One pass over a sample. */
interface Writer {
  readonly dims: Dims;
  /** Whether what it writes are bytes. */
  readonly bytes: boolean;
  readonly write: SampleWriter;
}

type Here = Pick<Place, "dims" | "bytes" | "padValue">;

/**
 * The steps, compiled for each shape of samples that comes; images may have several. What follows a resize or crop to one
 * size is compiled once. The writers share memory between calls: one sample at a time.
 */
export function preprocessing(written: readonly WrittenStep[]): (field: Field) => Preprocess {
  const known = new Map<string, Rest>();
  const remembered = (index: number, here: Here, field: Field): Rest => {
    const key = [index, here.dims.join("x"), here.bytes, here.padValue, field.name].join(" ");
    const found = known.get(key) ?? rest(index, here, field);
    known.delete(key);
    known.set(key, found);
    if (known.size > keptShapes) known.delete(known.keys().next().value!);
    return found;
  };

  const rest = (index: number, { dims, bytes, padValue }: Here, field: Field): Rest => {
    const resolved: string[] = [];
    let map: SampleMap | undefined;
    for (let at = index; at < written.length; at++) {
      const { step, name, value, where } = written[at]!;
      const before = map;
      const here = { dims: map?.dims ?? dims, bytes: bytes && (!map || keepsBytes(map)), padValue };
      const place: Place = {
        ...here,
        where,
        value,
        field,
        // Only steps that move elements need it: for a photograph it takes longer than to resize it.
        get map() {
          return before ?? identity(dims);
        },
      };
      const outcome: Outcome = step.apply(place);
      resolved.push(outcome.value === undefined ? name : `${name}=${outcome.value}`);
      if ("map" in outcome) {
        map = outcome.map;
        padValue = outcome.padValue ?? padValue;
        continue;
      }
      const after = remembered(at + 1, { dims: outcome.dims, bytes: here.bytes, padValue }, field);
      return {
        dims: after.dims,
        resolved: [...resolved, ...after.resolved],
        writers: [
          ...(map ? [{ dims: map.dims, bytes: here.bytes, write: compiled(map) }] : []),
          { dims: outcome.dims, bytes: here.bytes, write: outcome.write },
          ...after.writers,
        ],
      };
    }
    const writers = map ? [{ dims: map.dims, bytes: false, write: compiled(map) }] : [];
    return { dims: map?.dims ?? dims, resolved, writers };
  };

  return (field) => {
    const { dims, resolved, writers } = remembered(
      0,
      { dims: field.dims, bytes: field.type === "uint8", padValue: 0 },
      field,
    );
    return { dims, resolved: resolved.join(","), write: chained(writers.length > 0 ? writers : [copying(dims)]) };
  };
}

function copying(dims: Dims): Writer {
  return { dims, bytes: false, write: compiled(identity(dims)) };
}

/** One writer after the other, with arrays between them. */
function chained(writers: readonly Writer[]): SampleWriter {
  const last = writers.at(-1)!.write;
  const between = writers.slice(0, -1).map(({ dims, bytes, write }) => {
    return { write, values: new (bytes ? Uint8Array : Float32Array)(count(dims)) };
  });
  if (between.length === 0) return last;
  return (source, start, target, at) => {
    let from = start;
    let sample = source;
    for (const { write, values } of between) {
      write(sample, from, values, 0);
      sample = values;
      from = 0;
    }
    last(sample, from, target, at);
  };
}
