import { z } from "zod";

// What a study may say. Descriptions are what an editor shows.

const whole = z.int().min(1);
const name = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "expected small letters, digits and hyphens");
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const column = z.string().describe("a setting of the grid, or a fact of a run such as train-loss");

const axis = z
  .union([
    z
      .array(scalar)
      .min(1)
      .describe("values of the recipe's key of this name, such as batchSize or stop.epochs, or sampling.labelNoise"),
    z
      .record(z.string(), z.record(z.string(), z.unknown()))
      .describe("named settings, each a part of a recipe that is put over the study's"),
  ])
  .describe("one axis of the grid");

const data = z.strictObject({
  source: z.string().describe("a file or folder of data, or example:digits"),
  split: z.string().optional().describe("train or test, where the source has parts"),
  preprocess: z.string().optional().describe("steps such as scale=255,pad=2,channels=3"),
  samples: whole.optional().describe("the first so many; default all"),
});

export const samplingSchema = z
  .strictObject({
    classes: z.array(z.int().min(0)).min(2).optional().describe("only these, numbered anew; of the test data too"),
    subset: whole.optional().describe("so many training samples, drawn at random"),
    labelNoise: z.number().min(0).max(1).default(0).describe("share of training labels that are drawn anew, uniformly"),
    seed: z
      .int()
      .min(0)
      .default(0)
      .describe("of subset and noise: the same for all networks, unless an axis changes it"),
  })
  .describe("which of the data, and what is done to its labels");

const train = z.strictObject({
  kind: z.literal("train"),
  recipe: z.record(z.string(), z.unknown()).describe("what all networks have in common: a recipe of `flatness train`"),
  sampling: samplingSchema.prefault({}),
  grid: z.record(z.string(), axis).default({}).describe("what differs: every combination is trained"),
  seeds: z
    .union([whole, z.array(z.int().min(0)).min(1)])
    .default(1)
    .describe("so many networks of each combination, or their seeds"),
  networks: whole.optional().describe("at most so many, combinations in turn before a next seed; default all"),
  record: whole.optional().describe("epochs between records: the measures are taken then too; default only at the end"),
});

const models = z.strictObject({
  kind: z.literal("models"),
  files: z
    .array(
      z.strictObject({
        model: z.string().describe("an .onnx file, or a pattern such as runs/*/model.onnx"),
        weights: z.string().optional().describe("a file of weights, or a pattern: a run each"),
        settings: z.record(z.string(), scalar).default({}).describe("what is to be known of these runs"),
      }),
    )
    .min(1),
  data: data.describe("what the models were trained on"),
  test: data.describe("what they never saw"),
});

const synthetic = z.strictObject({
  kind: z.literal("synthetic"),
  separations: z.array(z.number().min(0)).min(1).describe("class separations c: clusters at the corners ±c"),
  repetitions: whole.default(100).describe("data sets for each separation"),
  samples: whole.default(500).describe("training samples of a data set"),
  testSamples: whole.default(2000).describe("samples that estimate the risk"),
  informative: whole.default(3),
  redundant: z.int().min(0).default(4),
  redundantNoise: z.number().min(0).default(0),
  noise: z.int().min(0).default(3),
  clustersPerClass: whole.default(2),
  clusters: z.enum(["round", "stretched"]).default("round"),
  labels: z.enum(["likelier", "cluster"]).default("likelier"),
  flip: z.number().min(0).max(1).default(0),
  phi: z.array(whole).default([]).describe("widths of φ from its inputs to its last hidden layer; empty: none"),
  head: z.enum(["ridge", "logistic"]).default("ridge").describe("the classifier that is fitted to the features"),
  penalty: z.number().min(0).optional().describe("of the head; default 1 for ridge, 0.01 for logistic"),
  draws: whole.default(20).describe("random draws a sample for label constancy"),
  splits: whole.default(10).describe("random splits for the density estimate"),
  seed: z.int().min(0).default(0),
});

