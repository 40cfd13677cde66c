"""The errors of an exchange between processes, by PyTorch's names."""

from __future__ import annotations


class DistError(RuntimeError):
    """What goes wrong between processes.

    >>> issubclass(td.distributed.DistBackendError, td.distributed.DistError)
    True

    Source: https://docs.pytorch.org/docs/stable/distributed.html#distributed-debugging
    """

    __module__ = "tinygrad_dl.distributed"


class DistBackendError(DistError):
    """MPI could not do what it was asked for, or another process has not done its part in time.

    >>> issubclass(td.distributed.DistBackendError, RuntimeError)
    True

    Source: https://docs.pytorch.org/docs/stable/distributed.html#distributed-debugging
    """

    __module__ = "tinygrad_dl.distributed"
