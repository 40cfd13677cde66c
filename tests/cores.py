"""Runs operations on a given number of threads."""

from __future__ import annotations

from contextlib import contextmanager
from unittest import mock

import tinygrad_dl as td
from tinygrad_dl.backends import blas


@contextmanager
def threads(number):
    """So many threads for what runs inside, whatever this machine lets the BLAS have."""
    before = td.get_num_threads()
    td.set_num_threads(number)
    try:
        with mock.patch.object(blas, "allowed", lambda: number):
            yield
    finally:
        td.set_num_threads(before)


def on_one_and_on_three(function):
    """The results with one thread and with three."""
    found = []
    for number in (1, 3):
        with threads(number):
            found.append(function())
    return found
