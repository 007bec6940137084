/**
 * Names of classes by column, from the note `huggingface` that the `datasets` library leaves in a Parquet file: JSON with
 * `info.features`, where a column of classes is `{"_type": "ClassLabel", "names": […]}`. None where there is no such note.
 */
export function classNames(notes: ReadonlyMap<string, string>): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  const features = property(property(parseJson(notes.get("huggingface") ?? ""), "info"), "features");
  if (!isObject(features)) return names;
  for (const column of Object.keys(features)) {
    const feature = property(features, column);
    const listed = property(feature, "names");
    const classes = property(feature, "_type") === "ClassLabel" && Array.isArray(listed) ? listed : [];
    if (classes.length > 0 && classes.every((name) => typeof name === "string")) names.set(column, classes);
  }
  return names;
}

function property(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
