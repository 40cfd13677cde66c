"""Tensors on another device: how they are made and moved, models and optimisers that live there."""

from __future__ import annotations

import numpy as np
import pytest
import strict_array
from benchmark_cases import networks
from strict_array import StrictArray, transfers

import tinygrad_dl as td

strict_array.install()
STRICT = td.device("strict")

# -- tensors, creation, moving ---------------------------------------------------------------------------


def test_tensors_are_made_and_moved():
    x = td.zeros(2, 3, device="strict")
    assert type(x._data) is StrictArray and str(x.device) == "strict" and not x.is_cpu and not x.is_cuda
    assert td.ones_like(x).device == x.device == x.new_zeros(2).device == td.tensor([1.0], device="strict").device
    y = td.arange(3.0, requires_grad=True)
    (y.to("strict") * 2.0).sum().backward()
    assert y.grad.is_cpu and y.grad.tolist() == [2.0, 2.0, 2.0]
    with td.device("strict"):
        assert td.rand(2).device == td.eye(2).device == td.linspace(0.0, 1.0, 3).device == td.device("strict")
        assert td.zeros_like(y).is_cpu and td.zeros(1, device="cpu").is_cpu
    assert td.zeros(1).is_cpu and x.cpu().is_cpu and x.cpu().cpu().to(x).device == x.device
    assert td.zeros(2).copy_(td.ones(2, device="strict")).tolist() == [1.0, 1.0]
    assert repr(td.ones(2, device="strict")) == "tensor([1., 1.])"
    assert td.ones(2, device="strict").tolist() == [1.0, 1.0]


def test_gradients_of_gradients_and_transforms_stay_where_their_tensors_are():
    def cubes(x):
        return (x**3).sum()

    def layer(x):
        return td.nn.functional.linear(x, td.ones_like(rows)).square().sum()

    found = []
    for device in ("cpu", "strict"):
        x = td.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)
        rows = td.ones(2, 3, device=device)
        (g,) = td.autograd.grad(cubes(x), x, create_graph=True)
        g.sum().backward()
        plain = x.detach()
        found.append(
            [
                x.grad,
                td.func.hessian(cubes)(plain),
                td.func.jacrev(td.sin)(plain),
                td.func.jacfwd(lambda x: 2.0 * x.sin())(plain),
                *td.func.jvp(lambda x: x * 3.0, (plain,), (plain,)),
                td.func.vmap(td.func.grad(layer))(rows),
                td.autograd.functional.hessian(cubes, plain, vectorize=True),
            ]
        )
    for here, there in zip(*found, strict=True):
        assert there.device == STRICT and there.tolist() == here.tolist()


def test_a_seed_gives_the_same_numbers_on_every_device():
    td.manual_seed(3)
    here = [td.rand(3), td.randn(2), td.nn.functional.dropout(td.ones(8), 0.5), td.randperm(5)]
    td.manual_seed(3)
    there = [td.rand(3, device="strict"), td.randn(2, device="strict")]
    there += [td.nn.functional.dropout(td.ones(8, device="strict"), 0.5), td.randperm(5, device="strict")]
    assert all(b.device == td.device("strict") and td.equal(a, b.cpu()) for a, b in zip(here, there, strict=True))


@pytest.mark.parametrize(
    "call",
    [
        lambda x, y: x + y,
        lambda x, y: td.matmul(x, y),
        lambda x, y: td.cat([x, y]),
        lambda x, y: td.where(x > 0, x, y),
        lambda x, y: x.double() + y,
        lambda x, y: x.add_(y),
        lambda x, y: td.nn.functional.linear(x, y),
    ],
)
def test_devices_are_not_mixed(call):
    with pytest.raises(
        RuntimeError, match=r"got tensors on (strict and on cpu|cpu and on strict), expected all on the same"
    ):
        call(td.ones(2, 2, device="strict"), td.ones(2, 2))


def test_nothing_is_converted_in_silence():
    x = td.ones(2, device="strict")
    with pytest.raises(TypeError, match="got a tensor on strict, expected one on the CPU"):
        x.numpy()
    with pytest.raises(TypeError):
        np.asarray(x)
    assert x.cpu().numpy().tolist() == [1.0, 1.0] == x.numpy(force=True).tolist()


# -- models and optimisers -------------------------------------------------------------------------------


