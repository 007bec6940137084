import type { Graph, ValueId } from "../graph/graph.ts";
import type { Dims, ElementType, TypedArray } from "../graph/tensor.ts";

/** An array that goes into a session or comes out of one. */
export interface RuntimeArray {
  readonly type: ElementType;
  readonly dims: Dims;
  readonly data: TypedArray;
}

/** A graph made ready to run. It holds native memory until it is released. */
export interface Session {
  run(inputs: ReadonlyMap<ValueId, RuntimeArray>): Promise<ReadonlyMap<ValueId, RuntimeArray>>;
  release(): Promise<void>;
}

export interface SessionOptions {
  /** Execution provider, such as cpu, cuda, webgpu. */
  readonly provider: string;
  /** Threads inside one operator; results are bit-identical for the same number. */
  readonly threads: number;
}

/** What runs graphs: ONNX Runtime in Node, or in a page. */
export interface Runtime {
  readonly name: string;
  readonly version: string;
  /** Processor cores, the default number of threads. */
  readonly cores: number;
  /** Providers that this build can use here. */
  readonly providers: readonly string[];
  /**
   * @throws UsageError for a provider that is not available
   * @throws ModelError when the runtime refuses the graph
   */
  open(graph: Graph, options: SessionOptions): Promise<Session>;
}
