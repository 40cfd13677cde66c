"""What all tests share: hypothesis profiles, and fixtures that put back what a test changes for all."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

import tinygrad_dl as td

# Time never decides a test, and a run on a server is the same run every time.
settings.register_profile("local", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
# Many more examples, for the tests that ask for the profile's name.
settings.register_profile("nightly", settings.get_profile("local"), print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "local"))

if "PYTEST_XDIST_WORKER" in os.environ:
    td.set_num_threads(1)  # the workers have the cores: products on several threads would wait for each other


@pytest.fixture
def no_collector():
    """Runs a test with the cycle collector off, so that only reference counting frees."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def registry():
    """Takes the ops that a test declares out of the registry again."""
    before = dict(td.op.registry)
    yield
    for name in set(td.op.registry) - set(before):
        del td.op.registry[name]
