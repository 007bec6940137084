import type { PickleContext, PickleGlobal } from "../data/pickle.ts";
import { PickleReference } from "../data/pickle-machine.ts";
import type { ElementType } from "../graph/tensor.ts";
import { type Storage, StoredTensor, UnreadTensor } from "./torch-tensor.ts";

/** PyTorch's types by the names of their storages and of themselves; null for those without a type here. */
const types: readonly [storage: string, type: string, ElementType | null][] = [
  ["FloatStorage", "float32", "float32"],
  ["DoubleStorage", "float64", "float64"],
  ["HalfStorage", "float16", "float16"],
  ["BFloat16Storage", "bfloat16", "bfloat16"],
  ["LongStorage", "int64", "int64"],
  ["IntStorage", "int32", "int32"],
  ["ShortStorage", "int16", "int16"],
  ["CharStorage", "int8", "int8"],
  ["ByteStorage", "uint8", "uint8"],
  ["BoolStorage", "bool", "bool"],
  ["", "uint16", "uint16"],
  ["", "uint32", "uint32"],
  ["", "uint64", "uint64"],
  ["ComplexFloatStorage", "complex64", null],
  ["ComplexDoubleStorage", "complex128", null],
  ["QInt8Storage", "qint8", null],
  ["QUInt8Storage", "quint8", null],
  ["QInt32Storage", "qint32", null],
  ["", "float8_e4m3fn", null],
  ["", "float8_e5m2", null],
];
const ofStorage = new Map(types.map(([storage, , type]) => [`torch.${storage}`, type]));
const ofType = new Map(types.map(([, name, type]) => [`torch.${name}`, type]));
const untyped = "torch.storage.UntypedStorage";

/** The storage that a persistent id refers to: ("storage", class, key, device, length). */
export function storageOf(id: unknown, context: PickleContext): Storage | UnreadTensor {
  const [kind, type, key, , length] = Array.isArray(id) ? (id as unknown[]) : [];
  if (context.key(kind) !== "storage" || !(type instanceof PickleReference) || !isWholeNumber(length)) {
    return context.fail("damaged: expected the id of a storage.");
  }
  const name = context.key(key);
  if (typeof name !== "string") return context.fail("damaged: expected the name of a storage.");
  if (type.name === untyped) return { key: name, type: undefined, length };
  const element = ofStorage.get(type.name);
  if (element === undefined) return context.fail(`damaged: ${type.name} is no storage.`);
  return element === null ? new UnreadTensor(type.name) : { key: name, type: element, length };
}

/** _rebuild_tensor(storage, offset, size, stride), and its later versions; v3 has the type at the seventh place. */
function rebuildTensor(args: readonly unknown[], context: PickleContext): StoredTensor | UnreadTensor {
  const [storage, offset, dims, strides, , , dtype] = args;
  if (storage instanceof UnreadTensor) return storage;
  const { key, type } = (storage ?? {}) as Partial<Storage>;
  const said = dtype instanceof PickleReference ? ofType.get(dtype.name) : undefined;
  if (said === null) return new UnreadTensor((dtype as PickleReference).name);
  const element = type ?? said;
  if (typeof key !== "string" || !element) return context.fail("damaged: expected a tensor's storage.");
  if (!isWholeNumber(offset) || !isWholeNumbers(dims) || !isWholeNumbers(strides) || dims.length !== strides.length) {
    return context.fail("damaged: expected a tensor's offset, size and strides.");
  }
  return new StoredTensor(storage as Storage, element, offset, dims, strides);
}

const first: PickleGlobal = { call: ([value]) => value };
const tensor: PickleGlobal = { call: rebuildTensor };
const named: PickleGlobal = {};
/** What stands beside weights in checkpoints and is looked at by nobody: it is named, called and given a state. */
const aside: PickleGlobal = { call: () => ({}), build: () => {} };
const unread = (what: string): PickleGlobal => ({ call: () => new UnreadTensor(what), build: () => {} });
const all = (names: string, global: PickleGlobal) =>
  Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, global]),
  );

/** A tensor of a class of its own, or with attributes: (function, class, arguments, state). */
const ofClass: PickleGlobal = {
  call([rebuild, , args], context) {
    const call = rebuild instanceof PickleReference ? rebuild.global.call : undefined;
    if (!call || rebuild === undefined || !Array.isArray(args)) return context.fail("damaged: expected a tensor.");
    if (call === ofClass.call) return context.fail("damaged: a class of tensors in itself.");
    return call(args, context);
  },
};

/** All that a state_dict, and what people put beside it, may name. */
export const torchGlobals: Readonly<Record<string, PickleGlobal>> = {
  ...all(types.map(([, type]) => `torch.${type}`).join(" "), named),
  ...all(types.map(([storage]) => (storage === "" ? "" : `torch.${storage}`)).join(" "), named),
  ...all(`${untyped} torch.Tensor torch.nn.parameter.Parameter torch.nn.parameter.Buffer`, named),
  ...all("torch._utils._rebuild_tensor torch._utils._rebuild_tensor_v2 torch._utils._rebuild_tensor_v3", tensor),
  ...all("torch._utils._rebuild_parameter torch._utils._rebuild_parameter_with_state torch.Size", first),
  "torch._tensor._rebuild_from_type_v2": ofClass,
  "torch._utils._rebuild_sparse_tensor": unread("a sparse tensor"),
  "torch._utils._rebuild_qtensor": unread("a quantized tensor"),
  "torch._utils._rebuild_meta_tensor_no_storage": unread("a tensor without data"),
  "collections.defaultdict": { call: () => new Map() },
  "collections.Counter": { call: ([counts]) => (counts instanceof Map ? counts : new Map()) },
  ...all(
    `torch.device torch.serialization._get_layout argparse.Namespace types.SimpleNamespace
    pathlib.Path pathlib.PosixPath pathlib.WindowsPath pathlib.PurePosixPath datetime.datetime datetime.timedelta
    __builtin__.int __builtin__.float __builtin__.list __builtin__.dict __builtin__.complex
    builtins.int builtins.float builtins.list builtins.dict builtins.complex`,
    aside,
  ),
};

function isWholeNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isWholeNumber);
}
