"""Large operations on several threads."""

from __future__ import annotations

import os
import threading

import cores
import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import blas
from tinygrad_dl.threads import spread

needs_switch = pytest.mark.skipif(not blas.switch(), reason="NumPy's BLAS has no such switch here")


@pytest.fixture(autouse=True)
def three_threads():
    with cores.threads(3):
        yield


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 1000])
@pytest.mark.parametrize("grain", [1, 4, 1000])
def test_ranges_cover_everything_once(count, grain):
    hits, ranges = np.zeros(count, int), []

    def work(start, stop):
        hits[start:stop] += 1
        ranges.append((start, stop))

    spread(work, count, grain)
    assert (hits == 1).all()
    assert len(ranges) <= 3
    assert all(stop - start >= min(grain, count) for start, stop in ranges)


@needs_switch
def test_several_threads_work():
    seen, meet = set(), threading.Barrier(3, timeout=60)

    def work(start, stop):
        meet.wait()  # passes only when three threads are here at once
        seen.add(threading.get_ident())

    spread(work, 3)
    assert len(seen) == 3 and threading.get_ident() in seen


@needs_switch
def test_work_within_work_stays_in_its_thread():
    outer, inner = {}, {}

    def work(start, stop):
        me = threading.get_ident()
        outer[start] = me
        if me != threading.main_thread().ident:
            spread(lambda a, b: inner.setdefault(start, []).append((threading.get_ident(), a, b)), 10)

    spread(work, 3)
    assert len(inner) == 2
    assert all(calls == [(outer[start], 0, 10)] for start, calls in inner.items())


@pytest.mark.parametrize("where", [0, 2])
def test_an_error_reaches_the_caller_after_all_ranges_have_ended(where):
    ended = []

    def work(start, stop):
        if start == where:
            raise KeyError("from one range")
        ended.append(start)

    with pytest.raises(KeyError, match="from one range"):
        spread(work, 3)
    assert len(ended) == 2


def test_numpys_error_state_goes_along():
    def work(start, stop):
        np.float64(1) / np.zeros(5)

    with np.errstate(divide="ignore"):
        spread(work, 3)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        spread(work, 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own():
    spread(lambda a, b: None, 3)
    pid = os.fork()
    if pid == 0:
        total = np.zeros(30)
        spread(lambda a, b: total[a:b].fill(1), 30)
        os._exit(0 if total.sum() == 30 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(("number", "kind"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_refused_numbers_of_threads(number, kind):
    with pytest.raises(kind, match="set_num_threads: expected"):
        td.set_num_threads(number)
    assert td.get_num_threads() == 3


@needs_switch
def test_beside_a_blas_of_several_threads_nothing_is_split():
    blas.let_go()
    assert blas.rest() and not blas.is_quiet()
    ranges = []
    spread(lambda start, stop: ranges.append((start, stop)), 10)
    assert ranges == [(0, 10)]
    blas.hold()


@needs_switch
def test_the_number_holds_for_the_blas_too():
    threads_of_blas = blas.switch()[0]
    blas.let_go()
    assert blas.rest()
    td.set_num_threads(1)
    assert threads_of_blas() == 1
    td.set_num_threads(2)
    assert threads_of_blas() == 2
    blas.hold()
    assert threads_of_blas() == 1
    td.set_num_threads(3)
    assert threads_of_blas() == 1
    assert not blas.rest()  # somebody holds it
    blas.let_go()
    assert not blas.rest(seconds=60.0)
    assert blas.rest() and threads_of_blas() == 3
    blas.hold()
