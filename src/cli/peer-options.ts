import { InvalidArgumentError, Option } from "commander";
import { measures } from "../measures/catalog.ts";
import { wholeNumber } from "./options.ts";

// Options of `flatness measure` that single measures have.

const listed = (names: readonly { readonly name: string }[]) => names.map(({ name }) => name).join(", ");
const costly = measures.filter(({ cost }) => cost === "many passes");
const others = measures.filter(({ cost }) => cost !== "many passes");

/** What --measures takes. */
export const measuresHelp = `all for what a few passes give (${listed(others)}), or names with commas between; these take many passes and are not among all: ${listed(costly)}`;

export function normalizeOption(): Option {
  return new Option(
    "--normalize <by>",
    "divide features by their standard deviation and multiply weights with it, so that the scale of single features does not count (Theorem 4); variance only to compare with published numbers",
  ).choices(["std", "variance"]);
}

export function peerOptions(): Option[] {
  return [
    new Option("--test <source>", "data to test on, for generalization-gap; preprocessed as the data is"),
    new Option("--test-split <name>", "its split (default: test, where it has one)"),
    new Option(
      "--init <file>",
      "a model or a file of weights that squared distances are from: what training began with",
    ),
    new Option("--biases", "count biases as weights of the network: norm, gradient, Fisher-Rao norm, noise"),
    new Option("--prefactor <p>", "of fisher-rao-closed-form (default: the number of layers with weights)").argParser(
      positive,
    ),
    new Option("--per-feature", "divide relative-flatness by the layer's number of features m"),
    new Option("--noise <kind>", "of PAC-Bayes measures: one size for all weights, or in proportion to each")
      .choices(["uniform", "magnitude-aware"])
      .default("uniform"),
    new Option("--noise-draws <k>", "how often noise is drawn").argParser(wholeNumber(2)).default(10),
  ];
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError("expected a number above 0, such as 6.");
  return value;
}
