"""Exports small networks by torch.onnx.export in the ways that it has, and writes κ and Tr(H) of every layer by autograd in float64.

Made with Debian 12's torch 1.13.0a0 and numpy 1.24.2: python3 export.py, in this folder. Weights are random (seed 0), not trained.

encoder*.onnx    an embedding, torch's MultiheadAttention (batch_first) and MLP, a head on the mean token; constants folded (default),
                 not folded (weights behind Transpose, opset 11), and for a fixed batch of 1 without dynamic axes
vision.onnx      a class token before the patches of an image, torch's TransformerEncoderLayer, a head on that token
convolutions*.onnx  Conv, BatchNorm, ReLU twice, the second in groups; folded (default), kept (training=PRESERVE)
"""

import copy
import json
import warnings

import numpy as np
import torch
from torch import nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)


class Encoder(nn.Module):
    def __init__(self, vocabulary=7, width=8, heads=2, classes=3):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 12), nn.GELU(), nn.Linear(12, width))
        self.head = nn.Linear(width, classes)

    def forward(self, tokens):
        x = self.embed(tokens)
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.mlp(x)
        return self.head(x.mean(1))


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), nn.ReLU(),
        )  # fmt: skip
        self.classifier = nn.Linear(6, 3)

    def forward(self, x):
        return self.classifier(torch.flatten(nn.functional.adaptive_avg_pool2d(self.features(x), 1), 1))


class Vision(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 4, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 4))
        self.positions = nn.Parameter(torch.randn(1, 5, 4))
        self.block = nn.TransformerEncoderLayer(4, 2, 6, activation="gelu", batch_first=True, norm_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        patches = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), patches], 1) + self.positions
        return self.head(self.block(tokens)[:, 0])


def curvature(model, x, y, name, groups):
    """κ and Tr(H) of one parameter of the mean cross-entropy, from its full Hessian."""
    parameter = dict(model.named_parameters())[name]
    loss = nn.functional.cross_entropy(model(x), y)
    (gradient,) = torch.autograd.grad(loss, parameter, create_graph=True)
    rows = [torch.autograd.grad(entry, parameter, retain_graph=True)[0].reshape(-1) for entry in gradient.reshape(-1)]
    w = parameter.detach().reshape(parameter.shape[0], -1)
    if name == "embed.weight":  # stored as vocabulary × width: W is its transpose
        hessian = torch.stack(rows).reshape(*w.shape, *w.shape).permute(1, 0, 3, 2)
        w = w.T
    else:
        hessian = torch.stack(rows).reshape(*w.shape, *w.shape)
    blocks = torch.einsum("sjtj->st", hessian)
    of = torch.arange(w.shape[0]) * groups // w.shape[0]
    same = (of[:, None] == of[None, :]).double()
    kappa = (w @ w.T * blocks * same).sum().item()
    return {
        "parameter": name, "d": w.shape[0], "m": w.shape[1], "kappa": kappa, "trace": blocks.trace().item(),
        "w": w.reshape(-1).tolist(),
    }  # fmt: skip


def export(name, model, x, axis, **options):
    given = {"input_names": ["x"], "output_names": ["logits"], **options}
    if axis:
        given["dynamic_axes"] = {"x": {0: "N"}, "logits": {0: "N"}}
    torch.onnx.export(model, x, f"{name}.onnx", **given)


def truth(name, model, x, y, layers):
    np.savez(f"{name}.npz", x=x.numpy(), y=y.numpy())
    exact = model.double()
    data = x.double() if x.is_floating_point() else x
    rows = [curvature(exact, data, y, layer, groups) for layer, groups in layers.items()]
    loss = nn.functional.cross_entropy(exact(data), y).item()
    with open(f"{name}.json", "w") as file:
        json.dump({"loss": loss, "layers": rows}, file, indent=1)
        file.write("\n")


encoder = Encoder().eval()
for parameter in encoder.parameters():
    if parameter.dim() == 1:
        nn.init.normal_(parameter, std=0.3)
nn.init.normal_(encoder.norm.weight, mean=1, std=0.3)
tokens = torch.randint(0, 7, (6, 5))
export("encoder", encoder, tokens, True)
export("encoder-unfolded", encoder, tokens, True, do_constant_folding=False, opset_version=11)
export("encoder-fixed", encoder, tokens[:1], False)
parameters = ["embed", "attention.in_proj_weight", "attention.out_proj", "mlp.0", "mlp.2", "head"]
names = {name if name.endswith("weight") else f"{name}.weight": 1 for name in parameters}
truth("encoder", encoder, tokens, torch.randint(0, 3, (6,)), names)

convolutions = Convolutions().eval()
for module in convolutions.modules():
    if isinstance(module, nn.BatchNorm2d):
        nn.init.uniform_(module.weight, 0.5, 2)
        nn.init.normal_(module.bias)
        nn.init.normal_(module.running_mean)
        nn.init.uniform_(module.running_var, 0.2, 3)
# The exporter keeps one of equal constants: the second norm's bias is the first's mean.
nn.init.constant_(convolutions.features[1].running_mean, 0.25)
convolutions.features[1].bias.data.copy_(convolutions.features[1].running_mean)
images = torch.randn(6, 3, 8, 8)
export("convolutions", convolutions, images, True)
export("convolutions-kept", convolutions, images, True, training=torch.onnx.TrainingMode.PRESERVE)
# A forward pass in training mode changes the statistics.
training = {"training": torch.onnx.TrainingMode.TRAINING, "do_constant_folding": False}
export("convolutions-training", copy.deepcopy(convolutions).train(), images, True, **training)
names = {"features.0.weight": 1, "features.4.weight": 2, "classifier.weight": 1}
truth("convolutions", convolutions, images, torch.randint(0, 3, (6,)), names)

vision = Vision().eval()
images = torch.randn(6, 3, 8, 8)
export("vision", vision, images, True)
parameters = ["patch", "block.self_attn.in_proj_weight", "block.self_attn.out_proj", "block.linear1", "block.linear2", "head"]
names = {name if name.endswith("weight") else f"{name}.weight": 1 for name in parameters}
truth("vision", vision, images, torch.randint(0, 3, (6,)), names)
