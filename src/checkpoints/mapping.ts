import type { Graph } from "../graph/graph.ts";
import { isNeeded, type Parameter, parameters } from "../graph/parameters.ts";
import type { Dims, Tensor } from "../graph/tensor.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { commonNames, dotted, nameInFile, type Prefixes } from "./common-names.ts";
import { areSame, type Layout, layoutsOf, shapeKey, storedDims } from "./layouts.ts";

/** A parameter of the model and the tensor of the file that replaces it. */
export interface Match {
  readonly parameter: Parameter;
  readonly tensor: string;
  readonly dims: Dims;
  /** `name`: the same but for a prefix. `module`: by the exporter's notes on the nodes. `shape`: no other has it. `order`: among equals. */
  readonly by: "name" | "module" | "shape" | "order";
  readonly layout: Layout;
}

/** Which tensor of a file becomes which parameter of a model, and what remains on both sides. */
export interface Mapping {
  readonly prefixes: Prefixes;
  readonly matches: readonly Match[];
  /** What stays as the model has it, and why that is right. */
  readonly kept: readonly { readonly parameter: Parameter; readonly reason: string }[];
  /** What of the file is no weight, and why. */
  readonly ignored: readonly { readonly tensor: string; readonly reason: string }[];
  readonly missing: readonly Parameter[];
  readonly leftOver: readonly string[];
  /** Contradictions, as clauses: `fc.weight is [10, 84] in the model and [10, 64] in the file`. */
  readonly problems: readonly string[];
}

/**
 * Finds the tensor for every parameter: by equal names, prefixes aside; by the names that the exporter noted; then, among what
 * is left of both, by a shape that is the only one of its kind, or by order where as many parameters as tensors have it.
 *
 * A square matrix says nothing of whether it is transposed: the other matrices do, and where there are none PyTorch's
 * convention holds, outputs first.
 *
 * @throws UsageError where the file has several sets of weights that fit
 */
export function mapWeights(graph: Graph, checkpoint: Checkpoint): Mapping {
  return new Mapper(parameters(graph), checkpoint).map();
}

class Mapper {
  readonly #checkpoint: Checkpoint;
  readonly #parameters: readonly Parameter[];
  readonly #prefixes: Prefixes;
  readonly #byName: ReadonlyMap<string, string>;
  readonly #matches = new Map<Parameter, Match>();
  readonly #used = new Set<string>();
  readonly #problems: string[] = [];
  /** Parameters whose tensor is known by name and does not fit. */
  readonly #misfits = new Set<Parameter>();

  constructor(all: readonly Parameter[], checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint;
    this.#parameters = all;
    this.#prefixes = commonNames(all, checkpoint);
    this.#byName = new Map([...checkpoint.tensors.keys()].map((name) => [dotted(name), name]));
  }

  map(): Mapping {
    this.#matchNames("name", ({ name }) => [name]);
    this.#matchNames("module", ({ framework }) => framework);
    this.#matchShapes();
    const { kept, missing } = this.#unmatched();
    return {
      prefixes: this.#prefixes,
      matches: this.#parameters.flatMap((parameter) => this.#matches.get(parameter) ?? []),
      kept,
      missing,
      ...this.#unused(),
      problems: this.#problems,
    };
  }

