"""Times training in PyTorch on one thread. Reads lines `case times`, answers each with a JSON list of seconds."""
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
torch.manual_seed(0)


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.proj = (nn.Linear(width, width) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        size = width // self.heads
        normed = self.norm1(x)
        parts = (part(normed) for part in (self.query, self.key, self.value))
        q, k, v = (part.reshape(batch, tokens, self.heads, size).transpose(1, 2) for part in parts)
        weights = (q @ k.transpose(-2, -1) * size**-0.5).softmax(-1)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, width))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Vit(nn.Module):
    """Patches of 4×4 as tokens, one block, the mean over tokens."""

    def __init__(self, width, heads):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.positions = nn.Parameter(0.02 * torch.randn(64, width))
        self.block, self.norm, self.fc = Block(width, heads), nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        return self.fc(self.norm(self.block(tokens)).mean(1))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.short = nn.Identity()
        if inputs != outputs:
            self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.short(x))


def lenet5():
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )


def mlp():
    widths = [784, 100, 100, 100, 100]
    layers = [part for m, d in zip(widths, widths[1:]) for part in (nn.Linear(m, d), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(100, 10))


def resnet():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )


def steps(model, x):
    """A function that takes one step of SGD with momentum."""
    y = torch.arange(len(x)) % 10
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def epochs(model, x, held_out, batch):
    """A function that trains over shuffled minibatches once and then evaluates: loss and accuracy on both sets."""
    y, z = torch.arange(len(x)) % 10, torch.arange(len(held_out)) % 10
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def epoch():
        for places in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(x[places]), y[places]).backward()
            optimizer.step()
        with torch.no_grad():
            for images, labels in ((x, y), (held_out, z)):
                for first in range(0, len(images), 250):
                    scores = model(images[first:first + 250])
                    F.cross_entropy(scores, labels[first:first + 250], reduction="sum").item()
                    (scores.argmax(1) == labels[first:first + 250]).sum().item()

    return epoch


cases = {
    "lenet5": lambda: steps(lenet5(), torch.randn(64, 3, 32, 32)),
    "mlp": lambda: steps(mlp(), torch.randn(200, 784)),
    "vit": lambda: steps(Vit(64, 4), torch.randn(32, 3, 32, 32)),
    "resnet": lambda: steps(resnet(), torch.randn(64, 3, 32, 32)),
    "epoch": lambda: epochs(lenet5(), torch.randn(2000, 3, 32, 32), torch.randn(1000, 3, 32, 32), 64),
}
print(json.dumps({"version": torch.__version__}), flush=True)
made = {}
for line in sys.stdin:
    name, times = line.split()
    run = made.get(name) or made.setdefault(name, cases[name]())
    seconds = []
    for _ in range(int(times)):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds), flush=True)
