import { UsageError } from "../errors.ts";
import type { Dims } from "../graph/tensor.ts";
import { weightsName } from "../report/runs.ts";
import { textTable } from "../report/text-table.ts";
import { explainWeights, type WeightListing } from "../weights.ts";
import type { Format } from "./options.ts";

/** What `--explain-weights` prints: for each file the tensors and what they become, or the same as JSON. */
export async function explained(
  model: string,
  paths: readonly string[],
  format: Format,
): Promise<{ text: string; misfits: readonly string[] }> {
  if (format === "csv")
    throw new UsageError("--format csv: --explain-weights has no such form; expected table or json.");
  const listings: WeightListing[] = [];
  for (const path of paths) listings.push(await explainWeights(model, path));
  const text =
    format === "json"
      ? JSON.stringify(listings.length === 1 ? listings[0] : listings, null, 2)
      : listings.map(listingText).join("\n\n\n");
  return { text, misfits: listings.flatMap(({ misfit }) => misfit ?? []) };
}

const layouts = { "as-is": "", turned: "transposed" };

function listingText({ model, weights, matches, kept, ignored, missing, leftOver }: WeightListing): string {
  const blocks = [
    [`${weightsName(weights)} → ${model.file}: ${matches.length} of ${matches.length + missing.length} weights`],
  ];
  if (matches.length > 0) {
    const rows = matches.map(({ initializer, dims, tensor, tensorDims, by, layout }) => [
      initializer,
      shape(dims),
      tensor,
      shape(tensorDims),
      by,
      layouts[layout],
    ]);
    blocks.push(
      textTable(
        ["weight of the model", "shape", "tensor of the file", "shape", "found by", ""],
        rows[0]!.map(() => "left"),
        rows,
      ),
    );
  }
  blocks.push(
    missing.map(({ initializer, dims }) => `missing: ${initializer} ${shape(dims)}`),
    leftOver.map(({ tensor, tensorDims }) => `left over: ${tensor} ${shape(tensorDims)}`),
    kept.map(({ initializer, dims, reason }) => `kept: ${initializer} ${shape(dims)}: ${reason}`),
    grouped(ignored).map(([reason, names]) => `ignored: ${names.join(", ")}: ${reason}`),
  );
  return blocks
    .filter((block) => block.length > 0)
    .map((block) => block.map((line) => line.trimEnd()).join("\n"))
    .join("\n\n");
}

function shape(dims: Dims): string {
  return `[${dims.join(", ")}]`;
}

function grouped(ignored: WeightListing["ignored"]): [reason: string, tensors: string[]][] {
  const found = new Map<string, string[]>();
  for (const { tensor, reason } of ignored) found.set(reason, [...(found.get(reason) ?? []), tensor]);
  return [...found];
}
