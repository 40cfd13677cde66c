"""What other libraries call of PyTorch's core in C++."""

from __future__ import annotations


def _log_api_usage_once(event: str) -> None:
    """Nothing: this library reports no use of it."""
