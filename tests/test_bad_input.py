"""Wrong input: what was wrong, what was got, what was expected and what to do, and nothing is changed by the attempt.

Read as a newcomer does: an error's text and the notes below it.
"""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn, optim
from tinygrad_dl.core.messages import home_of
from tinygrad_dl.nn import functional as F


def told(error):
    """All that an error says."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def refused(kind, *said):
    """A context in which this error is expected, with all of these pieces in its text and notes."""

    class Expected:
        def __enter__(self):
            return self

        def __exit__(self, found, error, trace):
            assert error is not None, "nothing was raised"
            assert isinstance(error, kind), f"raised {found.__name__}: {error}"
            for piece in said:
                assert piece in told(error), f"{piece!r} is not in:\n{told(error)}"
            return True

    return Expected()


def ones(*shape):
    return td.ones(*shape)


def integers(*values):
    return td.tensor(list(values))


SHAPES = [
    (
        "matmul",
        lambda: ones(2, 3) @ ones(4, 5),
        ["float32[2, 3]", "float32[4, 5]", "last but one of the second", ".mT"],
    ),
    ("vectors", lambda: ones(3) @ ones(4), ["float32[3]", "float32[4]", "equal"]),
    ("batches", lambda: ones(2, 3, 4) @ ones(3, 4, 5), ["[2, 3, 4]", "before the last two dimensions", "unsqueeze()"]),
    ("a number", lambda: ones(2, 2) @ td.tensor(1.0), ["1 or more dimensions", "multiply by a number with *"]),
    ("mm", lambda: td.mm(ones(2, 3), ones(2, 3)), ["float32[2, 3]", "last but one"]),
    ("addmm", lambda: td.addmm(ones(3), ones(2, 3), ones(2, 3)), ["mat1=float32[2, 3]", "last but one"]),
    ("linear", lambda: nn.Linear(3, 2)(ones(5, 4)), ["in_features=3", "(5, 4)", "flatten", "in module Linear"]),
    ("cat", lambda: td.cat([ones(2, 3), ones(2, 4)]), ["float32[2, 3], float32[2, 4]", "equal but for `dim`"]),
    ("cat, dimensions", lambda: td.cat([ones(2, 3), ones(2)]), ["[2, 3]", "unsqueeze(), or stack()"]),
    ("stack", lambda: td.stack([ones(2), ones(3)]), ["expected tensors of the same shape, got (2,) and (3,)"]),
    ("reshape", lambda: ones(2, 3).reshape(4, 2), ["size 6", "(4,2)", "product", "-1"]),
    ("reshape, two unknown", lambda: ones(2, 3).reshape(-1, -1), ["shape=(-1, -1)", "-1 for one size at most"]),
    ("view", lambda: ones(2, 3).view(5), ["size 6", "(5,)", "product", "tinygrad_dl.Tensor.view"]),
    ("expand", lambda: ones(2, 3).expand(3, 3), ["float32[2, 3]", "size=(3, 3)", "in the place of a 1", "repeat()"]),
    ("expand, fewer", lambda: ones(2, 3).expand(3), ["as many sizes as the tensor has dimensions"]),
    ("permute", lambda: ones(2, 3).permute(0, 0), ["dims=(0, 0)", "each dimension exactly once"]),
    ("permute, fewer", lambda: ones(2, 3).permute(0), ["each dimension exactly once"]),
    ("add", lambda: ones(2, 3) + ones(4), ["(2,3) (4,)", "sizes are equal or one of them is 1", "unsqueeze()"]),
    (
        "einsum",
        lambda: td.einsum("ij,jk", ones(2, 3), ones(2, 3)),
        ["got label 'j' of size 3 in one operand and 2 in another, expected equal sizes"],
    ),
    ("split", lambda: td.split(ones(5), [2, 2]), ["sum to 4, expected 5"]),
    ("layer_norm", lambda: nn.LayerNorm(4)(ones(2, 3)), ["normalized shape (4,), got (2, 3)", "in module LayerNorm"]),
    ("batch_norm", lambda: nn.BatchNorm1d(4)(ones(2, 3)), ["C=4 channels in dimension 1, got (2, 3)"]),
    ("bce", lambda: F.binary_cross_entropy(ones(2, 1), ones(2)), ["same shape, got (2, 1) and (2,)", "reshape"]),
    ("max of nothing", lambda: td.zeros(0).max(), ["float32[0]", "at least one element", "numel()"]),
    ("argmax of nothing", lambda: td.zeros(0).argmax(), ["at least one element"]),
]


@pytest.mark.parametrize(("action", "said"), [pytest.param(*case[1:], id=case[0]) for case in SHAPES])
def test_shapes(action, said):
    with refused((ValueError, RuntimeError), *said):
        action()


RANGES = [
    ("sum", lambda: ones(2, 3).sum(2), ["axis 2", "float32[2, 3]", "from -2 to 1"]),
    ("softmax", lambda: td.softmax(ones(2), 1), ["axis 1", "from -1 to 0"]),
    ("transpose", lambda: ones(2, 3).transpose(0, 2), ["dim 2", "expected -2 to 1"]),
    ("permute", lambda: ones(2, 3).permute(0, 2), ["axis 2", "from -2 to 1"]),
    ("cat", lambda: td.cat([ones(2), ones(2)], 3), ["axis 3", "from -1 to 0"]),
    ("getitem", lambda: ones(2, 3)[2], ["index 2", "size 2", "indices start at 0"]),
    ("getitem by a tensor", lambda: ones(2)[integers(5)], ["index 5", "size 2", "indices start at 0"]),
    ("too many indices", lambda: ones(2)[0, 0], ["1-dimensional, but 2", "at most one index a dimension"]),
    ("gather", lambda: td.gather(ones(2, 3), 1, td.tensor([[3]])), ["index 3", "dim 1 of size 3", "start at 0"]),
    ("index_select", lambda: td.index_select(ones(2, 3), 0, integers(2)), ["index 2", "dim 0 of size 2"]),
    ("scatter", lambda: td.scatter(ones(2, 3), 1, td.tensor([[3]]), ones(1, 1)), ["index 3", "dim 1 of size 3"]),
    ("embedding", lambda: nn.Embedding(3, 2)(integers(1, 3)), ["index 3 at position (1,)", "expected 0 to 2"]),
    ("one_hot", lambda: F.one_hot(integers(5), 3), ["index 5", "expected 0 to 2"]),
    ("nll_loss", lambda: F.nll_loss(ones(2, 3), integers(0, 3)), ["class 3 at position (1,)", "expected 0 to 2"]),
]


@pytest.mark.parametrize(("action", "said"), [pytest.param(*case[1:], id=case[0]) for case in RANGES])
def test_out_of_range(action, said):
    with refused(IndexError, *said):
        action()


TYPES = [
    ("None", lambda: td.exp(None), ["exp: got input=None, expected a tensor"]),
    ("None, second", lambda: ones(2) + None, ["add: got other=None, expected a tensor"]),
    ("text", lambda: ones(2) + "a", ["add: got other='a', expected a tensor"]),
    ("a list", lambda: td.exp([1.0]), ["exp: got input=[1.0], expected a tensor", "td.tensor(...)"]),
    ("text to cat", lambda: td.cat([ones(2), "a"]), ["cat: got tensors[1]='a', expected a tensor"]),
    ("mean of integers", lambda: integers(1, 2).mean(), ["expected a floating dtype, got int64", ".float()"]),
    ("linear of integers", lambda: nn.Linear(1, 2)(td.tensor([[1]])), ["same dtype, got int64 and float32"]),
    ("a condition of floats", lambda: td.where(ones(2), 1.0, 2.0), ["dtype bool, got float32", ".bool()"]),
    ("a mask of floats", lambda: ones(2).masked_fill(ones(2), 1.0), ["mask of dtype bool, got float32"]),
    (
        "an embedding of floats",
        lambda: nn.Embedding(3, 2)(ones(2)),
        ["indices that are integers, got float32", ".long()"],
    ),
    (
        "float classes",
        lambda: F.cross_entropy(ones(1, 2), td.tensor([math.nan])),
        ["class indices, which are integers", ".long()"],
    ),
    ("a fractional size", lambda: td.rand(1.5), ["rand: sizes are integers, got (1.5,)", "rand(2, 3)"]),
    ("a size that is text", lambda: td.randn("a"), ["randn: sizes are integers, got ('a',)"]),
    ("a fractional width", lambda: nn.Linear(1.5, 2), ["an integer for in_features, got 1.5"]),
    (
        "a model for parameters",
        lambda: optim.SGD(nn.Linear(1, 1), lr=0.1),
        ["got a Linear for params, expected an iterable of tensors", "model.parameters()"],
    ),
    ("one tensor for parameters", lambda: optim.SGD(ones(2), lr=0.1), ["one tensor of shape (2,)", "[tensor]"]),
]


@pytest.mark.parametrize(("action", "said"), [pytest.param(*case[1:], id=case[0]) for case in TYPES])
def test_types(action, said):
    with refused((TypeError, IndexError), *said):
        action()


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (lambda: td.ones(2, -1), "ones: sizes can't be negative, got (2, -1)"),
        (lambda: td.full((-1,), 1.0), "full: sizes can't be negative, got (-1,)"),
        (lambda: td.eye(-1), "sizes can't be negative, got (-1, -1)"),
        (lambda: nn.Linear(-1, 2), "expected in_features >= 0, got -1"),
        (lambda: nn.Embedding(-1, 3), "expected num_embeddings >= 0, got -1"),
        (lambda: nn.BatchNorm1d(-3), "expected num_features >= 0, got -3"),
        (lambda: ones(2).repeat(-1), "repeat: numbers can't be negative, got (-1,)"),
        (lambda: td.tensor([2]) ** -1, "make the base a float first"),
        (lambda: optim.Adam([ones(1)], lr=-1.0), "got lr=-1.0, expected a number of 0 or more"),
        (lambda: nn.Dropout(2), "expected p between 0 and 1, got 2"),
        (lambda: F.binary_cross_entropy(ones(2), td.tensor([0.0, math.nan])), "expected targets between 0 and 1"),
    ],
)
def test_values(action, said):
    with refused(ValueError, said):
        action()


@pytest.mark.parametrize(
    "action",
    [
        lambda: ones(2).to("cuda"),
        lambda: nn.Linear(1, 1).to("cuda"),
        lambda: td.device("cuda:0").__enter__(),
        lambda: td.zeros(2, device="gpu"),
        lambda: td.zeros_like(td.ones(1), device="cuda"),
        lambda: td.as_tensor(td.ones(1), device="cuda"),
        lambda: td.rand(2, device="cuda"),
        lambda: td.randn_like(td.ones(1), device="cuda"),
        lambda: td.randint(0, 2, (1,), device="cuda"),
        lambda: td.randperm(3, device="cuda"),
        lambda: td.Generator(device="cuda"),
        lambda: nn.Linear(1, 1, device="cuda"),
        lambda: nn.Embedding(1, 1, device="cuda"),
        lambda: nn.BatchNorm1d(1, device="cuda"),
        lambda: nn.LayerNorm(1, device="cuda"),
        lambda: nn.PReLU(device="cuda"),
    ],
)
def test_other_devices(action):
    with refused(ValueError, "unknown device", "tensors live on the CPU", "device='cpu'"):
        action()


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (lambda: td.exp(ones(2), foo=1), "foo"),
        (lambda: ones(2).sum(dims=0), "dims"),
        (lambda: td.zeros(2, foo=1), "foo"),
        (lambda: F.mse_loss(ones(2), ones(2), reducton="sum"), "reducton"),
        (lambda: nn.Linear(3, 2, biass=True), "biass"),
        (lambda: nn.Linear(3, 2)(ones(1, 3), y=2), "y"),
        (lambda: optim.Adam([ones(1)], learning_rate=1), "learning_rate"),
        (lambda: optim.lr_scheduler.StepLR(optim.SGD([ones(1)]), 1, gama=1), "gama"),
    ],
)
def test_unknown_arguments(action, name):
    with refused(TypeError, "unexpected keyword argument", f"'{name}'"):
        action()


def test_nan_goes_through_where_it_is_a_number_like_others():
    prediction, target = td.ones(2, requires_grad=True), td.tensor([0.0, math.nan])
    for loss in (F.mse_loss, F.l1_loss, F.binary_cross_entropy_with_logits):
        assert math.isnan(loss(prediction, target).item())


def test_losses_of_a_column_against_a_row():
    """The classic: (n, 1) against (n,) broadcasts to (n, n)."""
    with pytest.warns(UserWarning, match=r"\(4, 1\) and the target \(4,\).*not what was meant.*squeeze\(\)"):
        nn.MSELoss()(ones(4, 1), ones(4))


# -- nothing is changed by what fails -----------------------------------------------------------------


def test_a_failed_change_leaves_the_tensor_alone():
    x = td.arange(4.0)
    view = x[1:]
    for action in (
        lambda: x.add_(ones(3)),
        lambda: x.copy_(ones(3)),
        lambda: x.__setitem__(0, ones(3)),
        lambda: x.__setitem__(7, 1.0),
        lambda: td.exp(x, foo=1),
        lambda: x.requires_grad_("yes").sum(5),
    ):
        with pytest.raises((ValueError, IndexError, TypeError)):
            action()
    assert x.tolist() == [0, 1, 2, 3] and view.tolist() == [1, 2, 3]


def test_a_failed_backward_leaves_gradients_alone():
    x = td.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    with refused(RuntimeError, "scalar", "shape (2,)", "sum() or mean()"):
        (x * x).backward()
    with refused(RuntimeError, "has no graph", "requires_grad=True"):
        td.ones(1).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_a_failed_forward_leaves_the_module_alone():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2), nn.ReLU(), nn.Linear(5, 1))
    before = {name: value.numpy().copy() for name, value in model[1].state_dict().items()}
    with refused(ValueError, "in_features=5", "at Sequential.3"):
        model(ones(4, 3))
    with pytest.raises(ValueError):
        model(ones(4, 2))
    assert int(model[0].num_batches_tracked) == 1  # the second input got no further than the check
    assert all((value.numpy() == before[name]).all() for name, value in model[1].state_dict().items())


def test_a_state_that_does_not_fit():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    state = {"0.weight": ones(3, 3), "0.bias": ones(2), "1.weights": ones(1, 2), "1.bias": "text"}
    with refused(
        RuntimeError,
        "missing (in the module, not in the state): 1.weight",
        "unexpected (in the state, not in the module): 1.weights",
        "0.weight has (3, 3) in the state, (2, 3) in the module",
        "not a tensor: 1.bias is str",
        "nothing was changed",
        "strict=False",
    ):
        model.load_state_dict(state)
    assert all((value.numpy() == before[name]).all() for name, value in model.state_dict().items())
    with refused(TypeError, "expected a mapping of names to tensors, got list"):
        model.load_state_dict([1])


PICKLE = pickle.dumps({"weight": [1, 2, 3]})


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
@pytest.mark.parametrize(
    "content",
    [b"", b"weights: 1, 2, 3 and a line of text\n", b"PK\x03\x04abc", b"\x10\0\0\0\0\0\0\0{", b"{}"],
    ids=["empty", "text", "start of a zip", "start of safetensors", "JSON"],
)
def test_foreign_files(tmp_path, suffix, content):
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with refused(
        ValueError, str(path), f"{len(content)} bytes", "damaged or of another kind", "expected tensors", "again"
    ):
        td.load(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["weights.pt", "weights.npz", "weights.txt"])
def test_names_of_files(tmp_path, name):
    path = tmp_path / name
    with refused(FileNotFoundError, name, "expected a file: there is none"):
        td.load(path)
    path.write_bytes(PICKLE)
    with refused(ValueError, name, "got a pickle, which would run code", "in PyTorch: torch.save(torch.load("):
        td.load(path)


def test_advice_names_only_what_can_be_found():
    """The help that a note points to exists."""
    for op in td.op.registry.values():
        home = home_of(op.name)
        if home is not None:
            place = td
            for part in home.split(".")[1:]:
                place = getattr(place, part)
            assert getattr(place, op.name).__doc__, op.name


def test_a_failed_step_changes_nothing():
    x = td.tensor(np.ones(2), requires_grad=True)
    y = td.tensor(np.ones(2), requires_grad=True)
    x.grad, y.grad = td.ones(2, dtype=td.float64), td.ones(2, dtype=td.float64)
    y.data = td.ones(3, dtype=td.float64)
    optimiser = optim.SGD([x, y], lr=0.1)
    with pytest.raises((RuntimeError, ValueError)):
        optimiser.step()
    assert x.tolist() == [1, 1] and y.tolist() == [1, 1, 1]
