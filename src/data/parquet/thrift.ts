/** Structures in structures; Parquet's metadata have seven. */
const deepest = 16;

/**
 * Where the structure that begins at `at` ends, in Thrift's compact protocol (of Parquet's footer and page headers).
 * Only walks: whoever decodes it afterwards meets no list longer than its bytes and no nesting without end.
 *
 * @param fail makes the error about a byte
 */
export function structEnd(view: DataView, at: number, end: number, fail: (at: number, what: string) => Error): number {
  let place = at;
  const byte = () => {
    if (place >= end) throw fail(place, "ends inside a structure");
    return view.getUint8(place++);
  };
  const skip = (bytes: number) => {
    if (bytes > end - place) throw fail(place, `expected ${bytes} bytes, have ${end - place}`);
    place += bytes;
  };
  const varint = () => {
    let value = 0;
    for (let digit = 1; digit <= 128 ** 9; digit *= 128) {
      const next = byte();
      value += (next & 127) * digit;
      if (next < 128) return value;
    }
    throw fail(place, "a number of more than ten bytes");
  };
  const element = (type: number, depth: number): void => {
    if (type === 1 || type === 2) return;
    if (type === 3) skip(1);
    else if (type >= 4 && type <= 6) varint();
    else if (type === 7) skip(8);
    else if (type === 8) skip(varint());
    else if (type === 9) list(depth);
    else if (type === 12) struct(depth + 1);
    else throw fail(place, `an element of unknown type ${type}`);
  };
  const list = (depth: number): void => {
    if (depth > deepest) throw fail(place, "too many structures in structures");
    const head = byte();
    const size = head >> 4 === 15 ? varint() : head >> 4;
    if (size > end - place) throw fail(place, `a list of ${size} elements in ${end - place} bytes`);
    const type = head & 15;
    // A truth value in a list takes a byte.
    for (let i = 0; i < size; i++) element(type === 1 || type === 2 ? 3 : type, depth + 1);
  };
  const struct = (depth: number): void => {
    if (depth > deepest) throw fail(place, "too many structures in structures");
    for (;;) {
      const head = byte();
      if ((head & 15) === 0) return;
      if (head >> 4 === 0) varint();
      element(head & 15, depth);
    }
  };
  struct(0);
  return place;
}