def images(*shape):
    return td.randn(*shape)


def codes(*shape):
    return td.randint(0, 10, shape)


class OnItsDevice:
    """The library as a model sees it that makes tensors without naming a device."""

    nn = td.nn

    def __init__(self, device):
        self.device = device

    def zeros(self, *shape):
        return td.zeros(*shape, device=self.device)

    def arange(self, count):
        return td.arange(count, device=self.device)


MODELS = {
    "lenet": (lambda lib: networks.lenet(lib.nn), lambda: td.randn(2, 1, 28, 28)),
    "autoencoder": (lambda lib: networks.autoencoder(lib.nn), lambda: td.randn(2, 1, 28, 28)),
    "recurrent": (lambda lib: networks.recurrent(lib.nn), lambda: td.randn(2, 5, 128)),
    "cells": (networks.cells, lambda: td.randn(2, 3, 128)),
    "encoder": (lambda lib: networks.encoder(lib.nn), lambda: td.randn(1, 4, 256)),
    "resnet": (lambda lib: networks.resnet(lib.nn), lambda: td.randn(2, 3, 32, 32)),
    "gpt": (networks.gpt, lambda: td.randint(0, 65, (1, 8))),
}


def trained(make, data, device, optimiser, steps=2):
    """The losses of some steps and the parameters after them, on a device."""
    td.manual_seed(0)
    model = make(OnItsDevice(device)).to(device)
    optimizer = optimiser(model.parameters())
    x = data.to(device)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        out = model(x)
        loss = (out * out).mean() if out.ndim != 2 else td.nn.functional.cross_entropy(out, out.argmax(1))
        loss.backward()
        td.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: value.cpu() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("name", MODELS)
def test_a_training_step_of_each_model(name):
    make, data = MODELS[name]
    td.manual_seed(1)
    batch = data()
    here = trained(make, batch, "cpu", lambda params: td.optim.SGD(params, lr=0.1))
    there = trained(make, batch, "strict", lambda params: td.optim.SGD(params, lr=0.1))
    np.testing.assert_allclose(there[0], here[0], rtol=2e-4)
    for key, value in here[1].items():
        np.testing.assert_allclose(there[1][key].numpy(), value.numpy(), rtol=2e-3, atol=2e-5, err_msg=key)


OPTIMISERS = {
    "SGD": lambda params: td.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01),
    "Adam": lambda params: td.optim.Adam(params, amsgrad=True),
    "AdamW": td.optim.AdamW,
    **{name: getattr(td.optim, name) for name in ("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adamax")},
    **{name: getattr(td.optim, name) for name in ("NAdam", "RAdam", "RMSprop", "Rprop")},
    "Muon": lambda params: td.optim.Muon([p for p in params if p.ndim == 2]),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_of_optimisers(name):
    def mlp(lib):
        return td.nn.Sequential(td.nn.Linear(6, 5), td.nn.Tanh(), td.nn.Linear(5, 3)).double()

    td.manual_seed(2)
    data = td.randn(4, 6, dtype=td.float64)
    here = trained(mlp, data, "cpu", OPTIMISERS[name], 3)
    there = trained(mlp, data, "strict", OPTIMISERS[name], 3)
    np.testing.assert_allclose(there[0], here[0], rtol=1e-9)
    for key, value in here[1].items():
        np.testing.assert_allclose(there[1][key].numpy(), value.numpy(), rtol=1e-8, atol=1e-10, err_msg=key)


