"""The namespace of the Python array API standard: its rules, its gradients, and libraries written for it."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_dl as td

xp = td.array_api
PLACES = [(xp, "td.array_api"), (xp.linalg, "td.array_api.linalg"), (xp.fft, "td.array_api.fft")]


def test_a_tensor_gives_the_namespace():
    x = td.ones(2)
    assert x.__array_namespace__() is x.__array_namespace__(api_version="2025.12") is xp
    assert x.__array_namespace__(api_version="2021.12") is xp
    assert xp.__array_api_version__ == "2025.12"
    with pytest.raises(ValueError, match=r"got api_version='1999\.01', expected one of 2021\.12"):
        x.__array_namespace__(api_version="1999.01")


@pytest.mark.parametrize(("module", "place"), PLACES)
def test_every_function_says_what_it_does_and_where_the_standard_says_it(module, place):
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value) and name != "from_dlpack":
            assert value.__name__ == name
            assert value.__doc__.splitlines()[0].endswith("."), f"{place}.{name}"
            assert "Source: https://data-apis.org/array-api/2025.12/" in value.__doc__, f"{place}.{name}"
    assert dir(module) == sorted(module.__all__)


def test_info():
    info = xp.__array_namespace_info__()
    assert info.default_device() == "cpu"
    assert info.devices() == (td.device("cpu"),)
    assert info.default_dtypes()["real floating"] == td.float32
    assert info.dtypes(kind="unsigned integer") == {
        "uint8": td.uint8,
        "uint16": td.uint16,
        "uint32": td.uint32,
        "uint64": td.uint64,
    }
    assert list(info.dtypes(kind=("bool", "complex floating"))) == ["bool", "complex64", "complex128"]
    assert info.capabilities()["boolean indexing"]
    with pytest.raises(ValueError, match="unknown device: got 'cuda'"):
        info.dtypes(device="cuda")


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ((td.int8, td.uint8), td.int16),
        ((td.int64, 1.5), td.float32),
        ((td.float64, 1j), td.complex128),
        ((td.float32, td.complex128), td.complex128),
        ((td.ones(2, dtype=td.float32), td.tensor(1.0, dtype=td.float64)), td.float64),
        ((td.ones(2, dtype=td.int8), 1), td.int8),
        ((td.float16, 2), td.float16),
    ],
)
def test_promotion_counts_tensors_without_dimensions(given, result):
    assert xp.result_type(*given) == result
    if isinstance(given[0], td.Tensor):
        assert xp.add(*given).dtype == xp.add(*given[::-1]).dtype == result


def test_kinds_and_casts():
    assert xp.isdtype(td.float16, "real floating")
    assert xp.isdtype(td.uint8, ("bool", "integral"))
    assert not xp.isdtype(td.bool, "numeric")
    assert xp.isdtype(td.int8, td.int8)
    with pytest.raises(ValueError, match="got kind='whole', expected one of 'bool'"):
        xp.isdtype(td.int8, "whole")
    assert xp.can_cast(td.float32, td.float64)
    assert not xp.can_cast(td.int64, td.float32)
    assert xp.finfo(td.ones(1)).dtype == td.float32
    assert xp.iinfo(td.uint8).max == 255


def test_totals_of_unsigned_integers_stay_unsigned():
    x = td.tensor([200, 100], dtype=td.uint8)
    assert xp.sum(x).dtype == xp.prod(x).dtype == xp.cumulative_sum(x).dtype == td.uint64
    assert int(xp.sum(x)) == 300


def test_no_dimension_to_reduce():
    x = td.tensor([[1.0, 2.0]])
    assert xp.sum(x, axis=()).tolist() == [[1.0, 2.0]]
    assert xp.max(td.tensor(3.0), keepdims=True).tolist() == 3.0
    assert xp.std(x, axis=(0, 1)).item() == 0.5


def test_values_of_shapes_and_places():
    x = td.tensor([[3, 1], [2, 1]])
    assert xp.expand_dims(x, axis=(0, -1)).shape == (1, 2, 2, 1)
    assert xp.roll(x, 1).tolist() == [[1, 3], [1, 2]]
    assert xp.roll(x, 1, axis=(0, 1)).tolist() == [[1, 2], [1, 3]]
    assert xp.concat([x, x], axis=None).shape == (8,)
    assert xp.take(x, td.tensor([-1]), axis=1).tolist() == [[1], [1]]
    assert xp.take_along_axis(x, td.tensor([[-1], [0]])).tolist() == [[1], [2]]
    assert xp.cumulative_prod(x, axis=1, include_initial=True).tolist() == [[1, 3, 3], [1, 2, 2]]
    assert xp.diff(td.tensor([1, 4]), prepend=td.tensor([0]), append=td.tensor([5])).tolist() == [1, 3, 1]
    found = xp.unique_all(x)
    assert [each.tolist() for each in found] == [[1, 2, 3], [1, 2, 0], [[2, 0], [1, 0]], [2, 1, 1]]
    assert xp.unique_values(td.tensor([float("nan")] * 2)).shape == (2,)
    assert xp.clip(x, 2).tolist() == [[3, 2], [2, 2]]
    assert xp.clip(td.tensor(0), td.tensor([1, 2]), td.tensor([1, 5])).tolist() == [1, 2]
    assert xp.round(td.tensor([1.6 - 2.5j])).tolist() == [2 - 2j]
    assert xp.searchsorted(td.tensor([1, 3]), 2).item() == 1
    assert str(xp.sign(td.tensor([-0.0 + 0j])).item()) == "0j"
    assert xp.arange(3, 0).shape == (0,)
    assert xp.meshgrid(td.tensor([1, 2]), td.tensor([3]))[0].tolist() == [[1, 2]]
    assert xp.linalg.trace(x).item() == 4
    assert xp.linalg.cross(td.tensor([1.0, 0.0, 0.0]), td.tensor([0.0, 1.0, 0.0])).tolist() == [0.0, 0.0, 1.0]
    assert xp.linalg.cross(td.ones(3), td.ones(0, 3)).shape == (0, 3)
    assert xp.vecdot(td.tensor([1j]), td.tensor([1j])).item() == 1


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: xp.squeeze(td.ones(2, 1), axis=0), ValueError, "squeeze: got axis=0 for shape"),
        (lambda: xp.expand_dims(td.ones(2), axis=2), IndexError, "expand_dims: got axis=2, expected dimensions"),
        (
            lambda: xp.expand_dims(td.ones(2), axis=(0, 0)),
            ValueError,
            r"got axis=\(0, 0\), expected each dimension once",
        ),
        (lambda: xp.take(td.ones(2, 1), td.tensor([0])), ValueError, "take: got axis=None for shape"),
        (lambda: xp.nonzero(td.tensor(1)), ValueError, "nonzero: got a tensor without dimensions"),
        (lambda: xp.cumulative_sum(td.ones(2, 1)), ValueError, "cumulative_sum: got axis=None for shape"),
        (lambda: xp.linalg.cross(td.ones(2), td.ones(2)), ValueError, "cross: got shapes .* expected size 3"),
        (lambda: xp.vecdot(td.ones(2), td.ones(3)), ValueError, "vecdot: got shapes .* expected equal sizes"),
        (
            lambda: xp.reshape(td.ones(2, 3).mT, (6,), copy=False),
            ValueError,
            "reshape: got copy=False, expected strides",
        ),
        (lambda: xp.asarray(td.ones(2), dtype=td.int8, copy=False), ValueError, "asarray: got copy=False for a tensor"),
        (lambda: xp.zeros(2, device="cuda"), ValueError, "unknown device: got 'cuda'"),
        (lambda: td.ones(2).to_device("cuda"), ValueError, "unknown device: got 'cuda'"),
        (lambda: td.ones(2).to_device("cpu", stream=1), ValueError, "to_device: got stream=1, expected None"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_copies_and_shared_memory():
    x = td.ones(2)
    assert xp.asarray(x) is x.to_device("cpu") is x
    xp.asarray(x, copy=True)[0] = 5.0
    xp.astype(x, td.float32)[0] = 5.0
    xp.reshape(x, (1, 2), copy=True)[0] = 5.0
    assert x.tolist() == [1.0, 1.0]
    xp.reshape(x, (1, 2), copy=False)[0, 0] = 5.0
    assert x.tolist() == [5.0, 1.0]
    assert xp.astype(x, td.float32, copy=False) is x


GRADIENTS = {
    "logaddexp": lambda x: xp.logaddexp(x, 1.0),
    "asarray": lambda x: xp.asarray([x[0, 0], 1.0]),
    "std": lambda x: xp.std(x, axis=1, correction=1),
    "unique": lambda x: xp.unique_values(x) * td.tensor([1.0, 2.0, 3.0, 4.0], dtype=td.float64),
    "cumulative": lambda x: xp.cumulative_sum(x, axis=0, include_initial=True) ** 2,
    "take": lambda x: xp.take(x, td.tensor([1, 1]), axis=0) ** 2,
    "where": lambda x: xp.where(x > 1, x, 2 * x),
    "sort": lambda x: xp.sort(x, descending=True) * td.tensor([1.0, 3.0], dtype=td.float64),
    "clip": lambda x: xp.clip(x, 0.0, 1.0) ** 2,
    "norm": lambda x: xp.linalg.vector_norm(x, axis=-1),
    "solve": lambda x: xp.linalg.solve(x, td.ones(2, dtype=td.float64)),
    "fft": lambda x: xp.abs(xp.fft.rfft(x)),
    "vecdot": lambda x: xp.vecdot(x, x, axis=0),
}


@pytest.mark.parametrize("function", GRADIENTS.values(), ids=GRADIENTS)
def test_results_have_gradients(function):
    x = td.tensor([[0.3, 1.7], [2.9, -0.4]], dtype=td.float64, requires_grad=True)
    assert td.autograd.gradcheck(function, (x,))


def test_dlpack():
    a = np.arange(3.0)
    x = td.from_dlpack(a, copy=False, device="cpu")
    copied = xp.from_dlpack(a, copy=True)
    a[0] = 7.0
    assert x.tolist() == [7.0, 1.0, 2.0]
    assert copied.tolist() == [0.0, 1.0, 2.0]
    assert x.__dlpack_device__() == (1, 0)
    assert "dltensor_versioned" in repr(x.__dlpack__(max_version=(1, 0)))
    assert np.shares_memory(np.from_dlpack(x), a)
    assert not np.shares_memory(np.from_dlpack(x, copy=True), a)
    with pytest.raises(BufferError):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(RuntimeError, match="got a tensor that requires a gradient"):
        td.ones(1, requires_grad=True).__dlpack__()
    with pytest.raises(ValueError, match="unknown device"):
        td.from_dlpack(a, device="cuda")


def run(program: str) -> None:
    """In a process of its own: SciPy reads the variable when it is imported."""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, env=environment)


def test_scikit_learn_takes_tensors():
    pytest.importorskip("sklearn")
    run("""
