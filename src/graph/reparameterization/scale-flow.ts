import type { Builder } from "../builder.ts";
import type { Graph, Node, ValueId, ValueType } from "../graph.ts";
import { describe } from "../graph.ts";
import type { Use } from "../layers.ts";
import type { Flow } from "./homogeneity-rule.ts";
import { homogeneity } from "./homogeneity.ts";
import { rowsOf, takeUp, type LayerScales } from "./layer-scales.ts";
import { ANY, ONE, type ScaleClasses } from "./scale-classes.ts";
import { merged, ofRank, uniform, type ScaleMap } from "./scale-map.ts";

/** Constants beyond this stay as they are: they are tables and masks. */
const LARGEST_SCALED = 2 ** 22;

/** Carries the scales of values through a graph, node by node, and collects what they have to fulfil. */
export class ScaleFlow {
  /** Constants that are scaled along, with the scale of each element. */
  readonly constants = new Map<ValueId, ScaleMap>();
  readonly #maps = new Map<ValueId, ScaleMap>();
  readonly #held = new Map<ValueId, ScaleMap>();
  readonly #ofConstants = new Set<ValueId>();
  readonly #uses = new Map<ValueId, { use: Use; scales: LayerScales }>();
  readonly #weights: ReadonlySet<ValueId>;
  readonly #graph: Graph;
  readonly #original: Graph;
  readonly #builder: Builder;
  readonly #classes: ScaleClasses;

  constructor(graph: Graph, original: Graph, builder: Builder, classes: ScaleClasses, layers: readonly LayerScales[]) {
    this.#graph = graph;
    this.#original = original;
    this.#builder = builder;
    this.#classes = classes;
    this.#weights = new Set(layers.flatMap(({ weights }) => [...weights]));
    for (const scales of layers)
      for (const use of scales.layer.uses) this.#uses.set(use.preactivation, { use, scales });
  }

