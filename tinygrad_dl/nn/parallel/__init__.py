"""`nn.parallel`: one model in several processes, each with its share of the batch.

Source: https://docs.pytorch.org/docs/stable/nn.html#module-torch.nn.parallel
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_dl.nn.parallel.data_parallel import DataParallel

if TYPE_CHECKING:  # loaded at first use: most programs have one process
    from tinygrad_dl.nn.parallel.distributed_data_parallel import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel"]


def __getattr__(name: str) -> Any:
    if name != "DistributedDataParallel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tinygrad_dl.nn.parallel.distributed_data_parallel import DistributedDataParallel

    return DistributedDataParallel


def __dir__() -> list[str]:
    return __all__
