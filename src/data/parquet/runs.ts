/** The bits that the numbers 0 to `largest` take. */
export function bitWidth(largest: number): number {
  return 32 - Math.clz32(largest);
}

/**
 * `count` whole numbers of `width` bits in Parquet's hybrid of runs and packed groups of eight.
 *
 * @throws RangeError when the bytes from `at` to `end` hold fewer, or a run is longer than what is left
 */
export function decodeRuns(
  bytes: Uint8Array,
  at: number,
  end: number,
  width: number,
  count: number,
): Uint8Array | Uint32Array {
  if (width > 32) throw new RangeError(`numbers of ${width} bits`);
  const values = new (width > 8 ? Uint32Array : Uint8Array)(count);
  let place = at;
  const byte = () => {
    if (place >= end) throw new RangeError(`${end - at} bytes hold fewer than ${count} numbers`);
    return bytes[place++]!;
  };
  for (let have = 0; have < count;) {
    let header = 0;
    for (let digit = 1, next = 128; next >= 128; digit *= 128) {
      if (digit > 2 ** 35) throw new RangeError("a run of more than 2^32 numbers");
      next = byte();
      header += (next & 127) * digit;
    }
    const run = Math.floor(header / 2);
    if (header % 2 === 0) {
      if (run > count - have) throw new RangeError(`a run of ${run} where ${count - have} numbers are left`);
      let value = 0;
      for (let bit = 0; bit < width; bit += 8) value += byte() * 2 ** bit;
      values.fill(value, have, have + run);
      have += run;
    } else {
      const packed = Math.min(8 * run, count - have);
      unpack(byte, width, values, have, packed);
      have += packed;
      // What pads the last group is passed over; some writers leave it out at the end.
      place = Math.min(end, place + run * width - Math.ceil((packed * width) / 8));
    }
  }
  return values;
}

/** Numbers from the low bits of each byte on. */
function unpack(
  byte: () => number,
  width: number,
  values: Uint8Array | Uint32Array,
  from: number,
  count: number,
): void {
  let rest = 0;
  let bits = 0;
  for (let i = 0; i < count; i++) {
    while (bits < width) {
      rest += byte() * 2 ** bits;
      bits += 8;
    }
    values[from + i] = rest % 2 ** width;
    rest = Math.floor(rest / 2 ** width);
    bits -= width;
  }
}
