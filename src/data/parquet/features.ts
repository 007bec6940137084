import { z } from "zod";

/** What the `datasets` library of Hugging Face notes in a Parquet file of a column that holds classes. */
const classLabel = z.object({ _type: z.literal("ClassLabel"), names: z.array(z.string()) });
const note = z.object({ info: z.object({ features: z.record(z.string(), z.unknown()) }) });

/** Names of the classes by column, from the note `huggingface` of a file; none when there is none, or it is no such note. */
export function classNames(notes: ReadonlyMap<string, string>): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  const parsed = note.safeParse(parseJson(notes.get("huggingface") ?? ""));
  for (const [column, feature] of Object.entries(parsed.data?.info.features ?? {})) {
    const label = classLabel.safeParse(feature);
    if (label.success) names.set(column, label.data.names);
  }
  return names;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