  #tensor(name: string): Tensor {
    return this.#checkpoint.tensors.get(name) as Tensor;
  }

  #matchNames(by: "name" | "module", names: (parameter: Parameter) => readonly string[]): void {
    const squares: [Parameter, string][] = [];
    const matched: Match[] = [];
    for (const parameter of this.#parameters) {
      if (this.#matches.has(parameter) || this.#misfits.has(parameter)) continue;
      const places = names(parameter).map((name) => this.#byName.get(nameInFile(name, this.#prefixes) ?? ""));
      const name = places.find((place) => place !== undefined && !this.#used.has(place));
      if (name === undefined) continue;
      const layouts = this.#layouts(parameter, name);
      if (layouts.length > 1) squares.push([parameter, name]);
      else if (layouts[0]) matched.push(this.#match(parameter, name, by, layouts[0]));
      else if (by === "name" || isNeeded(parameter)) {
        this.#misfit(
          parameter,
          `${parameter.name} is ${kindOf(parameter)} in the model, ${name} ${kindOf(this.#tensor(name))} in the file`,
        );
      }
    }
    for (const [parameter, name] of squares) {
      const layout = squareLayout(parameter, by, matched);
      if (layout) this.#match(parameter, name, by, layout);
      else
        this.#misfit(
          parameter,
          `${parameter.name} is square, and of the others the file has some transposed and some not`,
        );
    }
  }

  #layouts(parameter: Parameter, name: string): readonly Layout[] {
    const { type, dims } = this.#tensor(name);
    if (!type.includes("float") || (exact(parameter) && dims.join() !== parameter.dims.join())) return [];
    return layoutsOf(parameter, dims);
  }

  #misfit(parameter: Parameter, problem: string): void {
    this.#misfits.add(parameter);
    this.#problems.push(problem);
  }

  #match(parameter: Parameter, tensor: string, by: Match["by"], layout: Layout): Match {
    const match = { parameter, tensor, dims: this.#tensor(tensor).dims, by, layout };
    this.#matches.set(parameter, match);
    this.#used.add(tensor);
    return match;
  }

  /** What no name tells: shapes that as many parameters as tensors have. */
  #matchShapes(): void {
    const free = this.#parameters.filter(
      (parameter) =>
        !this.#matches.has(parameter) &&
        !this.#misfits.has(parameter) &&
        parameter.mergedInto === undefined &&
        !exact(parameter),
    );
    const tensors = this.#candidates();
    const outputs = this.#outputsOf(free, tensors);
    for (const [key, names] of groups(tensors, (name) => shapeKey(this.#tensor(name).dims))) {
      const alike = free.filter((parameter) => shapeKey(storedDims(parameter, outputs)) === key);
      // What a layer has first; then what may stand for its absence; then what may be any constant.
      const needed = alike.filter(isNeeded);
      const normal = alike.filter(({ role }) => role !== "constant");
      const whole = alike.filter(({ dims, role }) => role !== "constant" || shapeKey(dims) !== "");
      const pool = [needed, normal, whole].find(({ length }) => length === names.length);
      const order = pool && this.#inOrder(names);
      if (!pool || !order) continue;
      for (const [index, parameter] of pool.entries()) {
        const layouts = layoutsOf(parameter, this.#tensor(order[index] as string).dims);
        const turned = (parameter.layout === "outputs-first") !== (outputs === "first");
        const layout = parameter.layout && turned ? "turned" : "as-is";
        if (layouts.includes(layout))
          this.#match(parameter, order[index] as string, pool.length === 1 ? "shape" : "order", layout);
      }
    }
  }

  /** Float tensors that nothing is known of, of the parts that weights were found in; of the largest part where none was. */
  #candidates(): string[] {
    const all = [...this.#checkpoint.tensors]
      .filter(([name, { type }]) => type.includes("float") && !this.#used.has(name))
      .map(([name]) => name);
    const parts = this.#usedParts();
    if (parts.size > 0) return all.filter((name) => parts.has(this.#part(name)));
    const [largest = []] = [...groups(all, (name) => this.#part(name)).values()].toSorted(
      (a, b) => b.length - a.length,
    );
    return 2 * largest.length > all.length ? largest : all;
  }

  #part(name: string): string {
    return this.#checkpoint.parts.get(name) ?? "";
  }

  #usedParts(): Set<string> {
    return new Set([...this.#used].map((name) => this.#part(name)));
  }

  /** Whether the file keeps the outputs of a weight in its first axis: by the matrices found so far, else by what fits more. */
  #outputsOf(free: readonly Parameter[], tensors: readonly string[]): "first" | "last" {
    const sides = [...this.#matches.values()]
      .filter(
        ({ parameter, dims, by }) => by === "module" && parameter.layout && layoutsOf(parameter, dims).length === 1,
      )
      .map(({ parameter, layout }) => (parameter.layout === "outputs-first") === (layout === "as-is"));
    if (sides.length > 0) return sides.filter(Boolean).length * 2 >= sides.length ? "first" : "last";
    const [first, last] = (["first", "last"] as const).map((outputs) => {
      const there = groups(tensors, (name) => shapeKey(this.#tensor(name).dims));
      const needed = groups(free, (parameter) => shapeKey(storedDims(parameter, outputs)));
      return [...there].filter(([key, names]) => needed.get(key)?.length === names.length).length;
    }) as [number, number];
    return last > first ? "last" : "first";
  }

  /** The file's order; by number where it has none but the names differ in numbers alone: `blocks.2`, `blocks.10`. */
  #inOrder(names: readonly string[]): readonly string[] | undefined {
    if (this.#checkpoint.ordered || names.length === 1) return names;
    const templates = new Set(names.map((name) => name.replaceAll(/\d+/g, "#")));
    return templates.size === 1 ? names.toSorted(byNumber) : undefined;
  }

  #unmatched(): Pick<Mapping, "kept" | "missing"> {
    const kept: { parameter: Parameter; reason: string }[] = [];
    const missing: Parameter[] = [];
    for (const parameter of this.#parameters) {
      const { role, dims, isNeutral, mergedInto } = parameter;
      if (this.#matches.has(parameter)) continue;
      const tied = mergedInto !== undefined && (role === "weight" || role === "embedding");
      if (this.#misfits.has(parameter)) missing.push(parameter);
      else if (tied) kept.push({ parameter, reason: `tied to ${mergedInto}, which the file has once` });
      else if (isNeutral)
        kept.push({ parameter, reason: "all 0 or all 1, and not in the file: a normalization without weights" });
      else if (role !== "constant") missing.push(parameter);
      else if (shapeKey(dims) !== "")
        kept.push({ parameter, reason: "a constant of the model that the file does not have" });
    }
    return { kept, missing };
  }

  #unused(): Pick<Mapping, "ignored" | "leftOver"> {
    const ignored = [...this.#checkpoint.asides].map(([tensor, reason]) => ({ tensor, reason }));
    const leftOver: string[] = [];
    const parts = this.#usedParts();
    for (const [name, tensor] of this.#checkpoint.tensors) {
      if (this.#used.has(name)) continue;
      const reason = this.#reasonToIgnore(name, tensor, parts);
      if (reason === undefined) leftOver.push(name);
      else ignored.push({ tensor: name, reason });
    }
    return { ignored, leftOver };
  }

  #reasonToIgnore(name: string, tensor: Tensor, parts: ReadonlySet<string>): string | undefined {
    if (name.endsWith("num_batches_tracked")) return "BatchNorm's count of batches, which only training uses";
    if (!tensor.type.includes("float")) return "whole numbers: no weights";
    if (parts.size > 0 && !parts.has(this.#part(name))) {
      return `beside the weights, which are in ${[...parts].map((part) => part || "the outermost dictionary").join(", ")}`;
    }
    const same = [...this.#used].find((other) => areSame(this.#tensor(other), tensor));
    return same === undefined ? undefined : `the same numbers as ${same}: tied weights`;
  }
}

/** Gates in another order have the same shape: only the name and every axis say that the file has ONNX's. */
function exact({ role }: Parameter): boolean {
  return role === "recurrent";
}

/** Whether a square one is turned: as the others are that the model applies in the same way and that were found in the same. */
function squareLayout(parameter: Parameter, by: "name" | "module", matched: readonly Match[]): Layout | undefined {
  const alike = matched.filter(
    ({ parameter: { layout, dims } }) =>
      layout === parameter.layout && (dims.length === 2) === (parameter.dims.length === 2),
  );
  const layouts = new Set(alike.map(({ layout }) => layout));
  if (layouts.size > 1) return undefined;
  const [found] = layouts;
  // A name that the exporter kept is that of what it did not touch.
  return found ?? (by === "module" && parameter.layout === "inputs-first" ? "turned" : "as-is");
}

function kindOf({ type, dims }: { readonly type: string; readonly dims: Dims }): string {
  return `${type} [${dims.join(", ")}]`;
}

function groups<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const list = found.get(key(item));
    if (list) list.push(item);
    else found.set(key(item), [item]);
  }
  return found;
}

const { compare: byNumber } = new Intl.Collator("en", { numeric: true });
