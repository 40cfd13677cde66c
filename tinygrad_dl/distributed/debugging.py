"""Whether each collective is compared over the ranks before it begins: slow, and it names the rank that differs."""

from __future__ import annotations

import enum
import os

from tinygrad_dl.core.errors import ArgumentTypeError

VARIABLE = "TORCH_DISTRIBUTED_DEBUG"


class DebugLevel(enum.IntEnum):
    """How much is looked at: with DETAIL, whether all ranks make the same call.

    >>> td.distributed.DebugLevel.DETAIL
    <DebugLevel.DETAIL: 2>

    Source: https://docs.pytorch.org/docs/stable/distributed.html#torch-distributed-debug
    """

    OFF = 0
    INFO = 1
    DETAIL = 2


class _Setting:
    level = DebugLevel.OFF


setting = _Setting()


def set_debug_level(level: DebugLevel) -> None:
    """Sets how much is looked at, from now on; on all ranks alike.

    >>> td.distributed.set_debug_level(td.distributed.DebugLevel.OFF)

    Source: https://docs.pytorch.org/docs/stable/distributed.html#torch-distributed-debug
    """
    if not isinstance(level, DebugLevel):
        raise ArgumentTypeError(f"set_debug_level: got {level!r}, expected one of DebugLevel")
    setting.level = level


def get_debug_level() -> DebugLevel:
    """How much is looked at.

    >>> td.distributed.get_debug_level()
    <DebugLevel.OFF: 0>

    Source: https://docs.pytorch.org/docs/stable/distributed.html#torch-distributed-debug
    """
    return setting.level


def set_debug_level_from_env() -> None:
    """Sets it to what the environment says (TORCH_DISTRIBUTED_DEBUG: OFF, INFO, DETAIL), as `init_process_group` does.

    >>> td.distributed.set_debug_level_from_env()

    Source: https://docs.pytorch.org/docs/stable/distributed.html#torch-distributed-debug
    """
    given = os.environ.get(VARIABLE, "")
    if given.upper() in DebugLevel.__members__:
        setting.level = DebugLevel[given.upper()]
