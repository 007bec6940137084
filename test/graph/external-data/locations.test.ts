import { expect, test } from "vitest";
import { externalFiles } from "../../../src/graph/external-data/locations.ts";
import { addingModel, type Field, message, modelProto, nodeProto, tensorProto } from "../onnx-bytes.ts";

/** A tensor whose data lies in this file. */
function external(name: string, file: string): Uint8Array {
  const entries = Object.entries({ location: file, offset: "4", length: "8" });
  const data = entries.map(([key, value]): Field => [13, message([1, key], [2, value])]);
  return tensorProto(name, 1, [2], ...data, [14, 1]);
}

test("of initializers, of Constant nodes and of subgraphs, each once", () => {
  const constant = nodeProto("Constant", [], ["k"], [5, message([1, "value"], [5, external("", "k.bin")], [20, 4])]);
  const branch = message([5, external("b", "branch.bin")], [5, external("c", "a.bin")]);
  const condition = nodeProto("If", ["x"], ["y"], [5, message([1, "then_branch"], [6, branch], [20, 5])]);
  const model = modelProto([
    [1, constant],
    [1, condition],
    [5, external("a", "a.bin")],
    [5, tensorProto("here", 1, [1], [9, new Uint8Array(4)])],
  ]);
  expect(externalFiles(model)).toEqual(["a.bin", "k.bin", "branch.bin"]);
});

test("none of a model that holds its data, and of what is no model", () => {
  expect(externalFiles(addingModel(tensorProto("c", 1, [2], [9, new Uint8Array(8)])))).toEqual([]);
  expect(externalFiles(Uint8Array.of(0xff, 1, 2))).toEqual([]);
});
