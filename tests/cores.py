"""Runs operations on a given number of threads, with the BLAS held to one so that ranges are given to others."""

from __future__ import annotations

from contextlib import contextmanager

import tinygrad_dl as td
from tinygrad_dl import blas


@contextmanager
def threads(number):
    """Up to so many threads for what runs inside."""
    before = td.get_num_threads()
    td.set_num_threads(number)
    if blas.switch():
        blas.hold()
    try:
        yield
    finally:
        if blas.switch():
            blas.let_go()
            blas.rest()
        td.set_num_threads(before)


def on_one_and_on_three(function):
    """The results with one thread and with three."""
    found = []
    for number in (1, 3):
        with threads(number):
            found.append(function())
    return found
