import { numpyGlobals, PickledArray } from "../data/numpy-pickle.ts";
import { plainGlobals } from "../data/pickle-globals.ts";
import { shownValue } from "../data/pickle-text.ts";
import { readPickle } from "../data/pickle.ts";
import { type ZipMember, zipMembers } from "../data/zip.ts";
import { ModelError } from "../errors.ts";
import { Tensor } from "../graph/tensor.ts";
import { type ByteRanges, wholeFile } from "./byte-ranges.ts";
import type { CheckpointFormat, Tensors } from "./checkpoint.ts";
import { storageOf, torchGlobals } from "./torch-globals.ts";
import { StoredTensor, tensorOf, UnreadTensor } from "./torch-tensor.ts";

const advice = "save the weights alone: torch.save(model.state_dict(), path)";

/**
 * What torch.save writes since PyTorch 1.6: a zip file with a pickle of the object and a member for each storage. Nothing
 * in it is executed. Dictionaries in dictionaries, such as {"model": state_dict, "epoch": 3}, are read as `model.fc.weight`.
 */
export const pytorch: CheckpointFormat = {
  description: ".pt or .pth of torch.save",
  matches: (_, __, members) => members.some(isPickle),
  read: readPyTorch,
};

/** @throws ModelError or DataError, with the byte's offset, for damage, and for what is no plain data, which is named */
function readPyTorch(file: ByteRanges): Tensors {
  const members = new Map(zipMembers(wholeFile(file), file.name).map((member) => [member.name, member]));
  const pickle = [...members.keys()].find(isPickle) as string;
  const folder = pickle.slice(0, -"data.pkl".length);
  if (members.has(`${folder}constants.pkl`)) {
    throw new ModelError(`${file.name}: a TorchScript program: expected a state_dict; ${advice}.`);
  }
  const order = members.get(`${folder}byteorder`)?.bytes();
  if (order && new TextDecoder().decode(order) !== "little") {
    throw new ModelError(`${file.name}: written on a big-endian machine: expected little-endian; save it on another.`);
  }
  const { value } = readPickle((members.get(pickle) as ZipMember).bytes(), {
    label: `${file.name}: ${pickle}`,
    globals: { ...plainGlobals, ...numpyGlobals, ...torchGlobals },
    expected: `tensors and plain values; ${advice}`,
    persistent: storageOf,
  });
  const storages = new Map<string, Uint8Array>();
  return new Collector(file.name, (key) => {
    const read = storages.get(key) ?? storage(members, `${folder}data/${key}`, file.name);
    storages.set(key, read);
    return read;
  }).collect(value);
}

function storage(members: ReadonlyMap<string, ZipMember>, name: string, file: string): Uint8Array {
  const member = members.get(name);
  if (!member)
    throw new ModelError(`${file}: truncated or damaged: expected the tensor data ${name}, which is not there.`);
  return member.bytes();
}

function isPickle(member: string): boolean {
  return /^[^/]+\/data\.pkl$/.test(member);
}

/** Deeper dictionaries hold no weights. */
const DEEPEST = 32;

/** Walks what was unpickled and gathers the tensors under dotted names. */
class Collector {
  readonly #tensors = new Map<string, Tensor>();
  readonly #parts = new Map<string, string>();
  readonly #asides = new Map<string, string>();
  /** The containers that were met, as a pickle may refer to one twice or to itself: under which name, and whether tensors are in it. */
  readonly #met = new Map<object, { readonly name: string; holds: boolean }>();

  constructor(
    readonly file: string,
    readonly storage: (key: string) => Uint8Array,
  ) {}

  collect(value: unknown): Tensors {
    this.#walk(value, "", "", 0);
    return { tensors: this.#tensors, ordered: true, parts: this.#parts, asides: this.#asides };
  }

  /** Whether there are tensors in it. */
  #walk(value: unknown, name: string, part: string, depth: number): boolean {
    if (value instanceof UnreadTensor) this.#asides.set(name, `${value.what}, which is not read here`);
    const tensor = this.#tensorOf(value, name || "tensor");
    if (tensor) this.#add(tensor, name || "tensor", part);
    if (!(value instanceof Map) && !Array.isArray(value)) return tensor !== undefined;
    const before = this.#met.get(value);
    if (before) {
      if (before.holds) this.#asides.set(name, `the same as ${before.name || "the whole"}`);
      return before.holds;
    }
    const met = { name, holds: false };
    this.#met.set(value, met);
    if (depth > DEEPEST) {
      throw new ModelError(`${this.file}: ${name}: expected at most ${DEEPEST} dictionaries in each other.`);
    }
    if (isOptimizer(value)) {
      this.#asides.set(name, "state of an optimizer");
      return false;
    }
    for (const [key, inner] of value.entries()) {
      const below = name === "" ? shownValue(key) : `${name}.${shownValue(key)}`;
      met.holds = this.#walk(inner, below, name, depth + 1) || met.holds;
    }
    return met.holds;
  }

  #tensorOf(value: unknown, name: string): Tensor | undefined {
    if (value instanceof PickledArray) return Tensor.of(value.type, value.dims, value.data);
    return value instanceof StoredTensor ? tensorOf(value, `${this.file}: ${name}`, this.storage) : undefined;
  }

  #add(tensor: Tensor, name: string, part: string): void {
    if (this.#tensors.has(name)) {
      throw new ModelError(`${this.file}: ${name}: expected one tensor of this name, have two.`);
    }
    this.#tensors.set(name, tensor);
    this.#parts.set(name, part);
  }
}

/** What torch.optim's state_dict() is, under whatever name. */
function isOptimizer(value: unknown): boolean {
  return value instanceof Map && value.has("state") && value.has("param_groups");
}
