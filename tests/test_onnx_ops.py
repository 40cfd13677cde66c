"""Every op with a converter, exported alone and run by onnxruntime: what its legal inputs give is the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

import tinygrad_dl as td
import tinygrad_dl.linalg
import tinygrad_dl.nn.functional
import tinygrad_dl.vision
from tinygrad_dl.core.declaration import REGISTRY
from tinygrad_dl.core.tensor import wrap
from tinygrad_dl.testing import arguments

pytest.importorskip("onnx", reason="the export needs onnx: pip install 'tinygrad_dl[onnx]'")
pytest.importorskip("onnxruntime", reason="exported models are run by onnxruntime: pip install onnxruntime")

from tinygrad_dl.onnx.convert import CHAPTERS
from tinygrad_dl.onnx.table import CONVERTERS, REASONS, REWRITINGS

OPS = sorted({*CONVERTERS, *REWRITINGS} & REGISTRY.keys())


def test_all_chapters_are_there():
    assert len(CHAPTERS) == 16
    assert len(OPS) >= 200


@pytest.mark.parametrize("key", sorted(key for key in REGISTRY if "::" not in key))
def test_every_op_has_a_converter_parts_that_have_one_or_a_reason(key):
    """What has none is refused with `REASONS`, or with "ONNX has no operator for it"."""
    op = REGISTRY[key]
    known = [key in CONVERTERS, key in REWRITINGS, key in REASONS, op.decomposed is not None, key in INNER]
    assert sum(known) >= 1, "declare a converter in tinygrad_dl/onnx, or say with `without` why there is none"
    assert not (key in REASONS and (key in CONVERTERS or key in REWRITINGS))


INNER = {"accumulate", "beside", "embed_diagonal", "place", "resample", "sum_strided", "sum_windows"}  # of rules alone


def as_single(array):
    """float32 in the place of float64, in which many of onnxruntime's operators are not there."""
    return array.astype(np.float32) if array.dtype == np.float64 else array


def agree(call, dtype_of=as_single, opset=20):
    """Exports the one op, runs it, and compares."""
    op, values = call.op, dict(call.values)
    places, given_tensors = [], []
    for name in op.tensors:
        value = values.get(name)
        for i, each in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(each, np.ndarray):
                places.append((name, i))
                given_tensors.append(wrap(dtype_of(each)))

    def model(*tensors):
        filled = {k: list(v) if isinstance(v, list) else v for k, v in values.items()}
        for (name, i), tensor in zip(places, tensors, strict=True):
            if i is None:
                filled[name] = tensor
            else:
                filled[name][i] = tensor
        out = op.function(**filled)
        return out if op.outputs is None else tuple(out)

    expected = model(*given_tensors)
    expected = [expected] if op.outputs is None else list(expected)
    assume(all(each.numel() for each in expected))
    names = [f"x{i}" for i in range(len(places))]
    program = td.onnx.export(model, tuple(given_tensors), input_names=names, opset_version=opset)
    found = program(*given_tensors)
    assert len(found) == len(expected)
    for mine, theirs in zip(expected, found, strict=True):
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(theirs.numpy(), mine.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("key", OPS)
def test_an_op_exported_alone_gives_what_it_gives_here(key):
    run: list[int] = []

    @settings(
        max_examples=12,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments(REGISTRY[key]))
    def check(call):
        tensors = [v for value in call.values.values() for v in (value if isinstance(value, list) else [value])]
        assume(all(v.size for v in tensors if isinstance(v, np.ndarray)))  # of none there is nothing to compare
        assume(not any(v.dtype.kind == "c" for v in tensors if isinstance(v, np.ndarray)))
        try:
            agree(call)
        except td.onnx.UnsupportedOperators as error:
            assert error.lines
            refused.append(error.lines[0])
        else:
            run.append(1)

    refused: list[str] = []
    check()
    assert len(run) > len(refused), refused[:3]
