import { z } from "zod";
import { losses } from "../losses/catalog.ts";
import { measures } from "../measures/catalog.ts";
import { generalizationGap } from "../measures/generalization-gap.ts";

// What a recipe may say. Descriptions are what an editor shows.

const positive = z.number().positive();
const notNegative = z.number().min(0);
const whole = z.int().min(1);
const share = z.number().min(0).max(1);
/** A decay rate, a momentum. */
const rate = z.number().min(0).lt(1);
const names = z.array(z.string()).min(1);

const model = z
  .discriminatedUnion("name", [
    z.strictObject({
      name: z.literal("mlp"),
      hidden: z.array(whole).default([32, 32]).describe("neurons of each hidden layer"),
      activation: z.enum(["relu", "tanh", "sigmoid", "gelu"]).default("relu").describe("between layers"),
    }),
    z.strictObject({ name: z.literal("lenet5") }),
    z.strictObject({
      name: z.literal("resnet-small"),
      width: whole.default(16).describe("channels of the first stage; each further stage has twice as many"),
      stages: whole.default(3).describe("parts of the network that work at one size of image"),
      blocks: whole.default(1).describe("residual blocks a stage"),
    }),
    z.strictObject({
      name: z.literal("vit-tiny"),
      patch: whole.default(4).describe("pixels on a side of a patch"),
      width: whole.default(32).describe("numbers of a token; a multiple of heads"),
      depth: whole.default(2).describe("blocks of attention and MLP"),
      heads: whole.default(4).describe("of the attention of a block"),
    }),
    z.strictObject({
      name: z.literal("gpt-tiny"),
      width: whole.default(32).describe("numbers of a token; a multiple of heads"),
      depth: whole.default(2).describe("blocks of attention and MLP"),
      heads: whole.default(4).describe("of the attention of a block"),
    }),
    z.strictObject({
      name: z.literal("onnx"),
      file: z.string().describe("a model whose weights are the start"),
      train: names
        .optional()
        .describe("constants or layers to train, by name; default: weights, biases, normalizations and embeddings"),
    }),
  ])
  .describe("what is trained: a built-in model, made for the data, or an ONNX file");

const initialization = z.strictObject({
  name: z
    .enum(["torch", "xavier-normal", "xavier-uniform", "kaiming-normal", "kaiming-uniform", "orthogonal"])
    .default("torch")
    .describe("torch: uniform to ±1/√fan-in, biases too; with the others biases are 0"),
  scale: positive.default(1).describe("multiplies all initial weights and biases"),
});

const weightDecay = notNegative.default(0).describe("λ: adds λ w to the gradient; AdamW multiplies w by 1 − ηλ");
const learningRate = positive.describe("η");
const epsilon = positive.default(1e-8).describe("ε, added to the root of the mean of squares");
const adamFields = {
  learningRate,
  beta: z.tuple([rate, rate]).default([0.9, 0.999]).describe("β₁ and β₂"),
  epsilon,
  weightDecay,
};

const optimizer = z.discriminatedUnion("name", [
  z.strictObject({
    name: z.literal("sgd"),
    learningRate,
    momentum: rate.default(0).describe("μ; 0: none"),
    nesterov: z.boolean().default(false).describe("needs a momentum"),
    weightDecay,
  }),
  z.strictObject({ name: z.literal("adam"), ...adamFields }),
  z.strictObject({ name: z.literal("adamw"), ...adamFields }),
  z.strictObject({
    name: z.literal("rmsprop"),
    learningRate,
    alpha: rate.default(0.99).describe("decay of the mean of squares"),
    momentum: rate.default(0).describe("μ; 0: none"),
    epsilon,
    weightDecay,
  }),
]);

