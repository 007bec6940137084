"""An MLP on the embedded digits in PyTorch, 20 seeds: make.py writes training.json beside itself.

64-32-32-10 with ReLU, PyTorch's own initialization, SGD 0.05 with momentum 0.9, batches of 32 drawn anew each epoch, the first 1 437
digits divided by 16, until the loss on all of them is below 0.1 at the end of an epoch; accuracy on the other 360.
"""
import gzip
import json
import os
import numpy as np
import torch
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
with gzip.open(os.path.join(here, "../../../examples/digits.csv.gz"), "rt") as file:
    table = np.loadtxt(file, delimiter=",")
x = torch.tensor(table[:, :64] / 16, dtype=torch.float32)
y = torch.tensor(table[:, 64], dtype=torch.int64)
n = 1437
loss_of = nn.CrossEntropyLoss()
runs = []
for seed in range(20):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(1, 101):
        order = torch.randperm(n)
        for start in range(0, n, 32):
            batch = order[start : start + 32]
            optimizer.zero_grad()
            loss_of(net(x[batch]), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            scores, tested = net(x[:n]), net(x[n:])
            loss = loss_of(scores, y[:n]).item()
        if loss < 0.1:
            break
    right = lambda given, labels: (given.argmax(1) == labels).double().mean().item()
    runs.append({"seed": seed, "epochs": epoch, "train_loss": loss, "train_acc": right(scores, y[:n]),
                 "test_loss": loss_of(tested, y[n:]).item(), "test_acc": right(tested, y[n:])})
with open(os.path.join(here, "training.json"), "w") as file:
    json.dump(runs, file, indent=1)
    file.write("\n")
