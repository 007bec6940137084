import type { Contents } from "../../src/studies/expansion.ts";
import { type Study, studySchema } from "../../src/studies/schema.ts";
import type { StudyRun } from "../../src/studies/study-run.ts";
import { readDocument } from "../../src/yaml-document.ts";

/** Twelve networks that are trained in milliseconds. */
export const tinyText = `name: tiny
title: Tiny networks
about: Tiny networks for a test.
make:
  kind: train
  recipe:
    model: { name: mlp, hidden: [4] }
    data: { source: "example:digits", split: train, samples: 64 }
    test: { split: test, samples: 64 }
    optimizer: { name: sgd, learningRate: 0.1 }
    batchSize: 32
    stop: { epochs: 2 }
  grid:
    batchSize: [16, 32]
    optimizer:
      slow: { optimizer: { name: sgd, learningRate: 0.01 } }
      fast: { optimizer: { name: sgd, learningRate: 0.1 } }
  seeds: 3
measure:
  measures: [relative-flatness, squared-weight-norm]
analysis: { resamples: 100 }
figures:
  - { kind: correlations }
  - { kind: scatter, color: optimizer }
`;

export function parsed(text: string): Study {
  return readDocument(text, "tiny.yaml", studySchema);
}

/** The tiny study with parts of its text replaced; each must be there. */
export function changed(...replacements: readonly (readonly [string, string])[]): Study {
  return parsed(changedText(...replacements));
}

export function changedText(...replacements: readonly (readonly [string, string])[]): string {
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the tiny study has no ${from}`);
    return text.replace(from, to);
  }, tinyText);
}

/** A disk that holds what it is told. */
export function contents({
  data = "data",
  runtime = "1.0",
  models = [] as readonly { path: string; sha256: string }[],
} = {}): Contents {
  return {
    runtime,
    data: async ({ source, split }) => `${data} ${source} ${split}`,
    models: async () => models,
  };
}

/** A run of one measure, m, of one layer. */
export function run(
  id: string,
  m: number,
  gap: number,
  { settings = {}, facts = {}, epoch = null }: Partial<Pick<StudyRun, "settings" | "facts" | "epoch">> = {},
): StudyRun {
  return {
    run: id,
    epoch,
    settings,
    facts: { "generalization-gap": gap, ...facts },
    values: [value("m", m)],
    origin: {
      model: null,
      data: "d",
      flatness: "0",
      onnxruntime: null,
      provider: null,
      threads: 1,
      batch: null,
      seed: 0,
    },
  };
}

export function value(measure: string, number: number): StudyRun["values"][number] {
  return {
    layer: "fc1",
    measure,
    value: number,
    errorData: null,
    errorProbe: null,
    n: 1,
    method: "exact",
    curvature: null,
    options: {},
    warnings: [],
  };
}