def test_lbfgs():
    def minimum(device):
        x = td.tensor([3.0, -2.0], dtype=td.float64, device=device, requires_grad=True)
        optimizer = td.optim.LBFGS([x], line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            loss = ((x - td.tensor([1.0, 2.0], dtype=td.float64, device=device)) ** 4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return x.detach().cpu()

    np.testing.assert_allclose(minimum("strict").numpy(), minimum("cpu").numpy(), rtol=1e-9)


def test_an_optimisers_state_lives_with_its_parameters():
    layer = td.nn.Linear(2, 2, device="strict")
    assert layer.weight.device == STRICT == layer.bias.device
    optimizer = td.optim.Adam(layer.parameters())
    layer(td.ones(1, 2, device="strict")).sum().backward()
    optimizer.step()
    saved = optimizer.state_dict()
    assert saved["state"][0]["exp_avg"].device == STRICT
    again = td.optim.Adam(layer.parameters())
    again.load_state_dict(
        {**saved, "state": {k: {n: v.cpu() for n, v in e.items()} for k, e in saved["state"].items()}}
    )
    assert again.state[layer.weight]["exp_avg"].device == STRICT


def test_a_step_waits_for_nothing_but_what_is_asked_for():
    model = td.nn.Sequential(
        td.nn.Conv2d(1, 2, 3), td.nn.BatchNorm2d(2), td.nn.ReLU(), td.nn.Flatten(), td.nn.Linear(8, 2)
    )
    model.to("strict")
    optimizer = td.optim.AdamW(model.parameters())
    x = td.ones(3, 1, 4, 4, device="strict")
    for step in range(2):
        if step:
            transfers.clear()
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    assert not transfers, dict(transfers)


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["pth", "safetensors", "npz"])
def test_files_say_nothing_of_devices(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    td.save({"x": td.arange(3.0, device="strict")}, path)
    assert td.load(path)["x"].is_cpu and td.load(path, map_location="strict")["x"].device == STRICT
    assert td.load(path, {"cpu": "strict"})["x"].cpu().tolist() == [0.0, 1.0, 2.0]


def test_a_state_is_loaded_to_where_the_module_lives():
    saved = td.nn.Linear(2, 1)
    layer = td.nn.Linear(2, 1, device="strict")
    layer.load_state_dict(saved.state_dict())
    assert layer.weight.device == STRICT and layer.weight.cpu().tolist() == saved.weight.tolist()
    saved.load_state_dict(layer.state_dict())
    assert saved.weight.is_cpu


def test_batches_of_a_loader_are_moved():
    dataset = td.data.TensorDataset(td.arange(4.0), td.arange(4))
    for x, y in td.data.DataLoader(dataset, batch_size=2, pin_memory=True):
        assert x.pin_memory().to("strict", non_blocking=True).device == y.to("strict").device == STRICT


# -- GPUs ----------------------------------------------------------------------------------------------


class OneGPU:
    """`cupy.cuda` of a machine with one GPU."""

    class runtime:
        @staticmethod
        def getDeviceCount():
            return 1

        @staticmethod
        def getDevice():
            return 0

        @staticmethod
        def getDeviceProperties(index):
            return {"name": b"Pretended"}

    class Device:
        compute_capability, mem_info = "90", (1, 2)

        def __init__(self, index=None):
            self.index = index

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def use(self):
            pass

        synchronize = use

    @staticmethod
    def is_available():
        return True


def test_cuda_is_cupys(monkeypatch):
    import tinygrad_dl.core.device as devices

    monkeypatch.setitem(devices.ARRAY_MODULES, "cuda", "strict_array")
    monkeypatch.setattr(strict_array, "cuda", OneGPU, raising=False)
    assert td.cuda.is_available() and td.cuda.is_initialized() and td.cuda.device_count() == 1
    assert td.cuda.current_device() == 0 and td.cuda.get_device_name() == "Pretended"
    assert td.cuda.get_device_capability(0) == (9, 0) and td.cuda.mem_get_info("cuda:0") == (1, 2)
    td.cuda.synchronize()
    td.cuda.set_device(0)
    with td.cuda.device(0), td.device("cuda:0"):
        x = td.ones(2).cuda()
    assert x.is_cuda and x.device.type == "cuda" and x.get_device() == 0 and x.cpu().tolist() == [1.0, 1.0]
    layer = td.nn.Linear(2, 1).cuda()
    assert layer.weight.is_cuda and layer(x).is_cuda and layer.cpu().weight.is_cpu
    with pytest.raises(NotImplementedError, match="Stream: is not here"):
        td.cuda.Stream()


def test_without_cupy_a_gpu_is_refused_with_what_to_install():
    with pytest.raises(ValueError, match=r"pip install 'tinygrad_dl\[cuda\]'"):
        td.ones(2).cuda()
    with pytest.raises(ValueError, match=r"pip install 'tinygrad_dl\[cuda\]'"):
        td.nn.Linear(1, 1).to("cuda")
    with pytest.raises(RuntimeError, match=r"cuda.current_device: got a call for a GPU.*pip install"):
        td.cuda.current_device()