import numpy as np, sklearn, tinygrad_dl as td
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

A = np.random.default_rng(0).normal(size=(30, 4))
y = (A[:, 0] > 0).astype(np.int64)
X, Y = td.tensor(A), td.tensor(y)

def same(got, want):
    assert isinstance(got, td.Tensor)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-8, atol=1e-12)

pca, lda = PCA(2, svd_solver="full").fit(A), LinearDiscriminantAnalysis().fit(A, y)
with sklearn.config_context(array_api_dispatch=True):
    ours = PCA(2, svd_solver="full").fit(X)
    same(ours.components_, pca.components_)
    same(ours.transform(X), pca.transform(A))
    same(LinearDiscriminantAnalysis().fit(X, Y).predict_proba(X), lda.predict_proba(A))
    assert metrics.accuracy_score(Y, Y) == 1.0
    assert np.isclose(metrics.mean_squared_error(X, 2 * X), (A**2).mean())
    same(metrics.pairwise.euclidean_distances(X), metrics.pairwise.euclidean_distances(A))
""")


def test_scipy_takes_tensors():
    pytest.importorskip("scipy")
    run("""
import numpy as np, scipy.fft, scipy.signal, scipy.special, scipy.stats, tinygrad_dl as td

a = np.array([1.0, 2.0, 4.0])
x = td.tensor(a, requires_grad=True)

