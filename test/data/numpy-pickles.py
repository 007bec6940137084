"""Writes numpy-pickles-N.json, N the major version of NumPy: arrays and numbers pickled in every protocol, as base64.

Run with Debian's python3 and python3-numpy (1.24), and once with NumPy 2.
"""

import base64
import json
import pickle
import sys

import numpy as np

six = np.arange(6).reshape(2, 3)
values = {
    "u1": six.astype("u1"),
    "b1": six % 2 == 1,
    "f2": six.astype("f2") / 2,
    "<i4": six.astype("<i4"),
    ">i4": six.astype(">i4"),
    "i8": six.astype("i8") - 3,
    "f4": six.astype("f4") / 4,
    "fortran": np.asfortranarray(six.astype("f8")),
    "big fortran": np.asfortranarray(six.astype(">f8")),
    "scalar array": np.array(5, dtype="u2"),
    "empty": np.zeros((0, 3), dtype="f4"),
    "number": np.float64(2.5),
    "whole number": np.int64(7),
}
written = {
    name: {protocol: base64.b64encode(pickle.dumps(value, protocol)).decode() for protocol in range(6)}
    for name, value in values.items()
}
with open(f"numpy-pickles-{np.__version__.split('.')[0]}.json", "w") as file:
    json.dump(written, file, indent=2)
    file.write("\n")
