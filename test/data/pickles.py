"""Writes pickles.json: values pickled by CPython in every protocol, as base64. Run with Debian's python3 (3.11)."""

import base64
import collections
import json
import math
import pickle

shared = [1, 2]
loop: list = [1]
loop.append(loop)
values = {
    "plain": [None, True, False, 0, 1, 255, 256, 65536, -1, 2**31, -(2**40), 2**70, -(2**70), 1.5, -0.1, math.inf],
    "text": ["", "a", "é", "\n\\u0041\\", "漢字😀", "x" * 300],
    "bytes": [b"", b"\x00\xff", b"y" * 300],
    "nested": {"a": (1,), "b": [(1, 2), (1, 2, 3), (1, 2, 3, 4), ()], 3: {"c": {}}},
    "sets": [{1, 2}, frozenset({"z"})],
    "shared": [shared, shared],
    "loop": loop,
    "ordered": collections.OrderedDict([("w", 1), ("b", 2)]),
}
written = {
    name: {protocol: base64.b64encode(pickle.dumps(value, protocol)).decode() for protocol in range(6)}
    for name, value in values.items()
}
written["bytearray"] = {p: base64.b64encode(pickle.dumps(bytearray(b"ab"), p)).decode() for p in (5,)}
with open("pickles.json", "w") as file:
    json.dump(written, file, indent=2)
    file.write("\n")
