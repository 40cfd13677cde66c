"""Mistakes that users make, and the words that help: on the first line, which is all that a log shows of an error.

Each row: what is done wrong, the class of the error, and words of the first line of its text. That line says who
speaks, once, by the name that the user called, what was got and what was expected.
"""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import data, nn, optim, testing, train, viz
from tinygrad_dl.nn import functional as F
from tinygrad_dl.optim import lr_scheduler


def x():
    return td.ones(2, 3)


def w():
    return td.ones(2, 3, requires_grad=True)


def classes(*numbers):
    return td.tensor(list(numbers))


def model():
    return nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))


def sgd(**options):
    return optim.SGD(model().parameters(), **{"lr": 0.1, **options})


def fit(**options):
    network = nn.Linear(2, 2)
    batches = [(td.ones(4, 2), td.ones(4, 2))]
    arguments = {"loss": nn.MSELoss(), "optimizer": optim.SGD(network.parameters(), lr=0.1), "epochs": 1, **options}
    return train.fit(network, train=batches, **arguments)


class NoForward(nn.Module):
    """A module whose author forgot forward."""


class NoSuper(nn.Module):
    """A module whose author forgot super().__init__()."""

    def __init__(self):
        self.layer = nn.Linear(2, 2)


class Holder(nn.Module):
    """A module with a layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x)


class Triple(td.autograd.Function):
    """A function whose gradient is wrong."""

    @staticmethod
    def forward(ctx, weight, scale):
        return weight * scale

    @staticmethod
    def backward(ctx, g):
        return g * 3, None


def twice():
    loss = (w() ** 2).sum()
    loss.backward()
    loss.backward()


def changed_before_backward():
    y = w().exp()
    y += 1
    y.sum().backward()


def used_twice():
    parameters = model().parameters()
    optim.SGD(parameters, lr=0.1)
    optim.SGD(parameters, lr=0.1)


def state(**changed):
    return {**model().state_dict(), **changed}


class Torch:
    """Looks like a tensor of another library."""

    shape = (2, 3)

    def detach(self):
        return self

    __dlpack__ = detach


Torch.__module__, Torch.__name__ = "torch", "Tensor"

SHAPES = {
    "matmul": (lambda: x() @ x(), ValueError, "matmul: the inner sizes differ: got input=float32[2, 3]", ".mT"),
    "bmm of matrices": (
        lambda: td.bmm(x(), x()),
        RuntimeError,
        "bmm: expected tensors with (3, 3) dimensions",
        "(2, 3)",
    ),
    "add": (lambda: x() + td.ones(4), ValueError, "add: ", "(dimension -1 has sizes 3 and 4)", "unsqueeze()"),
    "a wrong size in view": (lambda: x().view(5, -1), ValueError, "view: ", "shape=(5, -1)", "number of elements"),
    "view of a transpose": (lambda: x().t().view(6), RuntimeError, "view: ", "without a copy; use reshape()"),
    "reshape": (lambda: x().reshape(4, 2), ValueError, "reshape: ", "shape=(4, 2)", "number of elements"),
    "a dimension too far": (lambda: x().sum(2), IndexError, "sum: dim 2 is out of range", "from -2 to 1"),
    "permute of too many": (lambda: x().permute(0, 2, 1), ValueError, "permute: ", "each dimension exactly once"),
    "cat of other shapes": (lambda: td.cat([x(), td.ones(2, 2)]), ValueError, "cat: ", "equal but for `dim`"),
    "stack of other shapes": (
        lambda: td.stack([x(), td.ones(2)]),
        (RuntimeError, ValueError),
        "stack: ",
        "(2, 3) and (2,)",
    ),
    "expand": (lambda: x().expand(4, 3), ValueError, "expand: a size cannot be expanded", "size=(4, 3)"),
    "linear": (
        lambda: nn.Linear(3, 2)(td.ones(5, 4)),
        ValueError,
        "linear: expected in_features=3",
        "(5, 4)",
        "flatten",
    ),
    "the channels last": (
        lambda: nn.Conv2d(3, 4, 3)(td.ones(2, 8, 8, 3)),
        ValueError,
        "conv2d: expected 3 channels in dimension 1",
        "(2, 8, 8, 3)",
        "(N, C, ...)",
    ),
    "a picture without channels": (
        lambda: nn.Conv2d(3, 4, 3)(td.ones(8, 8)),
        ValueError,
        "4 dimensions (N, C, ...)",
        "(8, 8)",
    ),
    "a kernel too large": (
        lambda: nn.Conv2d(1, 1, 5)(td.ones(1, 1, 3, 3)),
        ValueError,
        "conv2d: the kernel of size ",
        "(5, 5)",
        "more padding",
    ),
    "a window too large": (
        lambda: nn.MaxPool2d(4)(td.ones(1, 1, 2, 2)),
        ValueError,
        "max_pool2d: ",
        "kernel_size (4, 4)",
    ),
    "batch norm of other channels": (
        lambda: nn.BatchNorm2d(3)(td.ones(4, 4, 2, 2)),
        ValueError,
        "BatchNorm2d: ",
        "C=3 channels",
    ),
    "batch norm of a matrix": (lambda: nn.BatchNorm2d(3)(td.ones(4, 3)), ValueError, "(N, C, H, W)", "got (4, 3)"),
    "batch norm of one sample": (
        lambda: nn.BatchNorm1d(3)(td.ones(1, 3)),
        ValueError,
        "more than one value per channel",
        "module.eval()",
    ),
    "layer norm": (
        lambda: nn.LayerNorm(4)(x()),
        ValueError,
        "layer_norm: ",
        "ends in the normalized shape (4,)",
        "(2, 3)",
    ),
    "an LSTM of other features": (
        lambda: nn.LSTM(3, 4)(td.ones(2, 5)),
        ValueError,
        "LSTM: expected input_size=3",
        "(2, 5)",
    ),
    "a state of another batch": (
        lambda: nn.LSTM(3, 4)(td.ones(5, 2, 3), (td.zeros(1, 3, 4), td.zeros(1, 3, 4))),
        ValueError,
        "LSTM: expected h_0 of shape (1, 2, 4)",
        "got (1, 3, 4)",
    ),
    "heads that do not divide": (
        lambda: nn.MultiheadAttention(5, 2),
        ValueError,
        "MultiheadAttention: ",
        "multiple of num_heads",
    ),
    "a mask of another shape": (
        lambda: x()[td.tensor([True, False, True])],
        IndexError,
        "index=bool[3]",
        "a mask of the tensor's shape",
    ),
    "a value of another shape": (
        lambda: x().__setitem__(0, td.ones(2)),
        ValueError,
        "x[index] = value: ",
        "got shape (2,)",
        "(3,)",
    ),
    "in place into a smaller one": (
        lambda: td.ones(3).add_(x()),
        RuntimeError,
        "add_: got a result of shape (2, 3)",
        "(3,)",
    ),
}

TYPES = {
    "None": (lambda: td.exp(None), TypeError, "exp: got input=None, expected a tensor", "`return` gives None"),
    "None beside a tensor": (lambda: x() * None, TypeError, "mul: got other=None, expected a tensor"),
    "None into a model": (lambda: Holder()(None), TypeError, "linear: got input=None, expected a tensor"),
    "a list into a model": (lambda: Holder()([1.0, 2.0]), TypeError, "linear: got input=[1.0, 2.0]", "td.tensor(...)"),
    "float64 into a model": (
        lambda: Holder()(np.ones((1, 2))),
        TypeError,
        "linear: ",
        "float64 and float32",
        "input.to(weight.dtype)",
    ),
    "integers into a model": (
        lambda: Holder()(td.ones(1, 2, dtype=td.int64)),
        TypeError,
        "linear: ",
        "int64 and float32",
    ),
    "a list beside a tensor": (lambda: x() * [1, 2, 3], TypeError, "mul: got other=[1, 2, 3]", "td.tensor(...)"),
    "text beside a tensor": (lambda: x() + "a", TypeError, "add: got other='a', expected a tensor"),
    "another library's tensor": (
        lambda: x() + Torch(),
        TypeError,
        "add: got other=torch.Tensor[2, 3]",
        "td.from_numpy(",
    ),
    "cat without a list": (
        lambda: td.cat(x(), x()),
        TypeError,
        "cat: got tensors=float32[2, 3], expected a list of tensors",
        "[a, b]",
    ),
    "stack without a list": (
        lambda: td.stack(x(), x()),
        TypeError,
        "stack: got tensors=float32[2, 3], expected a list of tensors",
        "[a, b]",
    ),
    "a list of tensors as data": (
        lambda: td.tensor([td.ones(2), td.ones(2)]),
        ValueError,
        "tensor: ",
        "td.stack(tensors)",
    ),
    "lists of other lengths": (
        lambda: td.tensor([[1.0, 2.0], [3.0]]),
        ValueError,
        "tensor: ",
        "nested lists of equal lengths",
    ),
    "text as data": (lambda: td.tensor("a"), TypeError, "tensor: a tensor holds numbers: got str"),
    "a size that is no integer": (
        lambda: td.zeros(2.0),
        TypeError,
        "zeros: sizes are integers, got (2.0,)",
        "zeros(2, 3)",
    ),
    "a float as an index": (lambda: x()[1.0], IndexError, "index=1.0, expected integers, slices", "with // or int()"),
    "text as an index": (lambda: x()["a"], IndexError, "index='a', expected integers, slices"),
    "an index too large": (lambda: x()[5], IndexError, "index=5, expected -2 to 1", "start at 0"),
    "too many indices": (lambda: x()[0, 0, 0], IndexError, "too many indices", "index=(0, 0, 0)"),
    "floats as classes": (
        lambda: F.cross_entropy(td.ones(4, 3), td.ones(4)),
        TypeError,
        "cross_entropy: expected class indices, which are integers",
        "float32[4]",
        "target.long()",
    ),
    "floats as classes, the layer": (
        lambda: nn.CrossEntropyLoss()(td.ones(4, 3), td.ones(4)),
        TypeError,
        "target.long()",
    ),
    "target and input swapped": (
        lambda: F.cross_entropy(classes(0, 1, 2, 0), td.ones(4, 3)),
        TypeError,
        "cross_entropy: ",
        "cross_entropy(input, target): the logits come first",
    ),
    "classes as a column": (
        lambda: F.cross_entropy(td.ones(4, 3), classes([0], [1], [2], [0])),
        ValueError,
        "cross_entropy: expected a target of shape (4,)",
        "got (4, 1)",
    ),
    "a class too large": (
        lambda: F.cross_entropy(td.ones(4, 3), classes(1, 2, 3, 0)),
        IndexError,
        "cross_entropy: got class 3 at position (2,) of the target, expected 0 to 2",
    ),
    "other numbers of samples": (
        lambda: F.cross_entropy(td.ones(4, 3), classes(1, 2)),
        ValueError,
        "shape (4,)",
        "got (2,)",
    ),
    "logits into binary_cross_entropy": (
        lambda: F.binary_cross_entropy(td.ones(4) * 3, td.ones(4)),
        RuntimeError,
        "binary_cross_entropy: expected probabilities between 0 and 1",
        "binary_cross_entropy_with_logits",
    ),
    "floats into an embedding": (
        lambda: nn.Embedding(3, 2)(td.ones(2)),
        TypeError,
        "embedding: ",
        "got float32",
        "input.long()",
    ),
    "an index beyond an embedding": (
        lambda: nn.Embedding(3, 2)(classes(3)),
        IndexError,
        "embedding: got index 3 at position (0,), expected 0 to 2",
        "num_embeddings=3",
    ),
    "the mean of integers": (
        lambda: classes(1, 2).mean(),
        TypeError,
        "mean: expected a floating dtype, got int64",
        ".float()",
    ),
    "a gradient of integers": (
        lambda: td.tensor([1], requires_grad=True),
        RuntimeError,
        "tensor: ",
        "got dtype int64",
        ".float()",
    ),
    "a negative power of integers": (
        lambda: classes(2) ** -1,
        ValueError,
        "pow: ",
        "exponents of 0 or more",
        ".float()",
    ),
    "floats in place into integers": (
        lambda: classes(1).add_(0.5),
        RuntimeError,
        "add_: got a result of dtype float32",
        "int64",
    ),
    "a condition of floats": (
        lambda: td.where(x(), 1.0, 2.0),
        TypeError,
        "where: expected a condition of dtype bool, got float32",
    ),
    "where of a list": (
        lambda: td.where([True]),
        TypeError,
        "where: got condition=[True], expected a tensor",
        "td.tensor",
    ),
    "a rate of dropout in percent": (lambda: nn.Dropout(20), ValueError, "Dropout: expected p between 0 and 1, got 20"),
    "the input given to the constructor": (
        lambda: nn.ReLU(x()),
        TypeError,
        "ReLU: got inplace=float32[2, 3], expected True or False",
        "layer(x)",
    ),
    "logits and classes given to the constructor": (
        lambda: nn.CrossEntropyLoss(td.ones(4, 3), classes(0, 1, 2, 0)),
        TypeError,
        "CrossEntropyLoss: got size_average=int64[4], expected True or False",
        "layer(x)",
    ),
    "another library's dtype": (lambda: td.ones(2).to(Torch()), TypeError, "to: expected a dtype such as td.float32"),
}

NUMBERS_AND_ARRAYS = {
    "numpy() of a tensor with a gradient": (
        lambda: w().numpy(),
        RuntimeError,
        "numpy: got a tensor that requires a gradient",
        "t.detach().numpy()",
    ),
    "np.asarray of a tensor with a gradient": (lambda: np.asarray(w()), RuntimeError, "t.detach().numpy()"),
    "copy.copy, as plots do": (
        lambda: copy.copy(w()[0]),
        RuntimeError,
        "copy, pickle: got a tensor computed by <GetitemBackward0>",
        "detach()",
    ),
    "deepcopy of a result": (
        lambda: copy.deepcopy(w() * 2),
        RuntimeError,
        "deepcopy: got a tensor computed by <MulBackward0>",
        "detach().clone()",
    ),
    "if tensor": (
        lambda: bool(x() == x()),
        RuntimeError,
        "bool: got a tensor of shape (2, 3), expected one element",
        "any() or all()",
    ),
    "item() of many": (
        lambda: x().item(),
        RuntimeError,
        "item: got a tensor of shape (2, 3) with 6 elements",
        "exactly one",
    ),
    "float() of many": (
        lambda: float(x()),
        RuntimeError,
        "float: got a tensor of shape (2, 3) with 6 elements",
        "exactly one",
    ),
    "int() of many": (lambda: int(x()), RuntimeError, "int: got a tensor of shape (2, 3)", "exactly one"),
    "a loop over a number": (
        lambda: list(td.tensor(1.0)),
        TypeError,
        "iter: got a 0-d tensor",
        "item() gives its value",
    ),
    "len() of a number": (lambda: len(td.tensor(1.0)), TypeError, "len: got a 0-d tensor", "numel()"),
    "range of floats": (lambda: range(td.tensor(3.0)), TypeError, "index: got a tensor of dtype float32", ".long()"),
    "a function of NumPy without a rule": (
        lambda: np.emath.sqrt(w()),
        TypeError,
        "np.lib.scimath.sqrt: got a tensor that requires a gradient",
        "t.detach()",
    ),
    "np.linalg by its name": (
        lambda: np.linalg.norm(w(), ord="sum"),
        ValueError,
        "np.linalg.norm: got ord='sum'",
    ),
    "from_numpy of a list": (
        lambda: td.from_numpy([1, 2]),
        TypeError,
        "from_numpy: expected a NumPy array, got list",
        "td.tensor",
    ),
}

GRAPH = {
    "backward without a graph": (
        lambda: x().sum().backward(),
        RuntimeError,
        "backward: this tensor has no graph",
        "requires_grad=True",
    ),
    "backward of many": (
        lambda: (w() * 1).backward(),
        RuntimeError,
        "backward: ",
        "scalar only, got shape (2, 3)",
        "sum() or mean()",
    ),
    "a starting gradient of another shape": (
        lambda: w().backward(td.ones(3)),
        RuntimeError,
        "backward: got a starting gradient of shape (3,)",
        "(2, 3)",
    ),
    "a starting gradient as a list": (
        lambda: w().sum(0).backward([1.0, 2.0, 3.0]),
        TypeError,
        "backward: got gradient=[1.0, 2.0, 3.0], expected a tensor of shape (3,)",
    ),
    "a starting gradient as text": (
        lambda: w().sum().backward("1"),
        TypeError,
        "backward: got gradient='1', expected a tensor",
    ),
    "backward twice": (twice, RuntimeError, "backward: got a graph for a second time", "retain_graph=True"),
    "a value changed in place": (
        changed_before_backward,
        RuntimeError,
        "backward: got a value of shape (2, 3)",
        "test_mistakes.py",
        "clone()",
    ),
    "a parameter changed in place": (
        lambda: w().add_(1),
        RuntimeError,
        "add_: got a leaf tensor that requires a gradient",
        "td.no_grad()",
    ),
    "grad of what was not used": (
        lambda: td.autograd.grad(w().sum(), w()),
        RuntimeError,
        "grad: got input 0 of shape (2, 3)",
        "allow_unused=True",
    ),
    "grad of a constant": (
        lambda: td.autograd.grad(w().sum(), x()),
        RuntimeError,
        "grad: got input 0 of shape (2, 3)",
        "requires_grad_()",
    ),
    "a gradient of another shape": (
        lambda: setattr(w(), "grad", td.ones(3)),
        (RuntimeError, TypeError, ValueError),
        "grad",
        "(3,)",
        "(2, 3)",
    ),
    "Function.forward forgotten": (
        lambda: td.autograd.Function.apply(w()),
        NotImplementedError,
        "Function: ",
        "forward(ctx, *args)",
    ),
    "a wrong gradient by name": (
        lambda: testing.gradcheck(Triple.apply, (td.ones(2, dtype=td.float64, requires_grad=True), 2.0)),
        testing.GradcheckError,
        "gradcheck of Triple: 2 of 2 entries",
    ),
    "gradcheck of constants": (
        lambda: testing.gradcheck(lambda a: a * 2, x()),
        ValueError,
        "gradcheck: got no input that requires a gradient",
    ),
}

MODULES = {
    "a class for a layer": (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU),
        TypeError,
        "Sequential: got module '1' = the class ReLU",
        "make one: ReLU(",
    ),
    "a class in a list": (
        lambda: nn.ModuleList([nn.ReLU]),
        TypeError,
        "ModuleList: got module '0' = the class ReLU",
        "make one",
    ),
    "a class in a dict": (
        lambda: nn.ModuleDict({"a": nn.ReLU}),
        TypeError,
        "ModuleDict: got module 'a' = the class ReLU",
        "make one",
    ),
    "a class given to add_module": (
        lambda: model().add_module("a", nn.ReLU),
        TypeError,
        "add_module: got module 'a' = the class ReLU",
        "make one",
    ),
    "a class in the place of a layer": (
        lambda: setattr(Holder(), "layer", nn.ReLU),
        TypeError,
        "Holder: got module 'layer' = the class ReLU",
        "make one",
    ),
    "a class for a transformer's layer": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer, 2),
        TypeError,
        "TransformerEncoder: ",
        "make one",
    ),
    "a list in Sequential": (
        lambda: nn.Sequential([nn.Linear(2, 2)]),
        TypeError,
        "Sequential: got module '0' = [",
        "nn.Sequential(*modules)",
    ),
    "a function in Sequential": (
        lambda: nn.Sequential(F.relu),
        TypeError,
        "Sequential: got module '0' = the function relu",
        "nn.ReLU()",
    ),
    "a tensor for a parameter": (
        lambda: setattr(nn.Linear(2, 2), "weight", td.ones(2, 2)),
        TypeError,
        "Linear: got weight=float32[2, 2]",
        "nn.Parameter(tensor)",
    ),
    "super().__init__() forgotten": (
        NoSuper,
        AttributeError,
        "NoSuper: got a Linear for 'layer'",
        "super().__init__()",
    ),
    "forward forgotten": (
        lambda: NoForward()(x()),
        NotImplementedError,
        "NoForward: got a module without forward()",
        "def forward(self, x)",
    ),
    "a typo in a method": (lambda: model().evall(), AttributeError, "'Sequential' object has no attribute 'evall'"),
    "train of text": (lambda: model().train("yes"), ValueError, "train: got mode='yes', expected True or False"),
    "a missing name": (
        lambda: model().load_state_dict({"0.weight": td.ones(2, 3)}),
        RuntimeError,
        "load_state_dict: ",
        "missing",
        "0.bias",
    ),
    "an unexpected name": (
        lambda: model().load_state_dict(state(more=td.ones(1))),
        RuntimeError,
        "load_state_dict: ",
        "unexpected",
        "more",
    ),
    "a weight of another shape": (
        lambda: model().load_state_dict(state(**{"0.bias": td.ones(5)})),
        RuntimeError,
        "load_state_dict: ",
        "0.bias has (5,) in the state, (2,) in the module",
    ),
    "the model for its state": (
        lambda: model().load_state_dict(model()),
        TypeError,
        "load_state_dict: ",
        "got Sequential",
    ),
    "a path for its state": (lambda: model().load_state_dict("a.npz"), TypeError, "load_state_dict: ", "got str"),
    "saving the model": (
        lambda: td.save(model(), "a.npz"),
        TypeError,
        "save: expected a dict, got Sequential",
        "model.state_dict()",
    ),
    "a file that is not there": (
        lambda: td.load("no-such-file.npz"),
        FileNotFoundError,
        "load: got 'no-such-file.npz'",
        "expected",
    ),
    "a pickle": (
        lambda: td.save({"a": x()}, "a.pkl"),
        ValueError,
        "save: got a.pkl, which ends in '.pkl', expected one of",
    ),
    "a device": (lambda: x().to("cuda"), ValueError, "got 'cuda', expected 'cpu'", "leave it out"),
    "a device by its method": (lambda: x().cuda(), ValueError, "got 'cuda', expected 'cpu'", "leave it out"),
    "a device of a model": (lambda: model().cuda(), ValueError, "got 'cuda', expected 'cpu'", "leave it out"),
    "a device of a layer": (
        lambda: nn.Linear(1, 1, device="cuda:0"),
        ValueError,
        "Linear: ",
        "got 'cuda:0', expected 'cpu'",
    ),
    "td.mps": (lambda: td.mps.empty_cache(), AttributeError, "no attribute 'mps'", "device = 'cpu'"),
    "as many layers as stars": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 1), 2**63),
        ValueError,
        "TransformerEncoder: ",
        "num_layers <= ",
    ),
    "as many parts as stars": (lambda: td.tensor_split(x(), 2**63), ValueError, "tensor_split: ", "expected at most"),
    "a layer of 4 EiB": (
        lambda: nn.Linear(10**9, 10**9),
        MemoryError,
        "Linear: Unable to allocate",
        "in_features=1000000000",
    ),
}

TRAINING = {
    "no parameters": (
        lambda: optim.SGD([], lr=0.1),
        ValueError,
        "SGD: got an empty parameter list",
        "model.parameters()",
    ),
    "a generator used twice": (used_twice, ValueError, "SGD: got an empty parameter list", "list(model.parameters())"),
    "the model for its parameters": (
        lambda: optim.Adam(Holder()),
        TypeError,
        "Adam: got a Holder for params",
        "model.parameters()",
    ),
    "a Sequential for its parameters": (
        lambda: optim.Adam(model()),
        TypeError,
        "Adam: ",
        "got tinygrad_dl.Linear object",
        "model.parameters()",
    ),
    "parameters not called": (
        lambda: optim.Adam(model().parameters),
        TypeError,
        "Adam: got a method for params",
        "model.parameters()",
    ),
    "a result as a parameter": (
        lambda: optim.SGD([w() * 2]),
        ValueError,
        "SGD: ",
        "was computed by <MulBackward0>, expected a leaf",
    ),
    "an array as a parameter": (
        lambda: optim.SGD([np.ones(2)]),
        TypeError,
        "SGD: ",
        "got float64[2], expected a tensor",
    ),
    "the rate as text": (
        lambda: sgd(lr="0.1"),
        TypeError,
        "SGD: invalid lr: got lr='0.1', expected a number of 0 or more",
    ),
    "the rate None": (lambda: sgd(lr=None), TypeError, "SGD: invalid lr: got lr=None, expected a number of 0 or more"),
    "a negative rate": (
        lambda: sgd(lr=-0.1),
        ValueError,
        "SGD: invalid lr: got lr=-0.1, expected a number of 0 or more",
    ),
    "one beta": (
        lambda: optim.Adam(model().parameters(), betas=0.9),
        TypeError,
        "Adam: invalid betas: got betas=0.9, expected two numbers",
    ),
    "rate and parameters swapped": (
        lambda: optim.SGD(0.1, model().parameters()),
        TypeError,
        "SGD: got a float for params",
        "model.parameters()",
    ),
    "a schedule of the model": (
        lambda: lr_scheduler.StepLR(model(), 1),
        TypeError,
        "StepLR: expected an optimiser, got a Sequential",
    ),
    "milestones not in a list": (
        lambda: lr_scheduler.MultiStepLR(sgd(), 3),
        TypeError,
        "MultiStepLR: got milestones=3, expected",
    ),
    "a cycle without its length": (
        lambda: lr_scheduler.OneCycleLR(sgd(), 0.1),
        ValueError,
        "OneCycleLR: got no total_steps, expected it",
    ),
    "samples of other sizes": (
        lambda: list(data.DataLoader([(td.ones(2), 0), (td.ones(3), 1)], batch_size=2)),
        ValueError,
        "default_collate: got samples of shapes (2,) (sample 0 of the batch) and (3,) (sample 1), expected one shape",
        "collate_fn",
    ),
    "a number for the dataset": (
        lambda: data.DataLoader(5),
        TypeError,
        "DataLoader: got dataset=5, expected",
    ),
    "None among the samples": (
        lambda: list(data.DataLoader([None, None], batch_size=2)),
        TypeError,
        "default_collate: ",
        "got NoneType",
    ),
    "tensors of other lengths": (
        lambda: data.TensorDataset(td.ones(3), td.ones(4)),
        ValueError,
        "TensorDataset: ",
        "tensor 0: 3, tensor 1: 4",
    ),
    "batches of nothing": (
        lambda: data.DataLoader([1], batch_size=0),
        ValueError,
        "DataLoader: ",
        "whole number above 0",
        "got 0",
    ),
    "both shuffle and a sampler": (
        lambda: data.DataLoader([1], shuffle=True, sampler=[0]),
        ValueError,
        "DataLoader: got both shuffle=True and a sampler",
    ),
    "lengths that do not sum": (
        lambda: data.random_split([1, 2, 3], [1, 1]),
        ValueError,
        "random_split: ",
        "the 3 samples",
        "which sum to 2",
    ),
    "__getitem__ forgotten": (
        lambda: data.Dataset()[0],
        NotImplementedError,
        "Dataset: got a Dataset without __getitem__",
    ),
    "metrics in a list": (
        lambda: fit(metrics=["accuracy"]),
        TypeError,
        "fit: got metrics=['accuracy'], expected a dict of functions by name",
    ),
    "one metric": (
        lambda: fit(metrics=F.mse_loss),
        TypeError,
        "fit: got metrics=",
        "expected a dict of functions by name",
    ),
    "the class of a loss": (
        lambda: fit(loss=nn.MSELoss),
        TypeError,
        "fit: got the class MSELoss for loss",
        "make one: MSELoss()",
    ),
    "the class of a callback": (
        lambda: fit(callbacks=[train.EarlyStopping]),
        TypeError,
        "fit: got the class EarlyStopping",
        "make one: EarlyStopping(",
    ),
    "early stopping without dev": (
        lambda: fit(callbacks=train.EarlyStopping()),
        ValueError,
        "EarlyStopping: got no dev set to watch",
        "fit (dev=...)",
    ),
    "epochs as text": (lambda: fit(epochs="3"), TypeError, "fit: got epochs='3', expected an integer"),
    "an optimiser of another model": (
        lambda: fit(optimizer=sgd()),
        ValueError,
        "fit: got an optimiser with none of the model's parameters",
    ),
    "loss and optimiser swapped": (
        lambda: fit(loss=sgd(), optimizer=nn.MSELoss()),
        TypeError,
        "fit: got a SGD for loss",
    ),
    "a tensor for the data": (
        lambda: train.fit(model(), nn.MSELoss(), sgd(), x(), epochs=1),
        (TypeError, ValueError),
        "fit: ",
        "got",
        "expected",
    ),
    "a picture of what has no graph": (
        lambda: viz.graph(x()),
        RuntimeError,
        "graph: ",
        "no graph to draw",
        "requires_grad=True",
    ),
    "a picture of a number": (lambda: viz.graph(3), TypeError, "graph: ", "expected a tinygrad_dl.Tensor, got int"),
    "clipping a model": (
        lambda: nn.utils.clip_grad_norm_(model(), 1.0),
        TypeError,
        "clip_grad_norm_: got ",
        "model.parameters()",
    ),
}

MISTAKES = {**SHAPES, **TYPES, **NUMBERS_AND_ARRAYS, **GRAPH, **MODULES, **TRAINING}
WITHOUT = {  # Python's own words, or a report
    "a typo in a method",
    "td.mps",
    "a wrong gradient by name",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_first_line_helps(name):
    action, kind, *words = MISTAKES[name]
    with pytest.raises(kind) as caught:
        action()
    first = str(caught.value).partition("\n")[0]
    assert [word for word in words if word not in first] == [], first
    if name not in WITHOUT:
        assert re.search(r"\bgot\b|\bGot\b", first) and re.search(r"\bexpected\b", first), first
        assert not re.match(r"(\w+): \1: ", first), first
        assert "arguments as in" not in first or "keyword" in first, first


def test_no_mistake_is_told_twice():
    assert len(MISTAKES) == sum(map(len, (SHAPES, TYPES, NUMBERS_AND_ARRAYS, GRAPH, MODULES, TRAINING)))


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (lambda: F.gaussian_nll_loss(td.ones(2, 3), td.ones(2, 4), td.ones(2, 3)), "gaussian_nll_loss"),
        (lambda: F.triplet_margin_loss(td.ones(2, 3), td.ones(4, 3), td.ones(2, 3)), "triplet_margin_loss"),
        (lambda: td.addmm(td.ones(2, 2), td.ones(2, 3), td.ones(2, 2)), "addmm"),
        (lambda: nn.init.constant_(td.ones(2), "a"), "constant_"),
        (lambda: nn.PReLU(init="a"), "PReLU"),
        (lambda: data.transforms.RandomRotation(td.ones(2, 2)), "RandomRotation"),
    ],
)
def test_one_name_is_read_that_of_what_was_called(action, name):
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        action()
    first = str(caught.value).partition("\n")[0]
    assert first.startswith(name) and not re.match(r"\w+: [a-z_0-9]+: ", first), first


def test_a_recursion_is_told_as_one():
    """A function that calls itself for ever, through operations: nothing is put in front of Python's words."""

    def again(x):
        return again(td.flatten(x) * 1)

    with pytest.raises(RecursionError) as caught:
        again(x())
    assert str(caught.value).startswith("maximum recursion depth exceeded")


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, td.ArgumentError])
def test_what_an_operation_refuses_is_caught_as_numpys_and_as_pytorchs_error(kind):
    for call in (
        lambda: td.ones(2) + td.ones(3),
        lambda: td.nn.Linear(2, 3)(td.ones(4, 5)),
        lambda: td.ones(6).view(4),
    ):
        with pytest.raises(kind) as raised:
            call()
        assert pickle.loads(pickle.dumps(raised.value)).args == raised.value.args
