import type { Builder } from "../graph/builder.ts";
import { copiesOf } from "../graph/copies.ts";
import type { Graph, ValueId, ValueType } from "../graph/graph.ts";
import { partAfter } from "../graph/part-after.ts";
import type { RuntimeArray, Session } from "../runtime/session.ts";

type Arrays = ReadonlyMap<ValueId, RuntimeArray>;

/** A graph in two sessions: what does not depend on the values that vary runs once for a batch, the rest for every change. */
export class SplitSession {
  /** How many of the stacked value one run takes. */
  readonly copies: number;
  readonly #above: Session;
  readonly #below: Session | undefined;
  readonly #inputs: ReadonlySet<ValueId>;
  readonly #belowInputs: ReadonlySet<ValueId>;

  private constructor(
    above: Session,
    inputs: Graph["inputs"],
    below: Session | undefined,
    belowInputs: Graph["inputs"],
    copies: number,
  ) {
    this.copies = copies;
    this.#above = above;
    this.#below = below;
    this.#inputs = new Set(inputs.map(({ name }) => name));
    this.#belowInputs = new Set(belowInputs.map(({ name }) => name));
  }

  /**
   * @param graph a graph of values of `b`
   * @param varying the values that every run is fed, with their types
   * @param stacked one of these, of which a run takes several at once: how many, by what has to run for each
   */
  static async open(
    b: Builder,
    graph: Graph,
    varying: ReadonlyMap<ValueId, ValueType>,
    open: (graph: Graph) => Promise<Session>,
    stacked?: { readonly value: ValueId; copies(part: Graph): number },
  ): Promise<SplitSession> {
    const after = partAfter(graph, new Set(varying.keys()), (value) => varying.get(value) ?? b.type(value));
    const given = new Set(b.inputs.map((input) => input.name));
    const carried = after.inputs.map(({ name }) => name).filter((name) => !varying.has(name) && !given.has(name));
    const before = b.graph(new Map(carried.map((value) => [value, value])));
    const copies = stacked?.copies(after) ?? 1;
    const { dims } = (stacked && varying.get(stacked.value)) ?? { dims: [] };
    const above = await open(stacked ? copiesOf(after, stacked.value, dims, copies) : after);
    try {
      const below = carried.length > 0 ? await open(before) : undefined;
      return new SplitSession(above, after.inputs, below, before.inputs, copies);
    } catch (error) {
      await above.release();
      throw error;
    }
  }

  /** What the runs of a batch read besides the values that vary. */
  async below(feeds: Arrays): Promise<Arrays> {
    if (!this.#below) return feeds;
    const carried = await this.#below.run(new Map([...feeds].filter(([name]) => this.#belowInputs.has(name))));
    return new Map([...feeds, ...carried]);
  }

  /** @param given the values of {@link below}, and those that vary */
  run(given: Arrays): Promise<Arrays> {
    return this.#above.run(new Map([...given].filter(([name]) => this.#inputs.has(name))));
  }

  async release(): Promise<void> {
    await this.#above.release();
    await this.#below?.release();
  }
}