def same(function, *arguments):
    got, want = function(x, *arguments), function(a, *arguments)
    assert isinstance(got, td.Tensor)
    assert got.requires_grad
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-12, atol=1e-14)

same(scipy.special.logsumexp)
same(scipy.special.softmax)
same(scipy.stats.zscore)
same(scipy.stats.skew)
same(scipy.stats.gmean)
same(scipy.stats.moment, 2)
same(scipy.signal.hilbert)
same(scipy.fft.fft)
scipy.special.logsumexp(x).backward()
np.testing.assert_allclose(x.grad.numpy(), scipy.special.softmax(a))
assert isinstance(scipy.special.expit(x.detach()), td.Tensor)
result = scipy.stats.ttest_ind(x.detach(), 2 * x.detach())
assert isinstance(result.pvalue, td.Tensor)
assert np.isclose(float(result.pvalue), scipy.stats.ttest_ind(a, 2 * a).pvalue)
""")


def test_einops_takes_tensors_by_the_standard():
    pytest.importorskip("einops")
    import einops.array_api

    x = td.arange(6.0).reshape(2, 3).requires_grad_()
    assert einops.array_api.rearrange(x, "a b -> (b a)").tolist() == [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
    einops.array_api.reduce(x, "a b -> a", "max").sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]


def test_transforms_and_compiled_steps():
    def loss(x):
        return xp.sum(xp.linalg.vector_norm(x, axis=-1) * xp.exp(x[..., 0]))

    x = td.tensor([[3.0, 4.0], [0.0, 1.0]])
    value = 5 * np.exp(3.0) + 1
    assert loss(x).item() == pytest.approx(value, rel=1e-6)
    assert td.compile(loss)(x).item() == pytest.approx(value, rel=1e-6)
    assert td.func.vmap(loss)(x[:, None]).tolist() == pytest.approx([5 * np.exp(3.0), 1.0], rel=1e-6)
    _, slope = td.func.jvp(loss, (x,), (td.tensor([[0.0, 1.0], [0.0, 0.0]]),))
    assert slope.item() == pytest.approx(0.8 * np.exp(3.0), rel=1e-6)


def test_large_integers_in_lists():
    """NumPy reads a list of them as floats, which hold 53 bits."""
    assert td.tensor([2**64 - 1, 0], dtype=td.uint64).tolist() == [2**64 - 1, 0]
    assert xp.asarray([2**63 + 1, 1], dtype=td.uint64).tolist() == [2**63 + 1, 1]
    assert td.float32 != "the numbers: 1, 2"