  /** Carries scales over a node, those before it having been carried. */
  pass(node: Node): void {
    const [output = ""] = node.outputs;
    if (this.#weights.has(output)) return;
    const inputs = node.inputs.filter((input) => input !== "");
    if (inputs.every((input) => this.#isConstant(input)))
      for (const value of node.outputs) this.#ofConstants.add(value);
    for (const value of node.captures ?? []) this.fix(value, `node ${describe(node)} reads it in a subgraph`);
    const use = this.#uses.get(output);
    const maps = (use ? this.#throughLayer(node, use) : this.#through(node)) ?? this.#stop(node);
    node.outputs.forEach((value, index) => {
      const map = maps[index];
      if (map && this.#builder.typeIfKnown(value)?.type.includes("float")) this.#maps.set(value, map);
    });
  }

  /** Demands that a value stays as it is. */
  fix(value: ValueId, why: string): void {
    if (this.#graph.constants.has(value)) this.#hold(value, why);
    else for (const scale of this.#scale(value).scales) this.#classes.fix(scale, why);
  }

  #throughLayer(node: Node, { use, scales }: { use: Use; scales: LayerScales }): ScaleMap[] | undefined {
    const [features, z] = [use.features, use.preactivation].map((value) => this.#builder.typeIfKnown(value)?.dims);
    if (!features || !z) {
      for (const scale of scales.rows)
        this.#classes.fix(scale, `the shapes around layer ${scales.layer.name} are unknown`);
      return undefined;
    }
    if (use.kind === "embedding") {
      for (const scale of scales.columns) this.#classes.fix(scale, `layer ${scales.layer.name} reads tokens`);
    } else takeUp(scales, use, this.#scale(use.features), features, this.#classes);
    const rows = rowsOf(scales, use, z.length);
    // Two uses of a weight make the same rows, whatever comes of them.
    const bias = node.inputs[2];
    if (bias === undefined || bias === "") return [rows];
    const { dims, scales: added } = this.#scale(bias);
    const isGemm = node.op === "Gemm";
    const ofBias = isGemm ? { dims, scales: added } : { dims: [1, ...dims, ...z.slice(2).map(() => 1)], scales: added };
    return [merged([rows, ofRank(ofBias, z.length)], this.#classes, `node ${describe(node)}`)];
  }

  #through(node: Node): readonly ScaleMap[] | undefined {
    const rule = node.domain === "" ? homogeneity[node.op] : undefined;
    const types = node.inputs.map((input) => this.#builder.typeIfKnown(input));
    const unknown = node.inputs.some((input, index) => input !== "" && !types[index]);
    if (!rule || unknown || !node.outputs.every((value) => value === "" || this.#builder.typeIfKnown(value))) {
      return undefined;
    }
    return rule(this.#flowAt(node, types));
  }

  #flowAt(node: Node, types: readonly (ValueType | undefined)[]): Flow {
    const who = `node ${describe(node)}`;
    const why = `${who} is not positively homogeneous in it`;
    const at = (index: number) => node.inputs[index] ?? "";
    return {
      node,
      query: { node, inputs: types, constant: (index) => this.#builder.constantOf(at(index)) },
      classes: this.#classes,
      who,
      output: (index) => this.#builder.dims(node.outputs[index] as ValueId),
      scale: (index) => this.#scale(at(index)),
      isConstant: (index) => this.#isConstant(at(index)),
      isHeld: (index) => this.#isConstant(at(index)) || this.#isFixed(this.#scale(at(index))),
      hold: (index) => {
        const value = at(index);
        if (this.#graph.constants.has(value)) return this.#hold(value, why);
        this.fix(value, why);
        return this.#scale(value);
      },
    };
  }

  /** The node reads its inputs as they were, and so makes what it made. */
  #stop(node: Node): readonly ScaleMap[] {
    const why = `node ${describe(node)} is not positively homogeneous`;
    for (const input of node.inputs) if (input !== "" && !this.#weights.has(input)) this.fix(input, why);
    return [];
  }

  #isConstant(value: ValueId): boolean {
    return this.#graph.constants.has(value) || this.#ofConstants.has(value);
  }

  #isFixed({ scales }: ScaleMap): boolean {
    return scales.every((scale) => this.#classes.isFixed(scale));
  }

  #scale(value: ValueId): ScaleMap {
    const known = this.#maps.get(value) ?? this.#held.get(value) ?? this.constants.get(value);
    if (known) return known;
    const tensor = this.#graph.constants.get(value);
    if (!tensor) return uniform(this.#builder.typeIfKnown(value)?.dims.length ?? 0, ONE);
    const own = this.#original.constants.has(value) && !this.#weights.has(value);
    if (!own || !["float32", "float64"].includes(tensor.type) || tensor.size > LARGEST_SCALED) {
      return this.#hold(value, `constant ${value} stays as it is`);
    }
    const scales = Int32Array.from(tensor.numbers(), (number) => (number === 0 ? ANY : this.#classes.fresh()));
    const map = { dims: tensor.dims, scales };
    this.constants.set(value, map);
    return map;
  }

  /** A constant that stays as it is. */
  #hold(value: ValueId, why: string): ScaleMap {
    const known = this.#held.get(value);
    if (known) return known;
    const tensor = this.#graph.constants.get(value);
    for (const scale of this.constants.get(value)?.scales ?? []) this.#classes.fix(scale, why);
    this.constants.delete(value);
    // Only zero is the same at every scale, and what is no number has none.
    const large = !tensor || tensor.size > LARGEST_SCALED || !tensor.type.includes("float");
    const map = large
      ? uniform(tensor?.dims.length ?? 0, ONE)
      : { dims: tensor.dims, scales: Int32Array.from(tensor.numbers(), (number) => (number === 0 ? ANY : ONE)) };
    this.#held.set(value, map);
    return map;
  }
}
