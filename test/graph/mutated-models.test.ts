import { readFileSync } from "node:fs";
import { describe, test } from "vitest";
import { convertOpset } from "../../src/graph/opset.ts";
import { decodeModel } from "../../src/graph/onnx.ts";
import { Tensor, type ExternalLocation } from "../../src/graph/tensor.ts";
import { refuseTraining } from "../../src/graph/training-mode.ts";
import { widen } from "../../src/graph/widening.ts";
import { encodeModel } from "../../src/graph/onnx.ts";
import { survivesMutations } from "../mutations.ts";
import { graphOf, node } from "./small-graph.ts";

const exporters = new URL("../exporters/torchscript/", import.meta.url);

/** Weights of half precision, one of them in a file of 64 bytes beside the model. */
function halves(): Uint8Array {
  const constants = {
    a: Tensor.of(
      "float16",
      [4, 3],
      Uint16Array.from({ length: 12 }, (_, index) => 0x3c00 + index),
    ),
    b: Tensor.of(
      "bfloat16",
      [4],
      Uint16Array.from({ length: 4 }, (_, index) => 0x3f80 + index),
    ),
  };
  const nodes = [node("Gemm", ["x", "a", "b"], "z", { transB: 1 }), node("Cast", ["z"], "y", { to: 1 })];
  const graph = graphOf({ x: ["N", 3] }, nodes, constants, ["y"], "float16");
  return encodeModel(graph, (tensor) =>
    tensor === constants.a ? { file: "a.bin", offset: 8, length: 24 } : undefined,
  );
}

const beside = new Uint8Array(64);
const external = (location: ExternalLocation) => {
  const read = () => beside.slice(location.offset, location.offset + location.length);
  return { location, read, pieces: () => [read()] };
};

describe("damaged models are read or refused", () => {
  test.each<[string, () => Uint8Array]>([
    ["of torch, opset 14", () => readFileSync(new URL("encoder.onnx", exporters))],
    ["of torch, opset 11", () => readFileSync(new URL("encoder-unfolded.onnx", exporters))],
    ["of half precision, with data beside it", halves],
  ])("%s", async (_, bytes) => {
    await survivesMutations(new Uint8Array(bytes()), (damaged) => {
      const { graph } = widen(decodeModel(damaged, { external }));
      const converted = convertOpset(graph);
      refuseTraining(converted);
      for (const tensor of converted.constants.values()) void tensor.bytes;
    });
  });
});
