"""The model of training in several processes (`benchmarks/expected.py`): its limits, and a step event by event."""

from __future__ import annotations

import math

import pytest
from benchmark_cases import expected
from hypothesis import given
from hypothesis import strategies as st

LINK = expected.Link(10e-6, 1e9, math.inf)
TIMES = st.floats(1e-5, 1e-1)
STEPS = st.builds(expected.Step, TIMES, TIMES, TIMES, st.integers(1, 10**8))
LINKS = st.builds(expected.Link, st.floats(1e-7, 1e-3), st.floats(1e8, 1e11), st.floats(1e9, 1e11))
RANKS = st.sampled_from([2**power for power in range(11)])


def test_an_all_reduce_takes_what_its_ways_take_at_their_ends():
    assert expected.all_reduce(LINK, 1, 1e9) == 0
    assert expected.all_reduce(LINK, 2, 1e6) == pytest.approx(10e-6 + 1e-3)  # one message each way at the same time
    assert expected.all_reduce(LINK, 1024, 0) == pytest.approx(10 * 10e-6)  # as many latencies as doublings
    assert expected.all_reduce(LINK, 1024, 1e12) == pytest.approx(2e3, rel=1e-2)  # each byte there and back


@given(LINKS, RANKS, st.integers(1, 10**9))
def test_it_takes_no_less_for_more_bytes_or_processes(link, processes, size):
    time = expected.all_reduce(link, processes, size)
    assert time <= expected.all_reduce(link, processes, 2 * size)
    assert time <= expected.all_reduce(link, 2 * processes, size) * (1 + 1e-9)


@given(STEPS, LINKS, RANKS, st.integers(10**4, 10**8))
def test_a_step_is_that_of_buckets_sent_one_after_the_other(step, link, processes, bucket):
    count = max(1, math.ceil(step.gradients / bucket))
    each = expected.all_reduce(link, processes, step.gradients / count)
    free = 0.0  # when the link is free again
    for number in range(count):
        full = step.backward * (number + 1) / count
        free = max(free, full) + each
    whole = step.forward + max(step.backward, free) + step.update
    time = expected.step_time(step, link, processes, bucket)
    assert time == pytest.approx(whole)
    assert time <= expected.step_time(step, link, processes, bucket, overlap=False) * (1 + 1e-9)


@given(STEPS, LINKS, RANKS)
def test_nobody_is_faster_for_others(step, link, processes):
    found = expected.efficiency(step, step, link, processes)
    assert 0 < found <= 1 + 1e-9 and (processes > 1 or found == pytest.approx(1))
    part = expected.Step(step.forward / processes, step.backward / processes, step.update, step.gradients)
    assert expected.efficiency(step, part, link, processes, parts=processes) <= 1 + 1e-9
