import { attributes, type AttributeValue } from "../../graph/builder.ts";
import type { Graph, Node, ValueId } from "../../graph/graph.ts";
import type { Dims } from "../../graph/tensor.ts";
import { Tensor } from "../../graph/tensor.ts";
import type { Trainable } from "../parameters.ts";

/** A model to train: a graph with its weights, and which of its constants are trained. */
export interface Model {
  readonly graph: Graph;
  readonly trainable: readonly Trainable[];
}

/** What goes into a model, and how many numbers come out of it. */
export interface Signature {
  /** Dims of one sample. */
  readonly input: Dims;
  readonly outputs: number;
}

/**
 * A model that is written down layer by layer, as ONNX operators of opset 18. Parameters have the names that PyTorch's modules
 * would give them and are zero until they are initialized; nodes have their layers' names.
 */
export class Network {
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<ValueId, Tensor>();
  readonly #trainable: Trainable[] = [];

  /** A node of the name; its output is named after it. */
  op(
    op: string,
    name: string,
    inputs: readonly ValueId[],
    given: Readonly<Record<string, AttributeValue>> = {},
  ): ValueId {
    this.#nodes.push({ op, domain: "", name, inputs, outputs: [`${name}/out`], attributes: attributes(given) });
    return `${name}/out`;
  }

  parameter(trainable: Trainable, fill = 0): ValueId {
    const { name, dims } = trainable;
    this.#trainable.push(trainable);
    return this.constant(name, Tensor.float32(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(fill)));
  }

  constant(name: string, tensor: Tensor): ValueId {
    this.#constants.set(name, tensor);
    return name;
  }

  /** An int64 vector: a shape, axes. */
  integers(...values: number[]): ValueId {
    return this.constant(`integers ${values.join(" ")}`, Tensor.int64(values));
  }

  scalar(value: number): ValueId {
    return this.constant(`scalar ${value}`, Tensor.float32([], [value]));
  }

  /** z = W x + b of vectors [N, m]. */
  linear(name: string, x: ValueId, m: number, d: number): ValueId {
    const weight = this.parameter({ name: `${name}.weight`, dims: [d, m], kind: "weight", fanIn: m, fanOut: d });
    const bias = this.parameter({ name: `${name}.bias`, dims: [d], kind: "bias", fanIn: m, fanOut: d });
    return this.op("Gemm", name, [x, weight, bias], { transB: 1 });
  }

  /** A square kernel; bias unless a normalization follows. */
  convolution(
    name: string,
    x: ValueId,
    { inputs, outputs, kernel, stride = 1, padding = 0, bias = true }: Convolution,
  ): ValueId {
    const fans = { fanIn: inputs * kernel * kernel, fanOut: outputs * kernel * kernel };
    const dims = [outputs, inputs, kernel, kernel];
    const weight = this.parameter({ name: `${name}.weight`, dims, kind: "weight", ...fans });
    const added = bias ? [this.parameter({ name: `${name}.bias`, dims: [outputs], kind: "bias", ...fans })] : [];
    return this.op("Conv", name, [x, weight, ...added], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
      dilations: [1, 1],
    });
  }

  /** z = W x + b of vectors on the last axis; W stored as m×d, which MatMul reads. */
  tokenLinear(name: string, x: ValueId, m: number, d: number, bias = true): ValueId {
    const weight = this.parameter({ name: `${name}.weight`, dims: [m, d], kind: "weight", fanIn: m, fanOut: d });
    if (!bias) return this.op("MatMul", name, [x, weight]);
    const added = this.parameter({ name: `${name}.bias`, dims: [d], kind: "bias", fanIn: m, fanOut: d });
    return this.op("Add", `${name}.add`, [this.op("MatMul", name, [x, weight]), added]);
  }

  /** A table of rows. */
  embedding(name: string, rows: number, width: number): ValueId {
    return this.parameter({ name, dims: [rows, width], kind: "embedding", fanIn: rows, fanOut: width });
  }

  layerNormalization(name: string, x: ValueId, width: number): ValueId {
    return this.op("LayerNormalization", name, [x, ...this.#scaleAndShift(name, width)], { axis: -1 });
  }

  /** Its running statistics begin at mean 0 and variance 1. */
  batchNormalization(name: string, x: ValueId, channels: number): ValueId {
    const mean = this.constant(`${name}.running_mean`, Tensor.float32([channels], new Float32Array(channels)));
    const ones = new Float32Array(channels).fill(1);
    const variance = this.constant(`${name}.running_var`, Tensor.float32([channels], ones));
    return this.op("BatchNormalization", name, [x, ...this.#scaleAndShift(name, channels), mean, variance]);
  }

  #scaleAndShift(name: string, width: number): ValueId[] {
    const fans = { fanIn: width, fanOut: width };
    return [
      this.parameter({ name: `${name}.weight`, dims: [width], kind: "scale", ...fans }, 1),
      this.parameter({ name: `${name}.bias`, dims: [width], kind: "shift", ...fans }),
    ];
  }

  activation(name: string, kind: Activation, x: ValueId): ValueId {
    if (kind !== "gelu") return this.op({ relu: "Relu", tanh: "Tanh", sigmoid: "Sigmoid" }[kind], name, [x]);
    // x Φ(x): opset 18 has no operator for it.
    const erf = this.op("Erf", `${name}.erf`, [this.op("Div", `${name}.div`, [x, this.scalar(Math.SQRT2)])]);
    const twice = this.op("Mul", `${name}.mul`, [x, this.op("Add", `${name}.add`, [erf, this.scalar(1)])]);
    return this.op("Mul", name, [twice, this.scalar(0.5)]);
  }

  /** The model whose output is this value. */
  done(name: string, output: ValueId, outputs: Dims, input: Dims, type: "float32" | "int64" = "float32"): Model {
    const last: Node = {
      op: "Identity",
      domain: "",
      name: "logits",
      inputs: [output],
      outputs: ["logits"],
      attributes: {},
    };
    const maker = this.#nodes.findIndex((node) => node.outputs[0] === output);
    const renamed = this.#nodes.map((node, index) => (index === maker ? { ...node, outputs: ["logits"] } : node));
    return {
      graph: {
        name,
        opset: 18,
        domains: new Map(),
        inputs: [{ name: "x", type, dims: ["N", ...input] }],
        outputs: [{ name: "logits", type: "float32", dims: ["N", ...outputs] }],
        nodes: maker === this.#nodes.length - 1 ? renamed : [...this.#nodes, last],
        constants: this.#constants,
        declared: new Map(),
      },
      trainable: this.#trainable,
    };
  }
}

export type Activation = "relu" | "tanh" | "sigmoid" | "gelu";

interface Convolution {
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly bias?: boolean;
}
