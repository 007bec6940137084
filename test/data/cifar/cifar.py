"""Writes CIFAR's Python folders with a handful of made-up images, as Python 2's cPickle wrote the published ones.

Pixel j of image i of a file is (31·j + 7·i + 50·f) % 256 with f the file's place in its folder. Run with Debian's
python3 and python3-numpy. cifar-10-python.tar.gz is packed as the published one is: members in no order.
"""

import pathlib
import pickle
import struct
import tarfile

import numpy as np


class Python2Pickler(pickle._Pickler):
    """Protocol 2 with Python 2's str for text and for bytes."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, value):
        data = value if isinstance(value, bytes) else value.encode("latin1")
        head = b"U" + bytes([len(data)]) if len(data) < 256 else b"T" + struct.pack("<i", len(data))
        self.write(head + data)
        self.memoize(value)

    dispatch[str] = save_string
    dispatch[bytes] = save_string


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        Python2Pickler(file, 2).dump(value)


def images(place, n):
    i, j = np.mgrid[:n, :3072]
    return ((31 * j + 7 * i + 50 * place) % 256).astype("u1")


here = pathlib.Path(__file__).parent

ten = here / "cifar-10-batches-py"
names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
write(ten / "batches.meta", {"num_cases_per_batch": 2, "label_names": names, "num_vis": 3072})
for place in range(6):
    n = 2 if place < 5 else 3
    batch = {
        "batch_label": f"training batch {place + 1} of 5" if place < 5 else "testing batch 1 of 1",
        "labels": [(3 * place + i) % 10 for i in range(n)],
        "data": images(place, n),
        "filenames": [f"image_s_{place}{i}.png" for i in range(n)],
    }
    write(ten / (f"data_batch_{place + 1}" if place < 5 else "test_batch"), batch)

hundred = here / "cifar-100-python"
write(
    hundred / "meta",
    {
        "fine_label_names": [f"fine {i}" for i in range(100)],
        "coarse_label_names": [f"coarse {i}" for i in range(20)],
    },
)
for place, (name, n) in enumerate([("train", 3), ("test", 2)]):
    batch = {
        "filenames": [f"image_s_{i}.png" for i in range(n)],
        "batch_label": f"{name}ing batch 1 of 1",
        "fine_labels": [99 - i for i in range(n)],
        "coarse_labels": [19 - i for i in range(n)],
        "data": images(place, n),
    }
    write(hundred / name, batch)

order = ["data_batch_4", "test_batch", "data_batch_3", "batches.meta", "data_batch_2", "data_batch_5", "data_batch_1"]
with tarfile.open(here / "cifar-10-python.tar.gz", "w:gz", format=tarfile.USTAR_FORMAT) as tar:
    for member in [".", *order]:
        info = tar.gettarinfo(ten / member, f"cifar-10-batches-py/{member}".removesuffix("/."))
        info.mtime = info.uid = info.gid = 0
        info.uname = info.gname = "alex"
        tar.addfile(info, open(ten / member, "rb") if info.isfile() else None)
