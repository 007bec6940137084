import { UsageError } from "../errors.ts";
import { type Files, readAll } from "./byte-file.ts";
import type { PreprocessOption } from "./preprocess.ts";

/** More than all steps written a hundred times. */
const mostBytes = 65536;

/**
 * What --preprocess names: steps, or a file of them, whose name ends in .json, .yaml or .yml.
 * Throws DataError when there is no such file, UsageError with line and column for what is no step.
 */
export async function readPreprocess(text: PreprocessOption = "", files: Files): Promise<PreprocessOption> {
  if (typeof text !== "string" || !/\.(json|ya?ml)$/i.test(text.trim())) return text;
  const file = await files.open(text.trim());
  if (file.size > mostBytes) {
    throw new UsageError(`${file.name}: ${file.size} bytes: expected a list of steps, in at most ${mostBytes} bytes.`);
  }
  // Loaded where there is such a file.
  const { parsePreprocess } = await import("./preprocess-text.ts");
  return parsePreprocess(new TextDecoder().decode(await readAll(file)), file.name);
}