const measure = z.strictObject({
  layers: z
    .union([z.enum(["last", "all"]), z.array(z.string()).min(1)])
    .default("last")
    .describe("layers by name, all, or the one nearest to the outputs"),
  measures: z.array(z.string()).min(1).describe("names of `flatness measures`"),
  samples: whole.optional().describe("measure on the first so many training samples; default all"),
  curvature: z.enum(["hessian", "gauss-newton"]).optional(),
  method: z.enum(["auto", "exact", "probes"]).optional(),
  reparameterize: z
    .tuple([z.number().positive(), z.number().positive()])
    .optional()
    .describe(
      "measure a twin of the same function: each layer is scaled by a random factor between these, the next by its inverse",
    ),
});

const exclusion = z
  .strictObject({
    column,
    above: z.number().optional(),
    below: z.number().optional(),
    equals: scalar.optional(),
    reason: z.string().describe("why such runs do not count"),
  })
  .describe("runs that do not count; they are listed in the report");

const analysis = z.strictObject({
  target: z.string().default("generalization-gap").describe("the fact that the measures should go with"),
  correlation: z
    .enum(["kendall", "spearman", "pearson"])
    .default("kendall")
    .describe("the one in figures and strata; all three are in the tables"),
  controls: z.array(column).default([]).describe("held fixed in partial correlations, and stratified by"),
  by: column.optional().describe("correlations in each group of runs with the same value"),
  axes: z.array(z.string()).optional().describe("axes for granulated Kendall and sign-error; default the grid's"),
  exclude: z.array(exclusion).default([]),
  equalLoss: z
    .number()
    .positive()
    .optional()
    .describe("compare networks at this train loss, interpolated between records; needs make.record"),
  strata: z.int().min(2).default(3).describe("groups that a numeric control is cut into"),
  confidence: z.number().min(0.5).max(0.999).default(0.95),
  resamples: z.int().min(100).default(2000).describe("of bootstrap and permutations"),
  seed: z.int().min(0).default(0),
});

const shown = {
  measures: z.array(z.string()).optional().describe("default all"),
  title: z.string().optional(),
};

const figure = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("scatter").describe("the target against each measure, a point a run"),
    ...shown,
    color: column.optional(),
    logarithmic: z.boolean().default(false),
  }),
  z.strictObject({
    kind: z.literal("correlations").describe("each measure's correlation with its interval"),
    ...shown,
  }),
  z.strictObject({
    kind: z.literal("groups").describe("the correlation in each group, over the group's value or a fact's mean in it"),
    ...shown,
    x: column.optional(),
  }),
  z.strictObject({
    kind: z.literal("trend").describe("measures and facts over a numeric column, mean and range of the runs"),
    ...shown,
    x: column,
    facts: z.array(z.string()).default([]),
    logarithmic: z.boolean().default(false),
  }),
]);

export const studySchema = z.strictObject({
  name: name,
  title: z.string(),
  about: z.string().describe("what it asks, and what it reproduces"),
  deviations: z.array(z.string()).default([]).describe("where it differs from what it reproduces, and why"),
  make: z.discriminatedUnion("kind", [train, models, synthetic]),
  measure: measure.optional().describe("not for synthetic data, whose measures are fixed"),
  analysis: analysis.prefault({}),
  figures: z.array(figure).default([]),
});

export type Study = z.output<typeof studySchema>;
export type TrainMake = Extract<Study["make"], { kind: "train" }>;
export type ModelsMake = Extract<Study["make"], { kind: "models" }>;
export type SyntheticMake = Extract<Study["make"], { kind: "synthetic" }>;
export type MeasureChoice = z.output<typeof measure>;
export type Sampling = z.output<typeof samplingSchema>;
export type Analysis = z.output<typeof analysis>;
export type FigureChoice = z.output<typeof figure>;
export type DataChoice = z.output<typeof data>;

/** The JSON Schema of a study file, for editors. */
export function studyJsonSchema(): unknown {
  return z.toJSONSchema(studySchema, { io: "input" });
}
