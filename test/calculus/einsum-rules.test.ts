import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linearityOf } from "../../src/calculus/rules/rule.ts";
import { ruleOf } from "../../src/calculus/rules/table.ts";
import { Builder } from "../../src/graph/builder.ts";
import type { Node } from "../../src/graph/graph.ts";
import { checkComposition } from "./composition-check.ts";
import { checkRule, constantOf, randomFrom, varyingOf, type RuleCase } from "./rule-check.ts";

const RUNS = { numRuns: 40, seed: 3501 };

const random = randomFrom(35);
const x = (...dims: number[]) => varyingOf(dims, random);
const c = (...dims: number[]) => constantOf(dims, random);

async function check(equation: string, ...inputs: RuleCase["inputs"]): Promise<void> {
  const given = { op: "Einsum", attributes: { equation }, inputs };
  await checkRule(given, random);
  await checkComposition(given, random);
}

describe("Einsum", () => {
  const cases: Readonly<Record<string, readonly [string, ...RuleCase["inputs"]]>> = {
    "a matrix product": ["ij,jk->ik", x(2, 3), x(3, 4)],
    "a matrix product with a constant": ["ij,jk->ik", c(2, 3), x(3, 4)],
    "attention scores": ["bhid,bhjd->bhij", x(2, 2, 3, 4), x(2, 2, 5, 4)],
    "attention values, with spaces": [" b h i j , b h j d -> b i h d", x(2, 2, 3, 5), x(2, 2, 5, 4)],
    "a transpose": ["bij->jib", x(2, 3, 4)],
    "a sum over letters of one operand": ["ij->i", x(2, 3)],
    "a sum of everything": ["ij->", x(2, 3)],
    "letters of one operand alone, beside others": ["ijk,jl->il", x(2, 3, 4), x(3, 5)],
    "an outer product": ["i,j->ji", x(2), x(3)],
    "an inner product": ["i,i->", x(3), x(3)],
    "an elementwise product": ["ij,ij->ij", x(2, 3), x(2, 3)],
    "three operands that vary": ["bi,bj,b->ij", x(2, 3), x(2, 4), x(2)],
    "four operands, two of which vary": ["ab,bc,cd,de->ea", c(2, 3), x(3, 4), c(4, 2), x(2, 5)],
    capitals: ["Ab,bC->CA", x(2, 3), x(3, 4)],
  };
  test.each(Object.entries(cases))("%s", async (_, [equation, ...inputs]) => check(equation, ...inputs));

  test("the same operand twice", async () => {
    const b = new Builder();
    const matrix = b.input("x", "float32", [2, 3]);
    const y = b.add("Einsum", [matrix, matrix], { equation: "ij,kj->ik" });
    expect(b.dims(y)).toEqual([2, 2]);
    const node = b.producerOf(y) as Node;
    expect(linearityOf(ruleOf(node)!, { b, node, varies: () => true })).toBe("smooth");
  });

  test("any equation of one to three operands", async () => {
    const letters = "abcde";
    const term = fc.shuffledSubarray([...letters], { minLength: 1, maxLength: 3 });
    const equation = fc.record({
      sizes: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 5, maxLength: 5 }),
      terms: fc.array(term, { minLength: 1, maxLength: 3 }),
      order: fc.shuffledSubarray([...letters], { minLength: 0, maxLength: 3 }),
      varies: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(equation, ({ sizes, terms, order, varies }) => {
        const result = order.filter((letter) => terms.some((own) => own.includes(letter)));
        const dims = terms.map((own) => own.map((letter) => sizes[letters.indexOf(letter)]!));
        const some = varies.slice(0, terms.length).some(Boolean);
        const inputs = dims.map((own, index) => (varies[index] || !some ? x(...own) : c(...own)));
        return check(`${terms.map((own) => own.join("")).join(",")}->${result.join("")}`, ...inputs);
      }),
      RUNS,
    );
  });

  test("an operand of size 1 is broadcast", async () => {
    await check("bi,bi->b", x(1, 3), x(4, 3));
    await check("bi,bj->bij", x(2, 1), x(2, 3));
  });

  test("a diagonal is not supported", () => {
    const b = new Builder();
    const y = b.add("Einsum", [b.input("x", "float32", [3, 3])], { equation: "ii->i" });
    const node = b.producerOf(y) as Node;
    expect(linearityOf(ruleOf(node)!, { b, node, varies: () => true })).toBe("unsupported");
  });
});
