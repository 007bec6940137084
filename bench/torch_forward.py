"""Times a LeNet5 forward pass in PyTorch: one thread, best of several batch sizes, median of nine."""
import json
import statistics
import sys
import time

import torch
from torch import nn

torch.set_num_threads(1)
images = int(sys.argv[1])
model = nn.Sequential(
    nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
).eval()
x = torch.rand(images, 3, 32, 32)
best = float("inf")
with torch.no_grad():
    for batch in (16, 32, 100, 500, 1000):
        times = []
        for _ in range(10):
            start = time.perf_counter()
            for first in range(0, images, batch):
                model(x[first:first + batch])
            times.append(time.perf_counter() - start)
        best = min(best, statistics.median(times[1:]))
print(json.dumps({"seconds": best, "version": torch.__version__}))
