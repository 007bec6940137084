import { describe, expect, it } from "vitest";
import { consumers, describe as nameOf, producers, reads } from "../../src/graph/graph.ts";
import { node } from "./small-graph.ts";

const split = node("Split", ["x", ""], ["a", "", "b"]);
const branch = node("If", ["c"], "y", {}, { captures: ["a", "b"] });
const square = node("Mul", ["a", "a"], "z");

it("a node reads its inputs and what its subgraphs read, absent inputs apart", () => {
  expect(reads(split)).toEqual(["x"]);
  expect(reads(branch)).toEqual(["c", "a", "b"]);
});

it("each value has the node that makes it", () => {
  expect([...producers([split, branch])]).toEqual([
    ["a", split],
    ["b", split],
    ["y", branch],
  ]);
});

it("each value has the nodes that read it, once each", () => {
  expect([...consumers([split, branch, square])]).toEqual([
    ["x", [split]],
    ["c", [branch]],
    ["a", [branch, square]],
    ["b", [branch]],
  ]);
});

describe("messages call a node", () => {
  it("by its name and operator", () => expect(nameOf({ ...square, name: "/fc/Mul" })).toBe("/fc/Mul (Mul)"));
  it("by what it makes, where it has no name", () => expect(nameOf(square)).toBe("z (Mul)"));
  it("with its domain", () => {
    expect(nameOf({ ...square, domain: "com.microsoft" })).toBe("z (com.microsoft.Mul)");
  });
});
