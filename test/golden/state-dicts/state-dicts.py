"""Writes the files of this folder. Debian's python3-torch 1.13: /usr/bin/python3 state-dicts.py"""
import warnings

import numpy as np
import torch
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)


class Network(nn.Module):
    """Small, with what exporters rename or move: linear layers on tokens, one of them square; normalizations of four kinds."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.gn = nn.GroupNorm(2, 4)
        self.ln = nn.LayerNorm(16)
        self.square = nn.Linear(16, 16)
        self.down = nn.Linear(16, 8)
        self.up = nn.Linear(8, 16)
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        h = self.gn(torch.relu(self.bn(self.conv(x)))).flatten(2)
        h = self.ln(h)
        h = h + self.up(torch.relu(self.down(torch.tanh(self.square(h)))))
        return self.fc(h.flatten(1))


def network():
    net = Network()
    for parameter in net.parameters():
        parameter.data.normal_()
    for buffer in net.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2)
    return net.eval()


x = torch.randn(8, 1, 6, 6)
exported, plain, nested = network(), network(), network()
torch.onnx.export(
    exported,
    x,
    "model.onnx",
    opset_version=13,
    training=torch.onnx.TrainingMode.PRESERVE,
    input_names=["x"],
    output_names=["scores"],
    dynamic_axes={"x": {0: "n"}, "scores": {0: "n"}},
)
torch.onnx.export(exported, x, "model-folded.onnx", opset_version=13)

torch.save(plain.state_dict(), "plain.pt")

optimizer = torch.optim.Adam(nested.parameters())
nested(x).square().mean().backward()
optimizer.step()
checkpoint = {
    "epoch": 3,
    "best": np.float64(0.5),
    "loss": torch.tensor(0.25),
    "model": nn.DataParallel(nested).state_dict(),
    "optimizer": optimizer.state_dict(),
}
torch.save(checkpoint, "nested.pt")

# Views of one storage, transposed and cut; parameters; what has no place among weights.
w = torch.arange(12.0).reshape(3, 4)
views = {
    "transposed": w.t(),
    "rows": w[1:],
    "cut": w[1:, 1:3],
    "permuted": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
    "parameter": nn.Parameter(w[:, 0].clone()),
    "half": w.half() / 8,
    "bfloat16": w.bfloat16() * 256,
    "double": w.double() / 3,
    "counts": torch.arange(3),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 4),
    "sparse": w.to_sparse(),
    "complex": torch.complex(w, w),
}
torch.save(views, "views.pt")
torch.save(plain.state_dict(), "legacy.pt", _use_new_zipfile_serialization=False)
torch.save(nn.Linear(2, 2), "module.pt")
torch.jit.save(torch.jit.script(nn.Linear(2, 2)), "script.pt")

truth = {"plain": plain.double()(x.double()), "nested": nested.double()(x.double())}
np.savez("outputs.npz", x=x.numpy(), **{name: value.detach().numpy() for name, value in truth.items()})
