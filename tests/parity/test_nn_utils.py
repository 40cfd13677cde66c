"""nn.utils beside torch.nn.utils: parametrizations, hooks on weights, fused layers."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def close(ours, theirs, tolerance=2e-5):
    ours, theirs = (np.asarray(t.detach().numpy()) for t in (ours, theirs))
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def arrays_of(module):
    return {name: np.array(t.detach().numpy()) for name, t in module.state_dict().items()}


def pair(name, *args, **kwargs):
    """The same layer of both libraries, with the same values."""
    ours, theirs = getattr(td.nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    copied_to(ours, theirs)
    return ours, theirs


def copied_to(ours, theirs):
    theirs.load_state_dict({key: torch.tensor(value) for key, value in arrays_of(ours).items()})


def same_training(ours, theirs, x, steps=2):
    """Outputs, gradients by name and what is left after steps of SGD."""
    our_sgd = td.optim.SGD(ours.parameters(), lr=0.1, momentum=0.9)
    their_sgd = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        for library, module, sgd in ((td, ours, our_sgd), (torch, theirs, their_sgd)):
            sgd.zero_grad()
            module(library.tensor(x)).square().mean().backward()
        gradients = dict(theirs.named_parameters())
        assert [name for name, _ in ours.named_parameters()] == list(gradients)
        for name, parameter in ours.named_parameters():
            close(parameter.grad, gradients[name].grad, 1e-4)
        our_sgd.step()
        their_sgd.step()
    for module in (ours, theirs):
        module.eval()
    close(ours(td.tensor(x)), theirs(torch.tensor(x)), 1e-4)


LAYERS = [
    ("Linear", (4, 3), (5, 4)),
    ("Conv2d", (2, 3, 3), (2, 2, 5, 5)),
    ("ConvTranspose1d", (2, 3, 3), (2, 2, 5)),
]
WRAPPED = [
    ("parametrizations", "weight_norm", {}),
    ("parametrizations", "weight_norm", {"dim": None}),
    ("parametrizations", "weight_norm", {"dim": 1}),
    ("parametrizations", "spectral_norm", {}),
    ("parametrizations", "spectral_norm", {"n_power_iterations": 3}),
    ("", "weight_norm", {}),
    ("", "weight_norm", {"dim": None}),
    ("", "spectral_norm", {}),
]


def wrap(library, layer, place, function, options):
    utils = library.nn.utils
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the older ones are deprecated
        return getattr(getattr(utils, place) if place else utils, function)(layer, **options)


@pytest.mark.parametrize("name, args, shape", LAYERS)
@pytest.mark.parametrize("place, function, options", WRAPPED)
def test_weights_that_are_computed(name, args, shape, place, function, options):
    ours, theirs = pair(name, *args)
    for library, layer in ((td, ours), (torch, theirs)):
        assert wrap(library, layer, place, function, options) is layer
    assert {key: v.shape for key, v in arrays_of(ours).items()} == {k: v.shape for k, v in arrays_of(theirs).items()}
    assert type(ours).__name__ == type(theirs).__name__
    if function == "weight_norm":
        close(ours.weight, theirs.weight)
    copied_to(ours, theirs)  # what was drawn
    same_training(ours, theirs, draw(*shape))
    if place:
        again = [
            library.nn.utils.parametrize.remove_parametrizations(layer, "weight")
            for library, layer in ((td, ours), (torch, theirs))
        ]
    else:
        again = [getattr(library.nn.utils, f"remove_{function}")(m) for library, m in ((td, ours), (torch, theirs))]
    assert again == [ours, theirs] and list(ours.state_dict()) == list(theirs.state_dict())
    assert type(ours).__name__ == type(theirs).__name__ == name
    close(ours.weight, theirs.weight, 1e-4)
    same_training(ours.train(), theirs.train(), draw(*shape))


def test_states_of_the_older_weight_norm_are_loaded():
    theirs = torch.nn.Linear(4, 3)
    state = wrap(torch, theirs, "", "weight_norm", {}).state_dict()
    layer = td.nn.utils.parametrizations.weight_norm(td.nn.Linear(4, 3))
    layer.load_state_dict({key: td.tensor(value.numpy()) for key, value in state.items()})
    close(layer.weight, theirs.weight)


def parametrizations(library):
    class Symmetric(library.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).T

        def right_inverse(self, x):
            return x.triu()

    class Scaled(library.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = library.nn.Parameter(library.tensor(2.0))

        def forward(self, x):
            return x * self.scale

        def right_inverse(self, x):
            return x / self.scale.detach()

    class Product(library.nn.Module):
        def forward(self, a, b):
            return a @ b

        def right_inverse(self, x):
            return x[:, :1], x[:1].clone()

    return Symmetric, Scaled, Product


@pytest.mark.parametrize("chain", [[0], [0, 1], [1], [2], [2, 1]])
@pytest.mark.parametrize("leave", [True, False])
def test_parametrize(chain, leave):
    ours, theirs = pair("Linear", 3, 3)
    x, value = draw(4, 3), draw(3, 3)
    value = value + value.T if 2 not in chain else value[:, :1] @ value[:1]
    for library, layer in ((td, ours), (torch, theirs)):
        parametrize, classes = library.nn.utils.parametrize, parametrizations(library)
        assert not parametrize.is_parametrized(layer)
        for i in chain:
            assert parametrize.register_parametrization(layer, "weight", classes[i]()) is layer
        assert parametrize.is_parametrized(layer) and parametrize.is_parametrized(layer, "weight")
        assert not parametrize.is_parametrized(layer, "bias")
        assert parametrize.type_before_parametrizations(layer) is library.nn.Linear
    close(ours.weight, theirs.weight)
    same_training(ours, theirs, x)
    for library, layer in ((td, ours), (torch, theirs)):
        layer.weight = library.tensor(value)
    close(ours.weight, theirs.weight, 1e-4)
    for (name, left), (other, right) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        close(left, right, 1e-4)
    found = []
    for library, layer in ((td, ours), (torch, theirs)):
        copied = copy.deepcopy(layer)
        assert library.nn.utils.parametrize.is_parametrized(copied, "weight")
        found.append(None)
        try:
            library.nn.utils.parametrize.remove_parametrizations(layer, "weight", leave)
        except ValueError as error:
            found[-1] = type(error)
    assert found[0] == found[1] and (found[0] is ValueError) == (2 in chain and not leave)
    close(ours.weight, theirs.weight, 1e-4)
    assert list(ours.state_dict()) == list(theirs.state_dict())


FUSED = [
    ("Conv2d", (3, 4, 3), "BatchNorm2d", 4, (2, 3, 5, 5), {}),
    ("Conv1d", (4, 4, 3, 1, 0, 1, 2, False), "BatchNorm1d", 4, (2, 4, 5), {}),
    ("ConvTranspose2d", (3, 4, 3), "BatchNorm2d", 4, (2, 3, 5, 5), {"transpose": True}),
    ("Linear", (3, 4), "BatchNorm1d", 4, (5, 3), {}),
    ("Linear", (3, 4, False), "BatchNorm1d", 4, (5, 3), {}),
]


@pytest.mark.parametrize(
    "layer, args, norm, features, shape, options, affine",
    [(*row, affine) for row in FUSED for affine in (True, False) if affine or row[0] != "Linear"],  # torch refuses it
)
def test_fused(layer, args, norm, features, shape, options, affine):
    ours, theirs = pair(layer, *args)
    our_norm, their_norm = pair(norm, features, affine=affine)
    for library, first, second in ((td, ours, our_norm), (torch, theirs, their_norm)):
        second(first(library.tensor(draw(*shape))))
        first.eval(), second.eval()
    copied_to(our_norm, their_norm)
    function = "fuse_linear_bn_eval" if layer == "Linear" else "fuse_conv_bn_eval"
    fused = getattr(td.nn.utils, function)(ours, our_norm, **options)
    other = getattr(torch.nn.utils, function)(theirs, their_norm, **options)
    close(fused.weight, other.weight)
    close(fused.bias, other.bias)
    assert [p.requires_grad for p in fused.parameters()] == [p.requires_grad for p in other.parameters()]
    x = draw(*shape)
    close(fused(td.tensor(x)), their_norm(theirs(torch.tensor(x))), 1e-4)


REAL = [(name, "real") for name in ("matrix_exp", "cayley", "householder", None)]


@pytest.mark.parametrize("orthogonal_map, kind", [*REAL, ("matrix_exp", "complex"), ("cayley", "complex")])
@pytest.mark.parametrize("base", [True, False])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
def test_orthogonal(orthogonal_map, kind, base, shape):
    values = [RNG.standard_normal(shape) for _ in range(3)]
    if kind == "complex":
        values = [value + 1j * RNG.standard_normal(shape) for value in values]
    modules = []
    for library in (td, torch):
        module = library.nn.Module()
        module.weight = library.nn.Parameter(library.tensor(values[0]))
        library.nn.utils.parametrizations.orthogonal(module, orthogonal_map=orthogonal_map, use_trivialization=base)
        modules.append(module)
    ours, theirs = modules
    square = shape[-1] == shape[-2]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    if square or not base:
        close(ours.weight, theirs.weight, 1e-12)
        close(ours.parametrizations.weight.original, theirs.parametrizations.weight.original, 1e-12)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in arrays_of(ours).items()})  # the rest of the base is drawn
    for _ in range(2):
        for library, module in ((td, ours), (torch, theirs)):
            (module.weight * library.tensor(values[1])).abs().sum().backward()
        close(ours.weight, theirs.weight, 1e-10)
        mine, other = ours.parametrizations.weight.original, theirs.parametrizations.weight.original
        close(mine.grad, other.grad, 1e-8)
        with td.no_grad(), torch.no_grad():
            mine -= 0.01 * mine.grad
            other -= 0.01 * other.grad
    found = []
    for library, module in ((td, ours), (torch, theirs)):
        try:
            module.weight = library.tensor(values[2])
            found.append("assigned")
        except NotImplementedError:
            found.append("refused")
    assert found[0] == found[1]
    if found[0] == "assigned":
        close(ours.weight, theirs.weight, 1e-12)
    for library, module in ((td, ours), (torch, theirs)):
        library.nn.utils.parametrize.remove_parametrizations(module, "weight")
    close(ours.weight, theirs.weight, 1e-10)


@pytest.mark.parametrize(
    "call",
    [
        lambda library, orthogonal: orthogonal(library.nn.Linear(3, 4), "weight", "foo"),
        lambda library, orthogonal: orthogonal(library.nn.Linear(3, 4), "bias"),
        lambda library, orthogonal: orthogonal(library.nn.Linear(3, 4), "w"),
        lambda library, orthogonal: orthogonal(
            library.nn.Linear(3, 4, dtype=library.complex64), "weight", "householder"
        ),
        lambda library, orthogonal: setattr(orthogonal(library.nn.Linear(3, 4)), "weight", library.ones(5, 5)),
    ],
)
def test_what_orthogonal_refuses(call):
    for library in (td, torch):
        with pytest.raises(ValueError):
            call(library, library.nn.utils.parametrizations.orthogonal)


@pytest.mark.parametrize("chain", [[0], [0, 1], [2], [2, 1]])
@pytest.mark.parametrize("name", [None, "weight"])
def test_parametrizations_are_transferred(chain, name):
    found = []
    for library, layer in zip((td, torch), pair("Linear", 3, 3), strict=True):
        parametrize, classes = library.nn.utils.parametrize, parametrizations(library)
        for i in chain:
            parametrize.register_parametrization(layer, "weight", classes[i]())
        layer.extra = library.nn.Parameter(library.eye(3))
        parametrize.register_parametrization(layer, "extra", classes[0]())
        other = library.nn.Linear(3, 3, bias=False)
        assert parametrize.transfer_parametrizations_and_params(layer, other, name) is other
        assert list(other.parametrizations) == (["weight"] if name else ["weight", "extra"])
        for key, tensor in other.parametrizations.weight.named_parameters():
            assert tensor is dict(layer.parametrizations.weight.named_parameters())[key]
        found.append((list(other.state_dict()), other.weight, layer.weight))
        parametrize.remove_parametrizations(other, "weight")
        assert parametrize.is_parametrized(layer, "weight") and not parametrize.is_parametrized(other, "weight")
    assert found[0][0] == found[1][0]
    for ours, theirs in zip(found[0][1:], found[1][1:], strict=True):
        close(ours, theirs)
