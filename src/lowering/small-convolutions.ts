import type { Builder } from "../graph/builder.ts";
import type { Graph, Node, ValueId } from "../graph/graph.ts";
import { int, ints, string } from "../graph/graph.ts";
import { Matching } from "../graph/matching.ts";
import { convolutionWindow, type Window } from "../graph/shapes/linear.ts";
import { count } from "../graph/tensor.ts";
import { batchFirst, batchInnermost, biased, convolved } from "./batch-innermost.ts";
import { pooledConvolution } from "./pooled-convolution.ts";
import { replayed, type Rewrite } from "./replay.ts";

/** Convolutions of at most this many output channels gain: the runtime's own kernels want blocks of channels. */
const MOST_CHANNELS = 32;
/** Below this batch the blocks that gathers copy are short. */
const LEAST_BATCH = 8;
/** A convolution whose maxima are not taken gains only over maps of at most this many places: larger patches leave the cache. */
const MOST_PLACES = 100;
/** A convolution and the maxima of its tiles become one window while its products grow by at most this factor. */
const MOST_GROWTH = 2;

/** Functions of one number, which do not mind the layout. */
const pointwise = new Set(["Relu", "LeakyRelu", "Sigmoid", "Tanh", "Elu", "Softplus", "Identity", "Erf", "Abs", "Neg"]);

/**
 * Convolutions of few channels over a batch, and the activations and tiled maxima that follow them, with the batch innermost. A value
 * that anything else reads is brought back to [N, C, H, W] under its own name.
 */
export function lowerSmallConvolutions(graph: Graph): Builder {
  return replayed(graph, (b) => new SmallConvolutions(b, new Matching(graph)));
}

class SmallConvolutions implements Rewrite {
  readonly #b: Builder;
  readonly #matching: Matching;
  /** Values that are there with the batch innermost. */
  readonly #innermost = new Map<ValueId, ValueId>();
  /** Nodes that a convolution before them took in. */
  readonly #taken = new Set<Node>();

  constructor(b: Builder, matching: Matching) {
    this.#b = b;
    this.#matching = matching;
  }

  /** Whether it took care of a node. */
  lower(node: Node): boolean {
    if (this.#taken.has(node)) return true;
    const [x = ""] = node.inputs;
    if (node.domain !== "") return false;
    if (node.op === "Conv" && this.#fits(node)) return this.#convolution(node);
    const input = this.#innermost.get(x);
    if (input === undefined || !pointwise.has(node.op)) return false;
    this.#innermost.set(node.outputs[0] as ValueId, this.#b.add(node.op, [input], node.attributes));
    return true;
  }

  /** A value in its own layout under its own name, for whoever else reads it. */
  restore(value: ValueId): void {
    const known = this.#innermost.get(value);
    if (known === undefined || this.#b.typeIfKnown(value)) return;
    const images = batchFirst(this.#b, known);
    this.#b.node({ op: "Identity", domain: "", name: value, inputs: [images], outputs: [value], attributes: {} });
  }

  #fits(node: Node): boolean {
    const [x = "", w = ""] = node.inputs;
    const images = this.#innermost.get(x);
    const batch = images === undefined ? this.#b.typeIfKnown(x)?.dims[0] : this.#b.dims(images)[3];
    const kernels = this.#b.typeIfKnown(w)?.dims;
    if (batch === undefined || kernels?.length !== 4) return false;
    const plain = int(node, "group", 1) === 1 && (ints(node, "dilations") ?? []).every((step) => step === 1);
    return plain && batch >= LEAST_BATCH && (kernels[0] as number) <= MOST_CHANNELS;
  }

  /** [H, C, W, N] of a value, made where it is not there. */
  #images(value: ValueId): ValueId {
    const known = this.#innermost.get(value) ?? batchInnermost(this.#b, value);
    this.#innermost.set(value, known);
    return known;
  }

  /** Height and width of images in either layout. */
  #size(value: ValueId): readonly number[] {
    const known = this.#innermost.get(value);
    if (known === undefined) return this.#b.dims(value).slice(2);
    const [height, , width] = this.#b.dims(known) as [number, number, number];
    return [height, width];
  }

  /** Whether it gains, and was emitted. */
  #convolution(node: Node): boolean {
    const b = this.#b;
    const [x = "", w = "", bias] = node.inputs;
    const size = this.#size(x);
    const window = windowOf(b, node, size);
    const output = placesOf(window, size);
    const pooled = this.#pool(node, window, output);
    if (pooled) {
      const { tile, relu, pool } = pooled;
      const tiles = output.map((length, axis) => Math.floor(length / (tile[axis] as number)));
      const maxima = biased(b, pooledConvolution(b, this.#images(x), w, window, tile, tiles), bias);
      this.#innermost.set(pool.outputs[0] as ValueId, relu ? b.add("Relu", [maxima]) : maxima);
      for (const taken of [relu, pool]) if (taken) this.#taken.add(taken);
      return true;
    }
    if (count(output) > MOST_PLACES) return false;
    const images = biased(b, convolved(b, this.#images(x), w, window, output), bias);
    this.#innermost.set(node.outputs[0] as ValueId, images);
    return true;
  }

  /** The tiled maxima that alone read a convolution, a ReLU between them or not: it grows, so that it may as well come after. */
  #pool(node: Node, window: Window, output: readonly number[]) {
    const [y = ""] = node.outputs;
    const relu = this.#matching.onlyReader(y, "Relu");
    const pool = this.#matching.onlyReader(relu?.outputs[0] ?? y, "MaxPool");
    if (!pool || pool.outputs.length > 1 || !tiles(pool)) return undefined;
    const tile = ints(pool, "kernel_shape") as readonly number[];
    if (tile.length !== 2 || tile.some((size, axis) => size > (output[axis] as number))) return undefined;
    const grown = window.kernel.map(
      (size, axis) => size + ((tile[axis] as number) - 1) * (window.strides[axis] as number),
    );
    return count(grown) <= MOST_GROWTH * count(window.kernel) ? { tile, relu, pool } : undefined;
  }
}

/** Whether a pool's windows lie side by side, none of them over an edge. */
function tiles(node: Node): boolean {
  const kernel = ints(node, "kernel_shape") ?? [];
  const beside = (ints(node, "strides") ?? kernel.map(() => 1)).every((stride, axis) => stride === kernel[axis]);
  const plain = [...(ints(node, "pads") ?? []), ...(ints(node, "dilations") ?? []).map((step) => step - 1)];
  const explicit = ["NOTSET", "VALID"].includes(string(node, "auto_pad", "NOTSET"));
  return beside && explicit && int(node, "ceil_mode", 0) === 0 && plain.every((width) => width === 0);
}

function windowOf(b: Builder, node: Node, size: readonly number[]): Window {
  const kernel = b.dims(node.inputs[1] as ValueId).slice(2);
  const input = { type: "float32", dims: [1, 1, ...size] } as const;
  return convolutionWindow({ node, inputs: [input], constant: () => undefined }, kernel);
}

function placesOf({ kernel, strides, pads }: Window, size: readonly number[]): number[] {
  return size.map((length, axis) => {
    const padded = length + (pads[axis] as number) + (pads[axis + 2] as number);
    return Math.floor((padded - (kernel[axis] as number)) / (strides[axis] as number)) + 1;
  });
}
