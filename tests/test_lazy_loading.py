"""Files of operations that are loaded at first use: the table of their names, and every way to a name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_dl as td
from tinygrad_dl.core.lazy_names import FILES
from tinygrad_dl.core.namespaces import NAMESPACES

ROOT = Path(__file__).parent.parent


def run(code: str) -> list[str]:
    """What a program prints, in a new process in which nothing is loaded yet."""
    program = "import sys, numpy as np, tinygrad_dl as td\n"
    program += "loaded = lambda file: f'tinygrad_dl.ops.{file}' in sys.modules\n"
    done = subprocess.run([sys.executable, "-c", program + code], capture_output=True, text=True, cwd=ROOT)
    assert not done.returncode, done.stderr
    return done.stdout.split("\n")[:-1]


def test_the_table_is_up_to_date():
    script = ROOT / "docs" / "make_lazy_names.py"
    done = subprocess.run([sys.executable, script, "--print"], capture_output=True, text=True, check=True, cwd=ROOT)
    table = ROOT / "tinygrad_dl" / "core" / "lazy_names.py"
    assert table.read_text() == done.stdout, f"run: python docs/{script.name}"


def test_each_place_has_a_name_once():
    for place in ("ops", "methods", "numpy", *NAMESPACES):
        names = [name for places in FILES.values() for name in places.get(place, "").split()]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("file", "use"),
    [
        ("linalg.svd", "td.linalg.svd(x)"),
        ("linalg.svd", "from tinygrad_dl.linalg import svdvals"),
        ("linalg.svd", "np.linalg.svd(x)"),
        ("linalg.svd", "td.op.registry['svd']"),
        ("linalg.svd", "'svd' in td.op.registry"),
        ("linalg.svd", "len(td.op.registry)"),
        ("linalg.svd", "list(td.op.registry)"),
        ("linalg.determinant", "td.Tensor.logdet"),
        ("linalg.determinant", "x.logdet()"),
        ("linalg.determinant", "from tinygrad_dl import logdet"),
        ("linalg.determinant", "from tinygrad_dl import *"),
        ("linalg.determinant", "td.func.vmap(td.det)(td.ones(3, 2, 2))"),
        ("pointwise.trigonometric", "np.sin(x)"),
        ("pointwise.trigonometric", "x.sin_()"),
        ("pointwise.trigonometric", "td.sin_(x)"),
        ("pointwise.bitwise", "x.long() & 1"),
        ("pointwise.bitwise", "1 ^ x.long()"),
        ("reduction.cumulative", "np.add.accumulate(x)"),
        ("loss.ctc_loss", "td.nn.functional.ctc_loss"),
        ("loss.kl_div", "td.op.registry['kl_div']"),
        ("pointwise.gamma", "import inspect; inspect.getmembers(td.Tensor)"),
        ("pointwise.gamma", "import pickle; pickle.loads(pickle.dumps(td.lgamma))"),
    ],
)
def test_the_file_of_a_name_is_loaded_when_it_is_used(file, use):
    assert run(f"x = td.eye(2)\nprint(loaded({file!r}))\n{use}\nprint(loaded({file!r}))") == ["False", "True"]


def test_a_name_that_is_loaded_is_an_ordinary_one():
    code = """
value = td.linalg.det
assert value is td.det is td.Tensor.det is td.linalg.det is vars(td)["det"] is vars(td.Tensor)["det"]
assert td.Tensor.sin is td.sin and "torch.sin.html" in td.Tensor.sin.__doc__
assert td.op.registry["det"].function is td.op.registry.get("det").function
"""
    run(code)


def test_docstrings_do_not_depend_on_what_is_used_first():
    of_method, of_function, of_namespace = (
        run(f"print(repr({first}.__doc__)); print(repr(td.det.__doc__))")
        for first in ("td.Tensor.det", "td.det", "td.linalg.det")
    )
    assert of_method == of_function == of_namespace
    assert "torch.det.html" in of_method[0]


def test_names_that_are_not_there_are_refused_as_ever():
    for module in (td, td.linalg, td.nn.functional):
        with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'nothing'"):
            module.nothing  # noqa: B018
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'nothing'"):
        td.ones(1).nothing  # noqa: B018
    with pytest.raises(KeyError):
        td.op.registry["nothing"]


def test_two_threads_that_use_a_name_first_at_once_get_what_is_complete():
    code = """
import threading
from tinygrad_dl.core import lazy
sys.setswitchinterval(1e-6)
x, start, found = td.eye(3, requires_grad=True), threading.Barrier(8), []
uses = [
    lambda: x.det(), lambda: td.linalg.slogdet(x)[1], lambda: np.linalg.inv(x).sum(), lambda: td.logdet(x),
    lambda: x.cos().sum(), lambda: np.sin(x).sum(), lambda: td.linalg.svdvals(x).sum(),
    lambda: td.op.registry["kthvalue"].function(x.view(-1), 9)[0],
]
def use(each):
    start.wait()
    found.append(td.autograd.grad(each(), x)[0].shape)
threads = [threading.Thread(target=use, args=(each,)) for each in uses]
for each in threads: each.start()
for each in threads: each.join()
print(found == [(3, 3)] * 8)
"""
    assert run(code) == ["True"]


def test_a_program_may_put_its_own_in_the_place_of_a_method_before_it_is_loaded():
    code = """
td.Tensor.sin = own = lambda self: "own"
td.sin(td.ones(2))
assert td.ones(2).sin() == "own" and td.Tensor.sin is own
"""
    run(code)


def test_an_op_of_others_does_not_take_the_place_of_one_that_is_not_loaded():
    code = """
for declare in (lambda: td.op(np.sin), lambda: td.op(method="sin")):
    try:
        @declare()
        def mine(x): return x
    except ValueError as error:
        print(str(error))
"""
    first, second = run(code)
    assert "got the NumPy function 'sin', which is taken by the op 'sin'" in first
    assert "got the method 'sin', which is taken by the op 'sin'" in second


def test_a_compiled_step_uses_names_that_are_not_loaded():
    code = """
def step(x): return td.sin(x).cos() + td.cumsum(x, 0)
compiled, x = td.compile(step), td.ones(4)
for _ in range(4): assert (compiled(x) == step(x)).all()
"""
    run(code)
