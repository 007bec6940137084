import { count, type Dims, elementSize, type ElementType, type TypedArray } from "../graph/tensor.ts";
import { nativeArray } from "./npy.ts";
import { types } from "./npy-header.ts";
import { latin1Bytes, shownValue } from "./pickle-text.ts";
import type { PickleContext, PickleGlobal } from "./pickle.ts";

/** An array of a pickle, in C order and native endianness; empty until its state has been read. */
export class PickledArray {
  type: ElementType = "float64";
  dims: Dims = [0];
  data: TypedArray = new Float64Array(0);
}

/** A dtype: NumPy's kind and size, such as u1, and its byte order. */
class PickledType {
  bigEndian = false;
  constructor(readonly type: ElementType) {}
}

const mostAxes = 64;

const dtype: PickleGlobal = {
  call([name], context) {
    const text = context.key(name);
    const code = typeof text === "string" && Object.hasOwn(types, text) ? types[text] : undefined;
    return new PickledType(
      code ?? context.fail(`a NumPy dtype ${shownValue(text).slice(0, 40)}: expected booleans, integers or floats.`),
    );
  },
  // (version, byte order, subtype, names, fields, size, alignment, flags)
  build(value, state, context) {
    const order = Array.isArray(state) ? context.key(state[1]) : undefined;
    if (order !== "<" && order !== ">" && order !== "|" && order !== "=") {
      return context.fail("damaged: expected the state of a dtype.");
    }
    (value as PickledType).bigEndian = order === ">";
  },
};

const reconstruct: PickleGlobal = {
  call: () => new PickledArray(),
  // (version, shape, dtype, whether Fortran order, bytes); the first arrays of NumPy had no version
  build(value, state, context) {
    const parts = Array.isArray(state) && (state.length === 4 || state.length === 5) ? state.slice(-4) : [];
    const [shape, type, fortranOrder, stored] = parts;
    Object.assign(value, arrayOf(stored, type, shape, fortranOrder === true || fortranOrder === 1, context));
  },
};

const fromBuffer: PickleGlobal = {
  call([stored, type, shape, order], context) {
    return Object.assign(new PickledArray(), arrayOf(stored, type, shape, context.key(order) === "F", context));
  },
};

const scalar: PickleGlobal = {
  call: ([type, stored], context) => arrayOf(stored, type, [], false, context).data[0],
};

function arrayOf(stored: unknown, dtype: unknown, shape: unknown, fortranOrder: boolean, context: PickleContext) {
  const bytes = typeof stored === "string" ? latin1Bytes(stored) : stored;
  const fits =
    Array.isArray(shape) && shape.length <= mostAxes && shape.every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!fits || !(dtype instanceof PickledType) || !(bytes instanceof Uint8Array)) {
    return context.fail("damaged: expected an array's shape, dtype and bytes.");
  }
  const { type, bigEndian } = dtype;
  const expected = count(shape) * elementSize(type);
  if (bytes.length !== expected) {
    context.fail(`damaged: expected ${expected} bytes for an array [${shape.join(", ")}], have ${bytes.length}.`);
  }
  // A copy for the byte order or the alignment, and one for the order of the axes or for float16.
  context.spend(2 * expected);
  return nativeArray(bytes, { type, bigEndian, fortranOrder, shape });
}

/** What NumPy's arrays and numbers are made of: NumPy 2 calls its module _core. */
export const numpyGlobals: Readonly<Record<string, PickleGlobal>> = {
  "numpy.ndarray": {},
  "numpy.dtype": dtype,
  "numpy.core.multiarray._reconstruct": reconstruct,
  "numpy._core.multiarray._reconstruct": reconstruct,
  "numpy.core.multiarray.scalar": scalar,
  "numpy._core.multiarray.scalar": scalar,
  "numpy.core.numeric._frombuffer": fromBuffer,
  "numpy._core.numeric._frombuffer": fromBuffer,
};