const warmUp = notNegative.default(0).describe("epochs over which the rate grows from 0");
const schedule = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("constant"), warmUp }),
  z.strictObject({
    name: z.literal("step"),
    every: whole.describe("epochs between two drops"),
    factor: positive.default(0.1).describe("what the rate is multiplied by"),
    warmUp,
  }),
  z.strictObject({
    name: z.literal("cosine"),
    final: share.default(0).describe("the last rate, as a share of the first"),
    warmUp,
  }),
  z.strictObject({
    name: z.literal("one-cycle"),
    rise: share.default(0.3).describe("share of the steps in which the rate grows to its peak, the learning rate"),
    start: notNegative.default(1 / 25).describe("the first rate, as a share of the peak"),
    final: notNegative.default(1e-4 / 25).describe("the last rate, as a share of the peak"),
  }),
]);

const regularizer = z.discriminatedUnion("name", [
  z.strictObject({
    name: z.literal("flatness"),
    strength: notNegative.describe("λ: adds λ κ, the layer's relative flatness on the batch, to the loss"),
    layer: z.string().default("last"),
    curvature: z.enum(["hessian", "gauss-newton"]).default("hessian").describe("for a layer that is not the last"),
  }),
  z.strictObject({ name: z.literal("sam"), radius: positive.default(0.05).describe("ρ") }),
  z.strictObject({
    name: z.literal("asam"),
    radius: positive.default(0.5).describe("ρ"),
    offset: notNegative.default(0.01).describe("η, added to each |w|"),
  }),
  z.strictObject({
    name: z.literal("norm"),
    strength: notNegative.describe("λ: adds λ Σ‖W‖² to the loss"),
    layers: z
      .union([z.enum(["all", "last"]), names])
      .default("all")
      .describe("of them by name, or all, or last"),
  }),
]);

const source = {
  split: z.string().optional().describe("train or test, where the source has parts"),
  samples: z
    .union([whole, z.string()])
    .optional()
    .describe("the first so many, or those listed in an .npy or .npz file; default all"),
  subset: whole.optional().describe("so many of them, drawn by the seed"),
};

const data = z.strictObject({
  source: z.string().describe("a file or folder of data, or example:digits"),
  preprocess: z.string().optional().describe("steps such as scale=255,pad=2,channels=3"),
  labels: z.string().default("y").describe("the array of labels"),
  ...source,
  seed: z.int().min(0).optional().describe("of subset, holdOut and labelNoise; default: the recipe's seed"),
  holdOut: rate.default(0).describe("share of the samples that is kept out of training and used as test data"),
  labelNoise: share.default(0).describe("share of the training samples that get another class, drawn by the seed"),
  augmentation: z
    .strictObject({
      flip: z.boolean().default(false).describe("mirrors half of the images, drawn anew each epoch"),
      crop: notNegative
        .int()
        .default(0)
        .describe("shifts images by up to so many pixels in each direction; what comes in is 0"),
    })
    .prefault({})
    .describe("changes of the training images at random"),
});

const stop = z.strictObject({
  epochs: whole.default(100).describe("passes over the data at most"),
  trainLoss: z.number().optional().describe("when the loss on the training data is below"),
  trainAccuracy: share.optional().describe("when the accuracy on the training data is at least"),
  testAccuracy: share.optional().describe("when the accuracy on the test data is at least"),
  gradient: z
    .strictObject({
      below: positive.describe("ε"),
      layer: z
        .string()
        .default("all")
        .describe("a layer or last: of its weight; a parameter; or all parameters together"),
    })
    .optional()
    .describe("when the norm of the loss's gradient on the training data is below"),
  patience: z
    .strictObject({
      of: z.enum(["trainLoss", "testLoss", "testAccuracy"]).default("testLoss").describe("what is to become better"),
      evaluations: whole.describe("how many in a row without a better value"),
    })
    .optional()
    .describe("when the value has not become better for so many evaluations"),
  divergence: positive.default(1000).describe("as diverging, when a batch's loss is so many times the first batch's"),
});

