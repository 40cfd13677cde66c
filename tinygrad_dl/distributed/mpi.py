"""MPI itself: the one place that imports mpi4py, at the first call that needs it, which starts MPI in this process."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any

INSTALL = 'pip install "tinygrad_dl[mpi]"'


def is_mpi_available() -> bool:
    """Whether mpi4py is installed; nothing is started to find out.

    >>> td.distributed.is_mpi_available()
    True
    """
    return importlib.util.find_spec("mpi4py") is not None


def is_available() -> bool:
    """Whether processes can exchange tensors here: whether mpi4py is installed.

    >>> td.distributed.is_available()
    True
    """
    return is_mpi_available()


@functools.cache
def library() -> Any:
    """The module `mpi4py.MPI`.

    Raises:
        ImportError: it is not installed, or finds no MPI on this machine.
    """
    try:
        return importlib.import_module("mpi4py.MPI")
    except (ImportError, RuntimeError) as error:  # the second: mpi4py is there, and the MPI below it is not
        raise ImportError(f"td.distributed needs mpi4py and an MPI library ({error}); {INSTALL}") from None
