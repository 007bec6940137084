export { measure, measureRuns, type MeasureFileOptions, type MeasureRunsOptions, type Run } from "./measure.ts";
export { explainWeights, withWeights, type WeightedModel, type WeightListing } from "./weights.ts";
export { layers, type LayersOptions } from "./layers.ts";
export type { LayerListing, ListedLayer } from "./evaluation/list-layers.ts";
export { measureModel, type Measurement, type Sampled, type Subject } from "./evaluation/measure-model.ts";
export type { MeasureOptions } from "./evaluation/options.ts";
export type {
  Environment,
  LayerRow,
  PerSample,
  Result,
  ResultRow,
  Runs,
  Warning,
  Weights,
} from "./evaluation/result.ts";
export { measures } from "./measures/catalog.ts";
export type { Curvature, Measure, Method } from "./measures/measure.ts";
export { losses } from "./losses/catalog.ts";
export type { Loss } from "./losses/loss.ts";
export { openDataset } from "./data/open.ts";
export type { Batch, Dataset, Field, NamedArray } from "./data/dataset.ts";
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
  DownloadError,
  FlatnessError,
  Interruption,
  ModelError,
  UnsupportedOperatorError,
  UsageError,
} from "./errors.ts";
export { version } from "./version.ts";