const measure = z.strictObject({
  every: whole.default(10).describe("epochs between two measurements; the end is measured"),
  measures: z
    .array(z.enum(measures.map(({ name }) => name)))
    .default(["relative-flatness"])
    .describe("as flatness measures lists them"),
  layers: z
    .union([z.enum(["all", "last"]), names])
    .default("last")
    .describe("of them by name, or all, or last"),
  samples: whole.optional().describe("the first so many training samples; default all"),
  method: z.enum(["auto", "exact", "probes"]).default("auto").describe("auto: exact where it costs little"),
  curvature: z.enum(["hessian", "gauss-newton"]).default("hessian").describe("of the loss, or its Gauss-Newton part"),
});

export const recipeSchema = z
  .strictObject({
    model,
    initialization: initialization.prefault({}).describe("of a built-in model"),
    data: data.describe("what is trained on"),
    test: z
      .strictObject({ source: z.string().optional().describe("default: that of data"), ...source })
      .optional()
      .describe("data that is not trained on; loss and accuracy on it are recorded"),
    loss: z
      .enum(losses.map(({ name }) => name))
      .optional()
      .describe("default: cross-entropy for integer labels, else squared-error-mean"),
    batchSize: whole.default(32).describe("samples of a step; the last of an epoch may have fewer"),
    optimizer: optimizer.describe("how a gradient becomes a step, as PyTorch has it"),
    schedule: schedule.prefault({ name: "constant" }).describe("how the learning rate changes from step to step"),
    clip: positive.optional().describe("largest norm of the gradient"),
    regularizers: z
      .array(regularizer)
      .default([])
      .describe("what is added to the loss, or where its gradient is taken"),
    stop: stop
      .prefault({})
      .describe("when training ends: by the first of these rules that is met at the end of an epoch"),
    evaluate: whole
      .default(1)
      .describe("epochs between evaluations of all training and test data; the last epoch is evaluated"),
    measure: measure.optional().describe("what is measured while training"),
    checkpoint: z
      .strictObject({
        epochs: whole.default(1).describe("epochs between two checkpoints"),
        minutes: positive.optional().describe("minutes between two, within an epoch too"),
      })
      .prefault({})
      .describe("what --resume goes on from"),
    seed: z.int().min(0).default(0).describe("of everything random"),
    provider: z.string().default("cpu").describe("of the runtime: cpu, cuda, webgpu, …"),
    threads: whole.default(1).describe("of the runtime; weights are bit-identical for the same number"),
  })
  .check(({ value, issues }) => {
    const refuse = (path: (string | number)[], message: string) =>
      issues.push({ code: "custom", path, message, input: value });
    const { optimizer: chosen, regularizers, stop: rules } = value;
    if (chosen.name === "sgd" && chosen.nesterov && chosen.momentum === 0) {
      refuse(["optimizer", "nesterov"], "expected a momentum above 0 beside it");
    }
    const sharp = regularizers.flatMap(({ name }, index) => (name === "sam" || name === "asam" ? [index] : []));
    if (sharp[1] !== undefined) refuse(["regularizers", sharp[1]], "expected one of sam and asam, and once");
    const tests = value.test !== undefined || value.data.holdOut > 0;
    if (value.test && value.data.holdOut > 0) refuse(["data", "holdOut"], "expected either this or test");
    if (rules.testAccuracy !== undefined && !tests)
      refuse(["stop", "testAccuracy"], "expected test data: test or holdOut");
    const gap = value.measure?.measures.findIndex((name) => name === generalizationGap.name) ?? -1;
    if (gap >= 0 && !tests) refuse(["measure", "measures", gap], "expected test data, test or holdOut");
    if (rules.patience && rules.patience.of !== "trainLoss" && !tests) {
      refuse(["stop", "patience"], "expected test data, test or holdOut; or of: trainLoss");
    }
  });

/** A recipe as it is written, defaults left out. */
export type RecipeInput = z.input<typeof recipeSchema>;
/** A recipe with its defaults. */
export type Recipe = z.output<typeof recipeSchema>;
