"""Every op keeps what its declaration promises: no op enters unproven."""

from __future__ import annotations

import pytest

from tinygrad_dl.testing import all_ops, check_op


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.name)
def test_op(op):
    check_op(op)
