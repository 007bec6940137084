import { readFileSync } from "node:fs";
import { unzipSync, zipSync, type Zippable } from "fflate";
import { describe, expect, it, test } from "vitest";
import { inMemory } from "../../src/checkpoints/byte-ranges.ts";
import { readTensors } from "../../src/checkpoints/open.ts";
import { goldenPath } from "../golden-model.ts";
import { survivesMutations } from "../mutations.ts";

const golden = (file: string) => new Uint8Array(readFileSync(goldenPath("state-dicts", file)));
const read = (bytes: Uint8Array, file = "w.pt") => readTensors(inMemory(file, bytes));
const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** An archive of one's own, stored as torch.save does. */
function archive(members: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const files = Object.entries(members).map(([name, content]) => [
    `w/${name}`,
    typeof content === "string" ? ascii(content) : content,
  ]);
  return zipSync(Object.fromEntries(files) as Zippable, { level: 0 });
}

/** The pickle of {name: tensor}, protocol 0, of a float32 storage called 0. */
function pickled(tensor: string, { storage = "FloatStorage", length = 4, key = "0" } = {}): string {
  const id = `(S'storage'\nctorch\n${storage}\nS'${key}'\nS'cpu'\nI${length}\ntQ`;
  return `(S'w'\nctorch._utils\n_rebuild_tensor_v2\n(${id}${tensor}I00\nNtRd.`;
}
const pair = "I0\n(I4\nt(I1\nt";

describe("what torch.save wrote", () => {
  test("a state_dict, in the network's order", () => {
    const { tensors, ordered, asides } = read(golden("plain.pt"));
    expect(ordered).toBe(true);
    expect([...asides]).toEqual([]);
    expect([...tensors].map(([name, { type, dims }]) => `${name} ${type} ${dims.join("×")}`)).toEqual([
      "conv.weight float32 4×1×3×3",
      "bn.weight float32 4",
      "bn.bias float32 4",
      "bn.running_mean float32 4",
      "bn.running_var float32 4",
      "bn.num_batches_tracked int64 ",
      "gn.weight float32 4",
      "gn.bias float32 4",
      "ln.weight float32 16",
      "ln.bias float32 16",
      "square.weight float32 16×16",
      "square.bias float32 16",
      "down.weight float32 8×16",
      "down.bias float32 8",
      "up.weight float32 16×8",
      "up.bias float32 16",
      "fc.weight float32 3×64",
      "fc.bias float32 3",
    ]);
  });

  test("a state_dict in a dictionary, beside an optimizer, a NumPy number and a loss", () => {
    const { tensors, parts, asides } = read(golden("nested.pt"));
    expect([...asides]).toEqual([["optimizer", "state of an optimizer"]]);
    expect(tensors.get("loss")?.numbers()).toEqual(Float32Array.of(0.25));
    expect(parts.get("loss")).toBe("");
    expect([...tensors.keys()]).toContain("model.module.conv.weight");
    expect(parts.get("model.module.conv.weight")).toBe("model");
    expect(tensors.size).toBe(19);
  });

  const w = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
  const { tensors, asides } = read(golden("views.pt"));
  test.each<[string, string, number[], number[]]>([
    ["transposed", "float32", [4, 3], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]],
    ["rows", "float32", [2, 4], [4, 5, 6, 7, 8, 9, 10, 11]],
    ["cut", "float32", [2, 2], [5, 6, 9, 10]],
    ["permuted", "float32", [4, 2, 3], [0, 1, 2, 3].flatMap((k) => [0, 4, 8, 12, 16, 20].map((at) => at + k))],
    ["parameter", "float32", [3], [0, 4, 8]],
    ["half", "float16", [3, 4], w.map((value) => value / 8)],
    ["bfloat16", "bfloat16", [3, 4], w.map((value) => value * 256)],
    ["double", "float64", [3, 4], w.map((value) => value / 3)],
    ["counts", "int64", [3], [0, 1, 2]],
    ["scalar", "float32", [], [2.5]],
    ["empty", "float32", [0, 4], []],
  ])("a view: %s", (name, type, dims, values) => {
    const tensor = tensors.get(name)!;
    expect([tensor.type, tensor.dims, Array.from(tensor.numbers())]).toEqual([type, dims, values]);
  });

  test("sparse and complex tensors are beside", () => {
    expect([...asides]).toEqual([
      ["sparse", "a sparse tensor, which is not read here"],
      ["complex", "torch.ComplexFloatStorage, which is not read here"],
    ]);
  });

  test("views of one storage share its bytes", () => {
    const [rows, again] = [tensors.get("rows")!.bytes, read(golden("views.pt")).tensors.get("rows")!.bytes];
    expect(rows).toEqual(again);
    expect(rows.buffer.byteLength).toBe(golden("views.pt").length);
  });
});

