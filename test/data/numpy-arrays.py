"""Writes numpy-arrays.npz: the numbers 0 to 23 as [2, 3, 4] in every type, byte order and memory order that we read."""

import numpy as np

arrays = {}
for order in "<", ">":
    for code in "b1 u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8".split():
        for layout in "C", "F":
            values = np.arange(24) % 2 if code == "b1" else np.arange(24)
            name = f"{code}-{'little' if order == '<' else 'big'}-{layout}"
            arrays[name] = np.array(values.reshape(2, 3, 4), dtype=order + code, order=layout)
np.savez_compressed("numpy-arrays.npz", **arrays)
