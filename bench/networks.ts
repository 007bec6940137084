import type { Subject } from "../src/evaluation/measure-model.ts";
import { Builder } from "../src/graph/builder.ts";
import type { ValueId } from "../src/graph/graph.ts";
import { count, Tensor, type Dims } from "../src/graph/tensor.ts";
import { RandomStream } from "../src/statistics/random.ts";

// Networks of the sizes that people train, with random weights.

class Network {
  readonly b = new Builder();
  readonly #stream: RandomStream;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    this.#stream = new RandomStream(5, name);
  }

  /** Weights of about a normal distribution, 1/√fan-in wide. */
  weight(name: string, dims: Dims, fan: number): ValueId {
    const values = Float32Array.from({ length: count(dims) }, () => {
      let sum = 0;
      for (let term = 0; term < 6; term++) sum += this.#stream.sign();
      return sum / Math.sqrt(6 * fan);
    });
    return this.b.constant(Tensor.float32(dims, values), name);
  }

  filled(name: string, dims: Dims, value: number): ValueId {
    return this.b.constant(Tensor.float32(dims, new Float32Array(count(dims)).fill(value)), name);
  }

  conv(x: ValueId, name: string, out: number, size: number, stride: number): ValueId {
    const channels = this.b.dims(x)[1] as number;
    const pad = (size - 1) >> 1;
    const w = this.weight(`${name}.weight`, [out, channels, size, size], (channels * size * size) / 2);
    return this.b.add("Conv", [x, w], {
      kernel_shape: [size, size],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    });
  }

  batchNorm(x: ValueId, name: string): ValueId {
    const channels = this.b.dims(x)[1] as number;
    const parts = [
      ["scale", 1],
      ["bias", 0],
      ["mean", 0],
      ["var", 1],
    ] as const;
    return this.b.add("BatchNormalization", [
      x,
      ...parts.map(([part, value]) => this.filled(`${name}.${part}`, [channels], value)),
    ]);
  }

  layerNorm(x: ValueId, name: string): ValueId {
    const width = this.b.dims(x).at(-1) as number;
    const [scale, bias] = [this.filled(`${name}.scale`, [width], 1), this.filled(`${name}.bias`, [width], 0)];
    return this.b.add("LayerNormalization", [x, scale, bias], { axis: -1, epsilon: { float: 1e-5 } });
  }

  linear(x: ValueId, name: string, out: number): ValueId {
    const width = this.b.dims(x).at(-1) as number;
    const product = this.b.add("MatMul", [x, this.weight(`${name}.weight`, [width, out], width)]);
    return this.b.add("Add", [product, this.filled(`${name}.bias`, [out], 0)]);
  }

  gelu(x: ValueId): ValueId {
    const { b } = this;
    const inner = b.add("Erf", [b.add("Div", [x, b.scalar(Math.SQRT2)])]);
    return b.add("Mul", [b.add("Mul", [x, b.add("Add", [inner, b.scalar(1)])]), b.scalar(0.5)]);
  }

  /** A pre-norm transformer block. */
  block(x: ValueId, name: string, heads: number, causal: boolean): ValueId {
    const { b } = this;
    const [batch, tokens, width] = b.dims(x) as [number, number, number];
    const qkv = this.linear(this.layerNorm(x, `${name}.norm1`), `${name}.qkv`, 3 * width);
    const split = b.add("Reshape", [qkv, b.integers([batch, tokens, 3, heads, width / heads])]);
    const moved = b.add("Transpose", [split], { perm: [2, 0, 3, 1, 4] });
    const [q, k, v] = [0, 1, 2].map((index) =>
      b.add("Gather", [moved, b.constant(Tensor.int64(index))], { axis: 0 }),
    ) as [ValueId, ValueId, ValueId];
    const products = b.add("MatMul", [q, b.add("Transpose", [k], { perm: [0, 1, 3, 2] })]);
    let scores = b.add("Mul", [products, b.scalar(1 / Math.sqrt(width / heads))]);
    if (causal) {
      const mask = Float32Array.from({ length: tokens * tokens }, (_, index) =>
        index % tokens > Math.floor(index / tokens) ? Number.NEGATIVE_INFINITY : 0,
      );
      scores = b.add("Add", [scores, b.constant(Tensor.float32([tokens, tokens], mask))]);
    }
    const mixed = b.add("MatMul", [b.add("Softmax", [scores], { axis: -1 }), v]);
    const joined = b.add("Reshape", [
      b.add("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
      b.integers([batch, tokens, width]),
    ]);
    const attended = b.add("Add", [x, this.linear(joined, `${name}.proj`, width)]);
    const hidden = this.gelu(this.linear(this.layerNorm(attended, `${name}.norm2`), `${name}.fc1`, 4 * width));
    return b.add("Add", [attended, this.linear(hidden, `${name}.fc2`, width)]);
  }

  finish(output: ValueId): Subject {
    const graph = this.b.graph(new Map([["logits", output]]));
    return { graph, file: this.#name, sha256: "", opset: 18 };
  }
}

/** ResNet-18 for 32×32 images: a 3×3 stem, four stages of two blocks. A static batch of 1. */
export function resnet18(classes = 10): Subject {
  const net = new Network("ResNet-18");
  const { b } = net;
  const relu = (x: ValueId) => b.add("Relu", [x]);
  let x = relu(net.batchNorm(net.conv(b.input("x", "float32", [1, 3, 32, 32]), "stem", 64, 3, 1), "stem.bn"));
  for (const [stage, width] of [64, 128, 256, 512].entries()) {
    for (let block = 0; block < 2; block++) {
      const name = `layer${stage + 1}.${block}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const first = relu(net.batchNorm(net.conv(x, `${name}.conv1`, width, 3, stride), `${name}.bn1`));
      const second = net.batchNorm(net.conv(first, `${name}.conv2`, width, 3, 1), `${name}.bn2`);
      const shortcut = stride === 1 ? x : net.batchNorm(net.conv(x, `${name}.down`, width, 1, stride), `${name}.bn3`);
      x = relu(b.add("Add", [second, shortcut]));
    }
  }
  const pooled = b.add("Flatten", [b.add("GlobalAveragePool", [x])], { axis: 1 });
  const head = net.weight("fc.weight", [classes, 512], 512);
  return net.finish(b.add("Gemm", [pooled, head], { transB: 1 }));
}

/** ViT-Tiny for 32×32 images: patches of 4, 64 tokens of 192, 12 blocks of 3 heads, mean over tokens. A static batch of 1. */
export function vitTiny(blocks = 12): Subject {
  const net = new Network("ViT-Tiny");
  const { b } = net;
  const kernel = net.weight("patch.weight", [192, 3, 4, 4], 48);
  const patches = b.add("Conv", [b.input("x", "float32", [1, 3, 32, 32]), kernel], {
    kernel_shape: [4, 4],
    strides: [4, 4],
  });
  const tokens = b.add("Transpose", [b.add("Reshape", [patches, b.integers([1, 192, 64])])], { perm: [0, 2, 1] });
  let x = b.add("Add", [tokens, net.weight("position", [64, 192], 192)]);
  for (let block = 0; block < blocks; block++) x = net.block(x, `blocks.${block}`, 3, false);
  const mean = b.add("ReduceMean", [net.layerNorm(x, "norm"), b.integers([1])], { keepdims: 0 });
  return net.finish(net.linear(mean, "head", 10));
}

/** A GPT of 4 blocks of width 256, context 64, vocabulary 128. A static batch of 1. */
export function gpt(): Subject {
  const net = new Network("GPT");
  const { b } = net;
  const table = net.weight("tokens.weight", [128, 256], 16);
  const embedded = b.add("Gather", [table, b.input("x", "int64", [1, 64])], { axis: 0 });
  let x = b.add("Add", [embedded, net.weight("position", [64, 256], 256)]);
  for (let block = 0; block < 4; block++) x = net.block(x, `blocks.${block}`, 4, true);
  return net.finish(net.linear(net.layerNorm(x, "norm"), "head", 128));
}
