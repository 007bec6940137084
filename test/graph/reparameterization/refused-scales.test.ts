import { expect, test } from "vitest";
import { dense, images, tokens } from "./between.ts";
import type { Sketch, Sketched } from "../../sketch.ts";
import { rescalingsOf } from "./twins.ts";

/** Of four elements a sample, computed. */
const places = (s: Sketch) =>
  s.op("Cast", [s.op("Clip", [s.op("Slice", ["x", s.integers(0), s.integers(4), s.integers(1)])])], { to: 7 });

/** Networks whose layer a cannot be scaled at all, with the reason. */
const refused: readonly [string, Sketched, RegExp][] = [
  ["Tanh", dense((s, h) => s.op("Tanh", [h])), /node Tanh_1 \(Tanh\) is not positively homogeneous$/],
  [
    "Clip at six",
    dense((s, h) => s.op("Clip", [h, s.constant("zero", [], [0]), s.constant("six", [], [6])])),
    /\(Clip\) is not positively homogeneous/,
  ],
  [
    "Max with a threshold",
    dense((s, h) => s.op("Max", [h, s.constant("c", [], [0.1])])),
    /\(Max\) joins it with what is not scaled/,
  ],
  ["a square", dense((s, h) => s.op("Mul", [h, h])), /\(Mul\) is not positively homogeneous/],
  [
    "a product of two branches",
    dense((s, h) => s.op("Mul", [h, s.op("Gemm", ["x", s.rows("g", [4, 5])], { transB: 1 })])),
    /\(Mul\) is not positively homogeneous/,
  ],
  [
    "a gate of its own",
    dense((s, h) => s.op("Mul", [h, s.op("Sigmoid", [h])])),
    /\(Sigmoid\) is not positively homogeneous/,
  ],
  ["a divisor", dense((s, h) => s.op("Div", [s.constant("one", [], [1]), s.op("Exp", [h])])), /\(Exp\)/],
  [
    "a residual of the input",
    dense((s, h) => s.op("Add", [h, s.op("Slice", ["x", s.integers(0), s.integers(4), s.integers(1)])])),
    /\(Add\) joins it with what is not scaled/,
  ],
  [
    "products of what is scattered",
    dense((s, h) => s.op("ScatterElements", [h, places(s), h], { axis: 1, reduction: "mul" })),
    /\(ScatterElements\) is not positively homogeneous/,
  ],
  [
    "Pad by ones",
    dense((s, h) => s.op("Pad", [h, s.integers(0, 1, 0, 0), s.constant("one", [], [1])]), 5),
    /\(Pad\) is not positively homogeneous/,
  ],
  [
    "BatchNormalization in training",
    images(144, (s, h) =>
      s.op(
        "BatchNormalization",
        [h, s.random("g", [4]), s.random("b", [4]), s.random("m", [4]), s.constant("v", [4], [1, 1, 2, 3])],
        { training_mode: 1 },
      ),
    ),
    /\(BatchNormalization\)/,
  ],
  [
    "LayerNormalization",
    tokens((s, h) => s.op("LayerNormalization", [h, s.random("g", [4], 1)])),
    /\(LayerNormalization\)/,
  ],
];

test.each(refused)("scales do not pass: %s", (_, net, reason) => {
  const { classes, layers } = rescalingsOf(net.graph);
  const rows = layers.find(({ layer }) => layer.name === "a")!.rows;
  expect([...rows].every((scale) => classes.isFixed(scale))).toBe(true);
  expect(classes.whyFixed(rows[0]!)).toMatch(reason);
});
