import { describe, expect, it, test } from "vitest";
import { npzBytes } from "../../src/data/npz.ts";
import { openDataset } from "../../src/data/open.ts";
import { compilePreprocess } from "../../src/data/preprocess.ts";
import { readPreprocess } from "../../src/data/preprocess-file.ts";
import { parsePreprocess } from "../../src/data/preprocess-text.ts";
import { UsageError } from "../../src/errors.ts";
import { survivesMutations } from "../mutations.ts";
import { memoryFiles } from "./memory-files.ts";

const x = { name: "x", type: "uint8" as const, dims: [3, 20, 30] };
const resolved = (text: string) => compilePreprocess(parsePreprocess(text, "p.yaml"), x).resolved;
const imagenet = "resize=16,crop=12,scale=255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225,flatten";

describe("the same steps", () => {
  test.each([
    [
      "a list in YAML",
      "# as in training\n- resize: 16\n- crop: 12\n- scale=255\n- mean: [0.485, 0.456, 0.406]\n- std: [.229, .224, .225]\n- flatten\n",
    ],
    [
      "an object in YAML",
      "resize: 16\ncrop: 12x12\nscale: 255\nmean: 0.485:0.456:0.406\nstd: [0.229, 0.224, 0.225]\nflatten:\n",
    ],
    [
      "a list in JSON",
      '["resize=16", {"crop": [12, 12]}, {"scale": 255, "mean": [0.485, 0.456, 0.406]}, {"std": [0.229, 0.224, 0.225]}, "flatten"]',
    ],
    [
      "an object in JSON",
      '{"resize": "16", "crop": 12, "scale": 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "flatten": true}',
    ],
  ])("as %s", (_, text) => {
    expect(resolved(text).replace("12x12", "12")).toBe(imagenet);
  });

  it("a step may come twice in an object", () => {
    expect(resolved("pad: 1\npad-value: 3\npad: 2")).toBe("pad=1,pad-value=3,pad=2");
  });

  it("no steps", () => {
    expect(resolved("[]")).toBe("");
  });
});

describe("errors name line and column", () => {
  const known =
    "resize=S|HxW, crop=S|HxW, scale=S, mean=a[:b:c], std=a[:b:c], pad=P, pad-value=V, channels=C, layout=nhwc|nchw, shape=AxBxC, flatten, tokens[=T]";
  const steps = "flatness help preprocess lists the steps.";
  const cases: [what: string, text: string, message: string][] = [
    ["an unknown step", "- resize: 16\n- krop: 12", `p.yaml:2:3: krop: no such step. Known: ${known}.`],
    ["an unknown step in JSON", '{\n  "scale": 255,\n  "men": 3}', `p.yaml:3:3: men: no such step. Known: ${known}.`],
    [
      "a step that does not fit",
      "- resize: 16\n- crop: 17",
      "p.yaml:2:3: crop=17: 17 × 17 is not inside 16 × 24: resize or pad before; a sample of x has dims [3, 16, 24] here.",
    ],
    [
      "a value that is none",
      "scale: big",
      'p.yaml:1:1: scale=big: expected a number, came "big"; a sample of x has dims [3, 20, 30] here.',
    ],
    ["a list where one number is meant", "scale: [1, 2]", `p.yaml:1:1: scale: expected a number or a text; ${steps}`],
    [
      "an object as value",
      "- mean: {r: 1}",
      `p.yaml:1:3: mean: expected a number or a text or a list of numbers; ${steps}`,
    ],
    [
      "a number as step",
      "- 255",
      `p.yaml:1:3: expected a step such as scale=255, or an object such as {"scale": 255}; ${steps}`,
    ],
    ["nothing", "", `p.yaml:1:1: expected a step such as scale=255, or an object such as {"scale": 255}; ${steps}`],
  ];
  test.each(cases)("%s", (_, text, message) => {
    expect(() => resolved(text)).toThrow(new UsageError(message));
  });

  it("broken JSON", () => {
    expect(() => resolved('{"scale": 255,\n "mean": [1, 2')).toThrow(/^p\.yaml:2:\d+: neither JSON nor YAML: /);
  });

  it("aliases that would unfold into millions", () => {
    const bomb = `a: &a [1,1]\n${[..."bcdefghij"].map((c, i) => `${c}: &${c} [${`*${"abcdefghi"[i]},`.repeat(9)}]`).join("\n")}`;
    expect(() => resolved(bomb)).toThrow(UsageError);
  });
});

describe("--preprocess names a file", () => {
  const files = memoryFiles({
    "data.npz": npzBytes({ x: { type: "uint8", dims: [1, 2], data: Uint8Array.of(51, 255) } }),
    "steps.yml": new TextEncoder().encode("- scale: 255.0\n- mean: .2\n"),
    "long.json": new Uint8Array(70000),
  });

  it("whose resolved steps the data set keeps", async () => {
    const data = await openDataset("data.npz", { preprocess: "steps.yml" }, files);
    expect(data.preprocess).toBe("scale=255,mean=0.2");
    expect((await data.read([0])).get("x")!.data).toEqual(Float32Array.of(0, Math.fround(1 - Math.fround(0.2))));
  });

  it("that is not there, or far too long", async () => {
    await expect(readPreprocess("none.yaml", files)).rejects.toThrow("none.yaml: no such file or directory.");
    await expect(readPreprocess("long.json", files)).rejects.toThrow(
      new UsageError("long.json: 70000 bytes: expected a list of steps, in at most 65536 bytes."),
    );
  });
});

test.each([
  "- resize: 16\n- crop: [12, 12]\n- scale=255\n- mean: [0.485, 0.456]\n- flatten\n",
  '[{"crop": [12, 12]}, "flatten"]',
])("thousands of damaged copies of %j", async (text) => {
  const bytes = new TextEncoder().encode(text);
  await survivesMutations(bytes, (damaged) => parsePreprocess(new TextDecoder().decode(damaged), "p.yaml"));
});
