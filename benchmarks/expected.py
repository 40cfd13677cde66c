"""What data-parallel training should cost on any number of processes: a model of a step from a few measured numbers.

A message of n bytes takes `latency + n / bandwidth`. An all-reduce of n bytes among N processes takes, by its way,

    ring                 2 (N - 1) latency + 2 n (N - 1) / (N bandwidth)
    recursive doubling   log2(N) (latency + n / bandwidth)
    halving, doubling    2 log2(N) latency + 2 n (N - 1) / (N bandwidth)

and MPI chooses by N and n; the model takes the fastest (Thakur, Rabenseifner and Gropp, 2005). Each also adds numbers,
n (N - 1) / N bytes of them, at the pace of memory.

Gradients appear evenly over the backward pass, the last layer's first, and fill one bucket after the other. A full
bucket waits until the one before is reduced, then is reduced while the pass goes on. What is not over when the pass
ends is waited for; without overlap, that is all of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Link(NamedTuple):
    """What joins the processes."""

    latency: float  # seconds of a message without content
    bandwidth: float  # bytes a second
    adding: float = 4e9  # bytes of numbers that a process adds up a second


class Step(NamedTuple):
    """A step of one process: seconds of its parts, and the bytes of the gradients."""

    forward: float
    backward: float
    update: float
    gradients: int


def all_reduce(link: Link, processes: int, size: float) -> float:
    """The seconds that it takes to add up `size` bytes of all processes, in all of them."""
    if processes == 1:
        return 0.0
    rounds, share = math.ceil(math.log2(processes)), size * (processes - 1) / processes
    ring = 2 * (processes - 1) * link.latency + 2 * share / link.bandwidth + share / link.adding
    doubling = rounds * (link.latency + size / link.bandwidth + size / link.adding)
    halving = 2 * rounds * link.latency + 2 * share / link.bandwidth + share / link.adding
    return min(ring, doubling, halving)


def step_time(step: Step, link: Link, processes: int, bucket: float = 25 * 2**20, overlap: bool = True) -> float:
    """The seconds of a step in which all processes take part.

    Args:
        bucket: the bytes that are reduced together.
        overlap: whether a bucket is reduced while the backward pass goes on.
    """
    count = max(1, math.ceil(step.gradients / bucket))
    each = all_reduce(link, processes, step.gradients / count)
    end = 0.0
    for number in range(1, count + 1):
        ready = step.backward * (number / count if overlap else 1)
        end = max(end, ready) + each
    return step.forward + max(end, step.backward) + step.update


def efficiency(alone: Step, each: Step, link: Link, processes: int, parts: int = 1) -> float:
    """The speed of all processes by that of one, divided by their number: 1 where nothing is lost.

    Args:
        alone: a step of one process.
        each: a step of every one of the processes.
        parts: how many of those go through as many samples as one process alone does: 1 if each has such a batch.
    """
    whole = alone.forward + alone.backward + alone.update
    return whole / (parts * step_time(each, link, processes))
