"""Exports the models of `tests/programs` with dynamic axes, runs them at several sizes, and prints what differs.

Run by test_onnx.py as `python -m tinygrad_dl.torch tests/onnx_programs.py`: a line of JSON for each model.
"""

import json
import sys
import warnings
from collections import Counter
from pathlib import Path

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

sys.path.insert(0, str(Path(__file__).parent / "programs"))

import actor_critic
import diffusion
import gan
import gcn
import gpt
import lenet
import resnet
import sine
import unet
import vae

warnings.simplefilter("error")
BATCH, BOTH = {0: "batch"}, {0: "batch", 1: "time"}
R = torch.randn


class Recurrent(nn.Module):
    """A recurrent layer, of whose outputs the last one is classified."""

    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = kind(3, 5, batch_first=True, **options)
        self.fc = nn.Linear(5 * self.rnn._directions, 2)

    def forward(self, x):
        y, state = self.rnn(x)
        return self.fc(y[:, -1]), state


def residual():
    return resnet.ResNet(resnet.BasicBlock, [2, 2, 2, 2], width=8)


def language(flash):
    model = gpt.GPT(gpt.GPTConfig(block_size=16, vocab_size=20, n_layer=2, n_embd=32))
    for block in model.transformer.h:
        block.attn.flash = flash
    return model


def words(batch, length):
    return torch.randint(0, 20, (batch, length))


def encoder():
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


# name -> the model, its inputs for a number, and the names of its dynamic axes. The number of the example is 2.
CASES = {
    "LeNet": (lenet.LeNet, lambda n: (R(n, 1, 28, 28),), BATCH),
    "ResNet-18": (residual, lambda n: (R(n, 3, 32, 32),), BATCH),
    "ResNet-18 of any size": (residual, lambda n: (R(n, 3, 16 * n, 30 + n),), {**BATCH, 2: "height", 3: "width"}),
    "U-Net": (lambda: unet.UNet(3, 2, width=4), lambda n: (R(n, 3, 24, 20),), BATCH),
    "U-Net, bilinear": (lambda: unet.UNet(3, 2, 4, bilinear=True), lambda n: (R(n, 3, 24, 24),), BATCH),
    "U-Net of any height": (lambda: unet.UNet(3, 2, 4), lambda n: (R(n, 3, 17 + 5 * n, 16),), {**BATCH, 2: "height"}),
    "GPT": (lambda: language(True), lambda n: (words(n, 5 + n),), BOTH),
    "GPT without fused attention": (lambda: language(False), lambda n: (words(n, 5 + n),), BOTH),
    "LSTM": (lambda: Recurrent(nn.LSTM), lambda n: (R(n, 3 + n, 3),), BOTH),
    "LSTM of two directions": (
        lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True),
        lambda n: (R(n, 3 + n, 3),),
        BOTH,
    ),
    "LSTM with projections": (lambda: Projected(), lambda n: (R(n, 4, 3),), BATCH),
    "GRU": (lambda: Recurrent(nn.GRU, num_layers=2, bidirectional=True), lambda n: (R(n, 3 + n, 3),), BOTH),
    "RNN": (lambda: Recurrent(nn.RNN, nonlinearity="relu"), lambda n: (R(n, 3 + n, 3),), BOTH),
    "LSTM cells": (sine.Sequence, lambda n: (R(n, 6),), BATCH),
    "diffusion U-Net": (diffusion.Denoiser, lambda n: (R(n, 1, 16, 16), torch.arange(n)), BATCH),
    "encoder of a VAE": (lambda: vae.VAE().encoder, lambda n: (R(n, 400),), BATCH),
    "VAE": (vae.VAE, lambda n: (R(n, 400),), BATCH),
    "GCN": (lambda: gcn.GCN(8, 6, 3, 0.5), lambda n: (R(9 + n, 8), R(9 + n, 9 + n)), ({0: "n"}, {0: "n", 1: "n"})),
    "generator": (gan.Generator, lambda n: (R(n, gan.NZ, 1, 1),), BATCH),
    "discriminator": (gan.Discriminator, lambda n: (R(n + 1, 1, 16, 16),), BATCH),
    "policy": (actor_critic.Policy, lambda n: (R(n, 4),), BATCH),
    "transformer encoder": (encoder, lambda n: (R(n, 4 + n, 16),), BOTH),
    "attention": (lambda: nn.MultiheadAttention(16, 4, batch_first=True), lambda n: (R(n, 5, 16),) * 3, BATCH),
}


class Projected(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 5, proj_size=2, batch_first=True)

    def forward(self, x):
        return self.rnn(x)


def vit():
    import vit

    return vit.ViT(image_size=16, patch_size=8, num_classes=3, dim=16, depth=2, heads=4, mlp_dim=32)


def main():
    torch.manual_seed(0)
    cases = dict(CASES)
    try:
        import einops  # noqa: F401
    except ImportError:
        pass
    else:
        cases["ViT"] = (vit, lambda n: (R(n, 1, 16, 16),), BATCH)
    for name, (make, inputs, axes) in cases.items():
        model, given = make(), inputs(2)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        names = [f"x{i}" for i in range(len(given))]
        dynamic = dict(zip(names, axes if isinstance(axes, tuple) else [axes] * len(names), strict=True))
        program = torch.onnx.export(model, given, input_names=names, dynamic_axes=dynamic)
        unchanged = model.training and all(torch.equal(before[k], v) for k, v in model.state_dict().items())
        model.eval()
        worst = []
        for n in (2, 1, 3, 5):
            given = inputs(n)
            with torch.no_grad():
                expected = [each for each in tree_leaves(model(*given)) if each is not None]
            found = program(*given)
            assert [each.shape for each in found] == [each.shape for each in expected]
            if name == "VAE":  # whose first output is random
                found, expected = found[1:], expected[1:]
            worst.append(
                max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(found, expected, strict=True))
            )
        graph = program.model_proto.graph
        report = {
            "name": name,
            "worst": max(worst),
            "unchanged": unchanged,
            "nodes": Counter(node.op_type for node in graph.node),
            "parameters": [each.name for each in graph.initializer if each.name in before],
            "state": len({id(value) for value in model.state_dict(keep_vars=True).values()}),
        }
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
