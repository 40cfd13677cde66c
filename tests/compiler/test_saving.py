"""Programs as files of their own: they run with NumPy alone, and give the same numbers."""

from __future__ import annotations

import operator
import os
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_dl as td
from compiler.building import Builder, transposed
from tinygrad_dl.backends.axpby import find
from tinygrad_dl.compiler.passes import optimized
from tinygrad_dl.compiler.program import Number, Scalar
from tinygrad_dl.compiler.writing import Stopped, write

WITHOUT = "import sys; sys.modules['tinygrad_dl'] = None; "


def regression():
    """A step of linear regression by gradient descent, with a guard on the labels."""
    b = Builder("step")
    weight = b.outside(np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3), "weight")
    x, y = b.argument((4, 3), "x"), b.argument((4, 2), "y")
    b.program.numbers.append(Number(Scalar("lr"), lambda: 0.1, "lr"))
    b.place, b.line = "linear", f"{__file__}:1"
    error = b.product(x, transposed(weight))
    b.ufunc(np.subtract, error, y, out=error)
    total = b.call("reduce", np.maximum, error, out=Scalar("largest"), options={"axis": None})
    b.call("guard", operator.lt, total, 100.0)
    b.place = "linear, backward"
    gradient = b.product(transposed(error), x)
    b.place = "SGD.step"
    change = b.call("ufunc", np.multiply, gradient, Scalar("lr"), out=b.inside((2, 3)))
    b.ufunc(np.subtract, weight, change, out=weight)
    b.ufunc(np.square, error, out=error)
    b.program.results.append(b.call("reduce", np.add, error, out=b.inside(()), options={"axis": None}))
    return b.program, weight.buffer.owner


def run(folder, code):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + code], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_saved_program_runs_without_the_library_and_gives_the_same_numbers(tmp_path):
    program, weight = regression()
    written = write(optimized(program))
    written.save(tmp_path / "step.py")
    x, y = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones((4, 2), np.float32)
    losses = [written.function(x, y, 0.001)[0].item() for _ in range(3)]
    code = (
        "import numpy as np; from step import step, outside;"
        "x, y = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones((4, 2), np.float32);"
        "print([step(x, y, 0.001)[0].item() for _ in range(3)], outside['weight'].tolist())"
    )
    assert run(tmp_path, code) == f"{losses} {weight.tolist()}\n"
    first = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    error = x @ first.T - y
    assert losses[0] == pytest.approx((error**2).sum(), rel=1e-6)


def test_a_saved_program_stops_where_a_guard_does_not_hold(tmp_path):
    program, weight = regression()
    written = write(optimized(program))
    written.save(tmp_path / "step.py")
    with pytest.raises(Stopped):
        written.function(np.full((4, 3), 1e9, np.float32), np.zeros((4, 2), np.float32), 0.01)
    assert weight.tolist() == np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3).tolist()
    code = (
        "import numpy as np, step\n"
        "try: step.step(np.full((4, 3), 1e9, np.float32), np.zeros((4, 2), np.float32), 0.01)\n"
        "except step.Stopped: print('stopped')"
    )
    assert run(tmp_path, code) == "stopped\n"


def test_values_of_another_program_are_refused(tmp_path):
    written = write(optimized(regression()[0]))
    written.save(tmp_path / "step.py")
    text = (tmp_path / "step.py").read_text()
    stamp = text.split('outside.pop("stamp") != ')[1].split(":")[0]
    (tmp_path / "step.py").write_text(text.replace(stamp, "1"))
    with pytest.raises(AssertionError, match="belongs to another program"):
        run(tmp_path, "import step")


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        (3, TypeError, "save: got int, expected a path, such as 'step.py'"),
        ("step.txt", ValueError, "save: got 'step.txt', expected a path that ends in .py"),
        ("missing/step.py", FileNotFoundError, "save: got the folder .*missing, expected one that is there"),
    ],
)
def test_places_where_no_program_can_be_saved(tmp_path, monkeypatch, path, kind, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=message):
        write(regression()[0]).save(path)
    assert os.listdir(tmp_path) == []


def test_functions_that_are_not_numpys_are_refused_by_name(tmp_path):
    b = Builder("step")
    x = b.argument((3,), "x")
    b.program.results.append(b.call("function", regression, x, out=b.inside((3,))))
    with pytest.raises(ValueError, match=r"^save: got a program that calls .*test_saving.regression, expected NumPy's"):
        write(b.program).save(tmp_path / "step.py")
    assert os.listdir(tmp_path) == []


def test_the_text_of_a_program_says_what_it_does():
    source = write(optimized(regression()[0])).source
    assert '    """x: float32 (4, 3); y: float32 (4, 2). Returns float32 number."""' in source
    assert "    # test_saving.py:1  " in source
    for line in (
        "weight = outside['weight']  # float32 (2, 3)",
        "weight_T = weight.T",
        "    x_in.dot(weight_T, linear1)  # float32 (4, 2)",
        "    subtract(linear1, y_in, linear1)",
        "        raise Stopped('linear')",
        "    linear1_T.dot(x_in, grad_linear1)  # float32 (2, 3)",
        "    subtract(weight, SGD_step1, weight)",
    ):
        assert line in source.splitlines(), source


def momentum(shape=(70, 50)):
    """A step of SGD with momentum on more parameters than NumPy adds faster than the BLAS."""
    td.manual_seed(0)
    weight = td.randn(*shape, requires_grad=True)
    optimizer = td.optim.SGD([weight], lr=0.1, momentum=0.9)

    def step(x):
        optimizer.zero_grad()
        loss = (weight * x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    return step, weight, optimizer


def test_weighted_sums_of_the_blas_are_numpys_in_a_file_and_for_numbers_that_are_0(tmp_path):
    step, weight, optimizer = momentum()
    other, twin, its = momentum()
    fast, x = td.compile(other, fullgraph=True), td.rand(70, 50)
    for lr in (0.1, 0.1, 0.1, 0.0, 0.05):
        optimizer.param_groups[0]["lr"] = its.param_groups[0]["lr"] = lr
        assert step(x).item() == fast(x).item()
        np.testing.assert_array_equal(weight.detach().numpy(), twin.detach().numpy())
    assert ("weighted_sum(" in fast.source) is bool(find())
    fast.save(tmp_path / "step.py")
    np.save(tmp_path / "x.npy", x.numpy())
    losses = [step(x).item() for _ in range(3)]
    code = "import numpy as np; from step import step; x = np.load('x.npy');"
    code += "print([step(x, 0.05)[0].item() for _ in 'abc'])"
    assert run(tmp_path, code) == f"{losses}\n"
