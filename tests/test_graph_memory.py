"""Depth without recursion, no reference cycles, and nodes that keep only what their rules name."""

from __future__ import annotations

import tracemalloc
import weakref

from leaves import leaf

import tinygrad_dl as td


def test_a_million_operations_go_through_backward_and_are_freed():
    x = leaf(1)
    y = x
    for _ in range(1_000_000):
        y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1]
    del y  # the interpreter would crash here if freeing recursed


def test_no_reference_cycles(no_collector):
    x = leaf(1, 2)
    y = ((x * x).exp() + x).sum()
    watched = [weakref.ref(y), weakref.ref(y.grad_fn)]
    y.backward()
    del y
    assert all(ref() is None for ref in watched)


def test_a_training_loop_does_not_grow_without_the_collector(no_collector):
    model = td.nn.Sequential(td.nn.Linear(8, 16), td.nn.BatchNorm1d(16), td.nn.ReLU(), td.nn.Linear(16, 4))
    optimizer = td.optim.Adam(model.parameters())
    x, y = td.randn(32, 8), td.randint(0, 4, (32,))

    def step():
        optimizer.zero_grad()
        td.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    tracemalloc.start()
    for _ in range(150):  # caches of free small objects fill up first
        step()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(200):
        step()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 5_000


def test_a_node_keeps_exactly_what_its_rules_name():
    x = td.zeros(1000, dtype=td.float64, requires_grad=True)
    k = td.ones(1000, dtype=td.float64)
    assert (x + k).grad_fn.nbytes == 0
    assert (x * k).grad_fn.nbytes == 8000  # the constant alone
    assert x.reshape(10, 100).grad_fn.nbytes == 0
    tracemalloc.start()
    y = x
    for _ in range(100):
        y = y + k
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 60_000


def test_saved_values_are_freed_as_they_are_used():
    x = td.ones(1000, requires_grad=True)
    y = (x * x).sum()
    node = y.grad_fn.next_functions[0][0]
    assert node.nbytes == 8000
    y.backward()
    assert node.nbytes == 0