describe("archives by hand", () => {
  it("reads tensors of newer versions: a class of its own, a type that has no storage class", () => {
    const untyped = `(S'storage'\nctorch.storage\nUntypedStorage\nS'0'\nS'cpu'\nI8\ntQ`;
    const inner = `(${untyped}I1\n(I3\nt(I1\ntI00\nNctorch\nuint16\n(dt`;
    const plain = `(S'w'\nctorch._utils\n_rebuild_tensor_v3\n${inner}Rd.`;
    const classed = `(S'w'\nctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v3\nctorch.nn.parameter\nParameter\n${inner}(dtRd.`;
    for (const pickle of [plain, classed]) {
      const bytes = archive({
        "data.pkl": pickle,
        "data/0": Uint8Array.of(1, 0, 2, 0, 3, 0, 4, 0),
        byteorder: "little",
      });
      const tensor = read(bytes).tensors.get("w")!;
      expect([tensor.type, [...tensor.data]]).toEqual(["uint16", [2, 3, 4]]);
    }
  });

  it("reads lists by place, and what is there twice once", () => {
    const state = pickled(pair).slice(0, -1);
    const bytes = archive({ "data.pkl": `(lp0\n${state}p1\nag1\nag0\na.`, "data/0": new Uint8Array(16) });
    const { tensors, asides } = read(bytes);
    expect([...tensors.keys()]).toEqual(["0.w"]);
    expect([...asides]).toEqual([
      ["1", "the same as 0"],
      ["2", "the same as the whole"],
    ]);
  });

  it("reads NumPy arrays, as a dictionary of them is saved", () => {
    const array = "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR";
    const dtype = "cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb";
    const state = `(I1\n(I2\nt${dtype}I00\nS'\\x00\\x00\\x80\\x3f\\x00\\x00\\x00\\xc0'\ntb`;
    const tensor = read(archive({ "data.pkl": `(S'w'\n${array}${state}d.` })).tensors.get("w")!;
    expect([tensor.type, tensor.dims, [...tensor.data]]).toEqual(["float32", [2], [1, -2]]);
  });

  it("reads a tensor alone", () => {
    const pickle = pickled(pair).replace("(S'w'\n", "").replace(/d\.$/, ".");
    expect([...read(archive({ "data.pkl": pickle, "data/0": new Uint8Array(16) })).tensors.keys()]).toEqual(["tensor"]);
  });

  const full = { "data/0": new Uint8Array(16) };
  const refusals: [string, Record<string, string | Uint8Array>, RegExp][] = [
    [
      "a storage that is not there",
      { "data.pkl": pickled(pair) },
      /w\.pt: truncated or damaged: expected the tensor data w\/data\/0/,
    ],
    [
      "a storage that is cut",
      { "data.pkl": pickled(pair), "data/0": new Uint8Array(15) },
      /w\.pt: w: truncated: expected 16 bytes in data\/0, have 15/,
    ],
    [
      "an element beyond the storage",
      { ...full, "data.pkl": pickled("I1\n(I4\nt(I1\nt") },
      /w: \[4\] needs 5 elements, its storage 0 has 4/,
    ],
    ["a stride beyond the storage", { ...full, "data.pkl": pickled("I0\n(I2\nt(I4\nt") }, /w: \[2\] needs 5 elements/],
    [
      "an expanded tensor",
      { ...full, "data.pkl": pickled("I0\n(I1000000000000\nt(I0\nt") },
      /needs 1000000000000 elements, .* after \.contiguous\(\)/,
    ],
    [
      "a negative stride",
      { ...full, "data.pkl": pickled("I3\n(I4\nt(I-1\nt") },
      /byte \d+: damaged: expected a tensor's offset, size and strides/,
    ],
    [
      "sizes without strides",
      { ...full, "data.pkl": pickled("I0\n(I4\nt(t") },
      /damaged: expected a tensor's offset, size and strides/,
    ],
    [
      "a storage of no class",
      { ...full, "data.pkl": pickled(pair, { storage: "device" }) },
      /torch\.device is no storage/,
    ],
    ["a storage of no length", { ...full, "data.pkl": pickled(pair, { length: -1 }) }, /expected the id of a storage/],
    [
      "what os.system would run",
      { "data.pkl": "cos\nsystem\n(S'false'\ntR." },
      /byte 0: names the Python object os\.system, which is not read here: expected tensors and plain values; save the weights alone: torch\.save\(model\.state_dict\(\), path\)\. Nothing was executed\./,
    ],
    [
      "a big-endian machine's",
      { ...full, "data.pkl": pickled(pair), byteorder: "big" },
      /big-endian machine: expected little-endian/,
    ],
    [
      "dictionaries without end",
      { "data.pkl": `${"(I0\n".repeat(40)}(d${"d".repeat(40)}.` },
      /expected at most 32 dictionaries in each other/,
    ],
    [
      "a class of tensors in itself",
      { "data.pkl": "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nN(ttR." },
      /a class of tensors in itself/,
    ],
  ];
  test.each(refusals)("refuses %s", (_, members, message) => {
    const readAll = () => {
      for (const tensor of read(archive(members)).tensors.values()) tensor.numbers();
    };
    expect(readAll).toThrow(message);
  });

  it("names tensors by tuples, and not by tuples of tuples, which may be without end", () => {
    const state = pickled(pair).slice("(S'w'\n".length, -"d.".length);
    const keys = {
      short: "K\u0001K\u0002\u0086",
      bomb: `K\u0001${"2\u0086".repeat(100)}`,
      deep: `)${"\u0085".repeat(2 ** 17)}`,
    };
    const named = (key: string) => {
      const bytes = archive({ "data.pkl": `}${key}${state}s.`, "data/0": new Uint8Array(16) });
      return [...read(bytes).tensors.keys()];
    };
    expect([named(keys.short), named(keys.bomb), named(keys.deep)]).toEqual([["(1, 2)"], ["(…)"], ["(…)"]]);
  });

  it("ends with a dictionary that contains itself", () => {
    expect(read(archive({ "data.pkl": "(dp0\nS'a'\ng0\ns." })).tensors.size).toBe(0);
  });
});

describe("what is no state_dict", () => {
  it("a whole module is named, and not made", () => {
    expect(() => read(golden("module.pt"))).toThrow(
      "w.pt: module/data.pkl: byte 2: names the Python object torch.nn.modules.linear.Linear, which is not read here",
    );
  });

  it("a TorchScript program", () => {
    expect(() => read(golden("script.pt"))).toThrow("w.pt: a TorchScript program: expected a state_dict");
  });
});

test("damaged archives are read or refused", async () => {
  await survivesMutations(golden("views.pt"), (bytes) => {
    for (const tensor of read(bytes).tensors.values()) tensor.numbers();
  });
});

test("a damaged pickle, its checksum right, is read or refused", async () => {
  const members = unzipSync(golden("views.pt"));
  const name = Object.keys(members).find((member) => member.endsWith("data.pkl"))!;
  await survivesMutations(
    members[name]!,
    (bytes) => {
      for (const tensor of read(zipSync({ ...members, [name]: bytes }, { level: 0 })).tensors.values())
        tensor.numbers();
    },
    { holds: 2 * golden("views.pt").length },
  );
});
