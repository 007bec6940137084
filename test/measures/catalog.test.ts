import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { defaultMeasures, measures, measuresNamed } from "../../src/measures/catalog.ts";

/** The facts of each section of the page that has some: `- Symbol: κ`. */
function factsOf(page: string): Map<string, [head: string, text: string][]> {
  const sections = page.split(/^## /m).slice(1);
  const found = sections.map((section): [string, [string, string][]] => {
    const facts = [...section.matchAll(/^- ([A-Z][a-z ]+): (.*)$/gm)].map(([, head, text]): [string, string] => [
      head!,
      text!,
    ]);
    return [section.slice(0, section.indexOf("\n")), facts];
  });
  return new Map(found.filter(([, facts]) => facts.length > 0));
}

const page = readFileSync(new URL("../../docs/measures.md", import.meta.url), "utf8");

describe("docs/measures.md", () => {
  const sections = factsOf(page);

  test("has a section for every measure, in the catalog's order", () => {
    expect([...sections.keys()]).toEqual(measures.map(({ name }) => name));
  });

  test.each(measures.map((measure) => [measure.name, measure] as const))(
    "%s: what the program says of it",
    (name, measure) => {
      expect(Object.fromEntries(sections.get(name)!)).toEqual({
        Symbol: measure.symbol,
        Equation: measure.equation,
        Source: measure.source,
        Of: measure.scope,
        Needs: measure.needs.join(", ") || "nothing more",
        Exactness: measure.exactness,
        Cost: measure.cost,
        "Unchanged by": measure.invariances.join(", ") || "nothing",
      });
    },
  );
});

describe("what names stand for", () => {
  const names = (asked: Parameters<typeof measuresNamed>[0]) => measuresNamed(asked).map(({ name }) => name);

  test("all leaves out what takes many passes, which can be added by name", () => {
    const costly = measures.filter(({ cost }) => cost === "many passes").map(({ name }) => name);
    expect(costly).toEqual([
      "max-eigenvalue",
      "relative-flatness-max-eigenvalue",
      "spectral-density",
      "pac-bayes-flatness",
      "pac-bayes-bound",
    ]);
    expect(names("all")).toEqual(measures.map(({ name }) => name).filter((name) => !costly.includes(name)));
    expect(names(["all", "max-eigenvalue", "loss"])).toEqual([...names("all"), "max-eigenvalue"]);
    expect(names("all")).toEqual(expect.arrayContaining([...defaultMeasures]));
  });

  test("each once, in the order asked for", () => {
    expect(names(["loss", "relative-flatness", "loss"])).toEqual(["loss", "relative-flatness"]);
  });

  test("a name that is none", () => {
    const known = measures.map(({ name }) => name).join(", ");
    expect(() => names(["all", "sharpness"])).toThrow(
      new UsageError(`measure sharpness: no such measure; there are ${known}`),
    );
  });
});

test("a measure has a plan for what it is of, and no other", () => {
  for (const { scope, plan, planNetwork } of measures) {
    expect([plan !== undefined, planNetwork !== undefined]).toEqual([scope !== "network", scope !== "layer"]);
  }
});
