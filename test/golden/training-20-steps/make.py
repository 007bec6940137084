"""20 training steps in PyTorch, float64, from the weights of two golden models: make.py writes one .npz a run beside itself.

Batch k of 20 is samples 16k mod 64 to 16k mod 64 + 15 of the model's batch.npz.
"""
import os
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))
golden = os.path.dirname(here)


def mlp():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))


def lenet5():
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


models = {"mlp": (mlp, "digits-mlp-relu"), "lenet5": (lenet5, "lenet5-fashion/net00-batch64")}
runs = {
    "mlp-sgd": ("mlp", lambda p: torch.optim.SGD(p, lr=0.05)),
    "mlp-nesterov": ("mlp", lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-3)),
    "mlp-adam": ("mlp", lambda p: torch.optim.Adam(p, lr=1e-3, weight_decay=1e-3)),
    "mlp-adamw": ("mlp", lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.1)),
    "mlp-rmsprop": ("mlp", lambda p: torch.optim.RMSprop(p, lr=1e-3, eps=1e-4)),
    "lenet5-sgd": ("lenet5", lambda p: torch.optim.SGD(p, lr=0.02)),
}

for name, (kind, optimizer_of) in runs.items():
    build, folder = models[kind]
    net = build().double()
    stored = [numpy_helper.to_array(t) for t in onnx.load(f"{golden}/{folder}/model.onnx").graph.initializer]
    stored = [a for a in stored if a.dtype == np.float32]
    names = [t.name for t in onnx.load(f"{golden}/{folder}/model.onnx").graph.initializer if t.data_type == 1]
    for parameter, array in zip(net.parameters(), stored, strict=True):
        assert tuple(parameter.shape) == array.shape
        parameter.data = torch.from_numpy(array.astype(np.float64))
    batch = np.load(f"{golden}/{folder}/batch.npz")
    x, y = torch.from_numpy(batch["x"].astype(np.float64)), torch.from_numpy(batch["y"].astype(np.int64))
    optimizer = optimizer_of(net.parameters())
    losses = []
    for step in range(20):
        chosen = slice(16 * step % 64, 16 * step % 64 + 16)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[chosen]), y[chosen])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    moved = {n: (p.detach().numpy() - a).astype(np.float32) for n, p, a in zip(names, net.parameters(), stored)}
    np.savez(f"{here}/{name}.npz", losses=np.array(losses), **moved)
    print(name, losses[0], losses[-1])
