export { measure, measureRuns, type MeasureFileOptions, type MeasureRunsOptions, type Run } from "./measure.ts";
export { measureArrays } from "./measure-arrays.ts";
export { train, type TrainFileOptions } from "./train.ts";
export type { Trained } from "./training/train.ts";
export type { Epoch } from "./training/history.ts";
export type { Recipe, RecipeInput } from "./training/recipe.ts";
export type { TrainingResult } from "./training/result.ts";
export { explainWeights, withWeights, type WeightedModel, type WeightListing } from "./weights.ts";
export { layers, type LayersOptions } from "./layers.ts";
export {
  reparameterize,
  type Reparameterization,
  type ReparameterizationReport,
  type ReparameterizeOptions,
  type Reparameterized,
} from "./reparameterize.ts";
export { randomTwins, type RandomTwins } from "./graph/reparameterization/random-twins.ts";
export type { LayerListing, ListedLayer } from "./evaluation/list-layers.ts";
export { measureModel, type Measurement, type Sampled, type Subject } from "./evaluation/measure-model.ts";
export type { MeasureOptions } from "./evaluation/options.ts";
export type {
  Environment,
  InvarianceRow,
  LayerRow,
  PerSample,
  Result,
  ResultRow,
  Runs,
  TestData,
  Warning,
  WarningCode,
  Weights,
} from "./evaluation/result.ts";
export { measures } from "./measures/catalog.ts";
export type { Curvature, Invariance, Measure, Method, Need, Noise, Normalization } from "./measures/measure.ts";
export { robustness, type RobustnessFileOptions } from "./robustness.ts";
export { bound, type BoundFileOptions } from "./bound.ts";
export { measureRobustness, type RobustnessOptions } from "./theory/measure-robustness.ts";
export { measureBound, type BoundOptions } from "./theory/measure-bound.ts";
export type { FamilyChoice } from "./theory/chosen-family.ts";
export type { Density } from "./theory/density.ts";
export type { BoundResult, BoundRow, RobustnessResult, RobustnessRow } from "./theory/result.ts";
export { boundHtml } from "./report/bound-html.ts";
export { robustnessHtml } from "./report/robustness-html.ts";
export { losses } from "./losses/catalog.ts";
export type { Loss } from "./losses/loss.ts";
export { openDataset } from "./data/open.ts";
export type { Batch, Dataset, Field, NamedArray } from "./data/dataset.ts";
export {
  type FeatureSamples,
  syntheticDistribution,
  type SyntheticDistribution,
  type SyntheticOptions,
} from "./data/synthetic.ts";
export { headRisk, type HeadRisk, type LinearHead } from "./data/synthetic/linear-head.ts";
export { syntheticProblem, type SyntheticProblem, type SyntheticProblemOptions } from "./data/synthetic/problem.ts";
export { RandomStream } from "./statistics/random.ts";
export { readModel, type ModelFile } from "./graph/files.ts";
export { decodeModel, encodeModel } from "./graph/onnx.ts";
export type { Graph, Node, ValueId, ValueInfo } from "./graph/graph.ts";
export { nodeRuntime } from "./runtime/node.ts";
export type { Runtime, Session } from "./runtime/session.ts";
export { resultTable } from "./report/table.ts";
export { resultCsv, runsCsv } from "./report/csv.ts";
export { resultHtml } from "./report/html.ts";
export { runsHtml } from "./report/runs-html.ts";
export { runsTable } from "./report/runs-table.ts";
export { localData, localModel, type LocalPath, type LocalPathOptions } from "./remote/local-path.ts";
export {
  DataError,
  DivergenceError,
  DownloadError,
  FlatnessError,
  Interruption,
  ModelError,
  UnsupportedOperatorError,
  UsageError,
} from "./errors.ts";
export { version } from "./version.ts";
