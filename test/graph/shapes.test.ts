import { describe, expect, it, test } from "vitest";
import { shapeRules } from "../../src/graph/shapes/table.ts";
import { elementwiseCases } from "./cases/elementwise.ts";
import { linearCases } from "./cases/linear.ts";
import { movementCases } from "./cases/movement.ts";
import { poolingCases } from "./cases/pooling.ts";
import { normalizationCases, reductionCases } from "./cases/reduction.ts";
import { infer, label, oneNode, runNode } from "./one-node.ts";

const families = {
  linear: linearCases,
  pooling: poolingCases,
  elementwise: elementwiseCases,
  movement: movementCases,
  reduction: reductionCases,
  normalization: normalizationCases,
};

describe.each(Object.entries(families))("the inferred shapes of %s operators are those of the runtime", (_, cases) => {
  const rows = cases.map(oneNode);
  test.each(rows.map((row) => [label(row), row] as const))("%s", async (__, row) => {
    const outputs = await runNode(row);
    const inferred = infer(row);
    expect(inferred.dims).toEqual(outputs.map(({ dims }) => [...dims]));
    expect(inferred.type).toEqual(outputs.map(({ type }) => type));
  });
});

it("every operator of the table has a case", () => {
  const covered = new Set(Object.values(families).flatMap((cases) => cases.map(([op]) => op)));
  expect(Object.keys(shapeRules).filter((op) => !covered.has(op))).toEqual([]);
});
