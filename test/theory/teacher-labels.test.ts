import { expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { syntheticProblem } from "../../src/data/synthetic/problem.ts";
import { openTeacher } from "../../src/evaluation/teacher.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { featureRobustness } from "../../src/theory/feature-robustness.ts";
import { orthogonalFamily } from "../../src/theory/feature-family.ts";
import { teacherWarnings } from "../../src/theory/teacher-labels.ts";
import { modelOf } from "../sketch-data.ts";
import { withLayer } from "./opened.ts";

const problem = syntheticProblem({ distribution: { flip: 0.1, redundant: 0, noise: 1 }, samples: 120, testSamples: 1 });
const { x, y } = problem.arrays(problem.train);
const data = arrayDataset({ source: "synthetic", sha256: "" }, [x!, y!]);
const { m, n, labels, flipped } = problem.train;
const session = { provider: "cpu", threads: 1 };

test("a teacher that knows better than flipped labels is counted, and what that is of the loss", async () => {
  const flips = flipped.reduce((sum, flip) => sum + flip, 0);
  expect(flips).toBeGreaterThan(5);
  const teacher = await openTeacher(
    { graph: problem.models.teacher, file: "teacher.onnx" },
    m,
    true,
    nodeRuntime,
    session,
  );
  await withLayer(
    modelOf(problem.models.logistic),
    data,
    "last",
    async (opened) => {
      const label = teacher.label.bind(teacher);
      const [warning] = await teacherWarnings(opened, label);
      expect(warning).toMatchObject({ code: "teacher-disagrees", layer: "head" });
      expect(warning!.text).toContain(`the teacher gives ${flips} of ${n} samples another label`);
      // As nothing moves the label term is the mean of ±score over flipped samples: of ln(1 + e^s) and ln(1 + e^−s) the difference is s.
      const { weights, bias } = problem.logistic;
      const { features } = problem.train;
      let [term, constancy] = [0, 0];
      for (let i = 0; i < n; i++) {
        const score = weights.reduce((sum, weight, j) => sum + weight * features[i * m + j]!, bias);
        const change = flipped[i] === 1 ? (labels[i] === 1 ? score : -score) : 0;
        [term, constancy] = [term + change / n, constancy + Math.abs(change) / n];
      }
      const task = { family: orthogonalFamily(m), deltas: [1e-6], draws: 2, seed: 0, antithetic: false };
      const none = { at: () => undefined };
      const [row] = await featureRobustness(opened, { ...task, labelFunction: label }, none);
      expect(row!.teacher!.labelTerm).toBeCloseTo(term, 5);
      expect(row!.teacher!.labelConstancy).toBeCloseTo(constancy, 5);
      expect(row!.teacher!.measured).toBeCloseTo(term, 5);
    },
    { batch: 50 },
  );
  await teacher.close();
});

test("one that agrees is not mentioned", async () => {
  await withLayer(modelOf(problem.models.logistic), data, "last", async (opened) => {
    let next = 0;
    const given = (_: Float32Array, count: number) => {
      const own = Int32Array.from(labels.subarray(next, next + count));
      next += count;
      return { type: "int32" as const, dims: [count], data: own };
    };
    expect(await teacherWarnings(opened, given)).toEqual([]);
  });
});
