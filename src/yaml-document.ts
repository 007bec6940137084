import { type Document, isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { UsageError } from "./errors.ts";

/**
 * A value checked by a schema, with the schema's defaults.
 *
 * @param what messages call it
 * @throws UsageError naming the key that is wrong, what was expected there and what came
 */
export function checkedValue<Schema extends z.ZodType>(value: unknown, what: string, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new UsageError(`${what}: ${messageOf(firstOf(parsed.error.issues), schema, value)}`);
}

/**
 * Reads YAML, or JSON, which is YAML too, checked by a schema.
 *
 * @param file what messages call it
 * @throws UsageError with the line and column of what is wrong: `study.yaml:12:5: make.seeds: expected at least 1, came 0`
 */
export function readDocument<Schema extends z.ZodType>(text: string, file: string, schema: Schema): z.output<Schema> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [broken] = document.errors;
  if (broken) {
    const [what = ""] = broken.message.split(/ at line \d+/);
    throw new UsageError(`${place(broken.pos[0])}: not YAML: ${what}`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new UsageError(`${file}: not YAML: ${(cause as Error).message}`, { cause });
  }
  const parsed = schema.safeParse(value ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  const issue = firstOf(parsed.error.issues);
  throw new UsageError(`${place(offsetOf(document, issue))}: ${messageOf(issue, schema, value)}`);
}

type Issue = z.core.$ZodIssue;

/** Where the key or the value that an issue is about stands; what is missing, where the one that lacks it begins. */
function offsetOf(document: Document, issue: Issue): number {
  const path = [...issue.path] as (string | number)[];
  if (issue.code === "unrecognized_keys") {
    const parent = path.length === 0 ? document.contents : document.getIn(path, true);
    const [key] = issue.keys;
    const items = (parent as { items?: { key?: { value?: unknown; range?: [number] } }[] } | null)?.items;
    const found = items?.find((item) => item.key?.value === key);
    if (found?.key?.range) return found.key.range[0];
  }
  for (; path.length > 0; path.pop()) {
    const node = document.getIn(path, true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

/** Of a union's issues those of the branch that came furthest. */
function firstOf(issues: readonly Issue[]): Issue {
  const [issue] = issues as [Issue];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return issue;
  const branches = issue.errors.filter((branch) => branch.length > 0);
  const deepest = branches.toSorted((left, right) => depth(right) - depth(left))[0];
  if (!deepest || depth(deepest) === 0) return issue;
  const inner = firstOf(deepest);
  return { ...inner, path: [...issue.path, ...inner.path] } as Issue;
}

function depth(issues: readonly Issue[]): number {
  return Math.max(0, ...issues.map(({ path }) => path.length));
}

/** `optimizer.learningRate: expected a number, came "fast"`. */
function messageOf(issue: Issue, schema: z.ZodType, value: unknown): string {
  const at = issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  const came = "input" in issue && issue.code !== "unrecognized_keys" ? `, came ${shown(issue.input)}` : "";
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined
        ? `${at}missing; expected ${article(issue.expected)}`
        : `${at}expected ${article(issue.expected)}${came}`;
    case "unrecognized_keys":
      return `${at}no such key: ${issue.keys.join(", ")}${knownKeys(issue.path, schema, value)}`;
    case "invalid_value":
      return `${at}expected ${issue.values.map(String).join(", ")}${came}`;
    case "invalid_union":
      return issue.discriminator === undefined
        ? `${at}expected ${alternatives(issue)}${came}`
        : `${at}${unknownName(issue, issue.discriminator)}`;
    case "too_small":
      return `${at}expected ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}${issue.origin === "array" ? " entries" : ""}${came}`;
    case "too_big":
      return `${at}expected ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}${came}`;
    case "custom":
      return `${at}${issue.message}`;
    default:
      return `${at}${issue.message}${came}`;
  }
}

function shown(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function article(expected: string): string {
  const word = { int: "whole number", record: "mapping", object: "mapping", array: "list" }[expected] ?? expected;
  return `a ${word}`;
}

/** What a union of plain values takes: `all, last or a list`. */
function alternatives({ errors }: Extract<Issue, { code: "invalid_union" }>): string {
  const each = errors.flatMap(([first]) => {
    if (first?.code === "invalid_value") return [first.values.map(String).join(", ")];
    return first?.code === "invalid_type" ? [article(first.expected)] : [];
  });
  return each.length === 0 ? "another value" : [...new Set(each)].join(" or ");
}

/** `expected mlp, lenet5, came "mlpx"`, of a union's discriminator. */
function unknownName(issue: Issue, discriminator: string): string {
  const { options = [] } = issue as { options?: readonly unknown[] };
  const came = (Object(issue.input) as Record<string, unknown>)[discriminator];
  return `${came === undefined ? "missing; " : ""}expected ${options.join(", ")}${came === undefined ? "" : `, came ${shown(came)}`}`;
}

type JsonSchema = Readonly<Record<string, unknown>>;

/** What may stand where a key stands that may not. */
function knownKeys(path: readonly PropertyKey[], whole: z.ZodType, value: unknown): string {
  let schema: JsonSchema | undefined = branchOf(z.toJSONSchema(whole, { io: "input" }) as JsonSchema, value);
  let at = value;
  for (const key of path) {
    at = (at as Record<PropertyKey, unknown> | undefined)?.[key];
    const next = typeof key === "number" ? schema?.["items"] : (schema?.["properties"] as JsonSchema)?.[String(key)];
    schema = branchOf(next as JsonSchema | undefined, at);
  }
  const properties = schema?.["properties"];
  return properties ? `; there are ${Object.keys(properties as object).join(", ")}` : "";
}

/** Of a union the branch that the value's constant keys choose, such as its name. */
function branchOf(schema: JsonSchema | undefined, value: unknown): JsonSchema | undefined {
  const branches = (schema?.["oneOf"] ?? schema?.["anyOf"]) as readonly JsonSchema[] | undefined;
  if (!branches) return schema;
  const given = Object(value) as JsonSchema;
  return branches.find(({ properties }) => {
    const constants = Object.entries(Object(properties) as Record<string, JsonSchema>).filter(
      ([, own]) => "const" in own,
    );
    return constants.length > 0 && constants.every(([key, own]) => given[key] === own["const"]);
  });
}
