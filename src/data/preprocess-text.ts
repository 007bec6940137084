import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { UsageError } from "../errors.ts";
import { stepNamed, type WrittenStep } from "./preprocess.ts";

/**
 * Steps written in YAML or JSON: a list whose entries are a step as text (`scale=255`, `flatten`) or an object of one
 * or more steps (`{mean: [0.485, 0.456, 0.406]}`), or one object of all, in the order written. A value is a number, a
 * text, a list of numbers where several are meant, and true or nothing for a step without one.
 *
 * @param file what messages call it
 */
export function parsePreprocess(text: string, file: string): WrittenStep[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [error] = document.errors;
  if (error) throw new UsageError(`${at(error.pos[0])}: neither JSON nor YAML: ${error.message}.`);
  const place = (node: unknown) => at((node as Node | null)?.range?.[0] ?? 0);

  const value = (node: unknown, separator: string | undefined, where: string): string => {
    if (node === null || (isScalar(node) && (node.value === null || node.value === true))) return "";
    if (isScalar(node) && ["number", "string"].includes(typeof node.value)) return String(node.value).trim();
    if (isSeq(node) && separator) return node.items.map((item) => value(item, undefined, where)).join(separator);
    throw new UsageError(
      `${where}: expected a number or a text${separator ? " or a list of numbers" : ""}; flatness help preprocess ` +
        `lists the steps.`,
    );
  };
  const written = (name: string, given: (step: WrittenStep["step"], where: string) => string, node: unknown) => {
    const where = `${place(node)}: ${name}`;
    const step = stepNamed(name, where);
    const text = given(step, where);
    return { name, step, value: text, where: text === "" ? where : `${where}=${text}` };
  };
  const ofText = (node: unknown, text: string): WrittenStep => {
    const [name = "", after = ""] = text.split(/=(.*)/s).map((side) => side.trim());
    return written(name, () => after, node);
  };
  const ofEntry = (node: unknown): WrittenStep[] => {
    if (isScalar(node) && typeof node.value === "string") return [ofText(node, node.value)];
    if (isMap(node)) {
      return node.items.map(({ key, value: given }) =>
        written(String(isScalar(key) ? key.value : key), (step, where) => value(given, step.separator, where), key),
      );
    }
    throw new UsageError(
      `${place(node)}: expected a step such as scale=255, or an object such as {"scale": 255}; flatness help preprocess ` +
        `lists the steps.`,
    );
  };
  const { contents } = document;
  return isSeq(contents) ? contents.items.flatMap(ofEntry) : ofEntry(contents);
}
