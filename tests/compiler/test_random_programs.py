"""Random steps give the same compiled and eagerly, bit for bit, whatever happens between the calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

import tinygrad_dl as td
from compiler.step_programs import COLUMNS, OPTIMIZERS, ROWS, Run, World, programs

NIGHTLY = settings.get_current_profile_name() == "nightly"


def expect_same(found, expected, what):
    """Two tensors, numbers or lists of them are the same, bit for bit; NaN is NaN."""
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected), what
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            expect_same(a, b, f"{what}, {i}")
    elif isinstance(expected, td.Tensor):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), what
        a, b = found.detach().numpy(), expected.detach().numpy()
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), f"{what}: {a} compiled, {b} eagerly"
    else:
        assert repr(found) == repr(expected), what


class Steps(RuleBasedStateMachine):
    """The same step in two worlds, in one of which it is compiled."""

    @initialize(program=programs, optimizer=st.integers(0, len(OPTIMIZERS) - 1))
    def begin(self, program, optimizer):
        self.worlds = [World(program, optimizer) for _ in range(2)]
        self.functions = [self.worlds[0].step, td.compile(self.worlds[1].step)]
        self.random = [td.get_rng_state()] * 2
        self.rows, self.recording = ROWS, True

    def both(self, do):
        """Does the same in each world, with a random generator of its own."""
        found = []
        for i in range(2):
            td.set_rng_state(self.random[i])
            try:
                found.append(do(i))
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                found.append((type(error), str(error)))
            self.random[i] = td.get_rng_state()
        return found

    @rule(seed=st.integers(0, 5), s=st.sampled_from([0.5, -0.25, 2.0]), times=st.integers(1, 4))
    def call(self, seed, s, times):
        for turn in range(times):
            rng = np.random.default_rng([seed, turn])
            x = rng.standard_normal((self.rows, COLUMNS)).astype(np.float32)
            classes = rng.integers(0, COLUMNS, self.rows)
            given = [(td.tensor(x), td.tensor(classes), s) for _ in range(2)]
            with td.set_grad_enabled(self.recording):
                eager, compiled = self.both(lambda i, given=given: self.functions[i](*given[i]))
            expect_same(compiled, eager, "results")
            expect_same(given[1], given[0], "arguments after the step")
            self.check()

    @rule(seed=st.integers(0, 9))
    def seed(self, seed):
        self.both(lambda i: td.manual_seed(seed))

    @rule(which=st.integers(0, 2), factor=st.sampled_from([0.5, -1.0]))
    def change_parameter(self, which, factor):
        for world in self.worlds:
            with td.no_grad():
                world.parameters[which].mul_(factor)

    @rule(which=st.integers(0, 2))
    def replace_data(self, which):
        for world in self.worlds:
            world.parameters[which].data = world.parameters[which].detach() * 0.5

    @rule(which=st.integers(0, 2), where=st.integers(0, 1))
    def drop_gradient(self, which, where):
        for world in self.worlds:
            p = world.parameters[which]
            p.grad = None if where else td.ones_like(p)

    @rule(lr=st.sampled_from([0.1, 0.01]))
    def learning_rate(self, lr):
        for world in self.worlds:
            for group in world.optimizer.param_groups if world.optimizer else ():
                group["lr"] = lr

    @rule(rows=st.integers(1, 5))
    def other_batch(self, rows):
        self.rows = rows

    @rule(which=st.integers(0, 2))
    def freeze(self, which):
        for world in self.worlds:
            p = world.parameters[which]
            p.requires_grad_(not p.requires_grad)

    @rule()
    def reload(self):
        for world in self.worlds:
            if world.optimizer:
                world.optimizer.load_state_dict(world.optimizer.state_dict())

    def check(self):
        states = [world.state() for world in self.worlds]
        assert list(states[0]) == list(states[1])
        for name, eager in states[0].items():
            expect_same(states[1][name], eager, name)
        assert repr(self.random[0]) == repr(self.random[1]), "state of the random generator"


# Some steps fail, and run eagerly with a warning.
@pytest.mark.filterwarnings("ignore:compile:UserWarning")
def test_random_steps():
    chosen = settings(max_examples=3000 if NIGHTLY else 30, stateful_step_count=6)
    run_state_machine_as_test(Steps, settings=chosen)


@pytest.mark.parametrize("optimizer", range(len(OPTIMIZERS)))
def test_a_step_of_every_kind_of_instruction(optimizer):
    kinds = [("unary", 4, 8, 0), ("change", 5, 0, 0), ("store", 5, 3, 1), ("reduce", 6, 5, 0), ("random", 4, 0, 0)]
    kinds += [("gradient", 4, 1, 0), ("statistics", 4, 1, 0), ("index", 4, 2, 0), ("embed", 0, 0, 0)]
    steps = Steps()
    program = [(*each, False) for each in kinds]
    steps.begin(program, optimizer)
    before = [p.detach().clone() for p in steps.worlds[0].parameters]
    steps.call(0, 0.5, 5)
    for old, new in zip(before, steps.worlds[0].parameters, strict=True):
        assert (old == new).all() == (OPTIMIZERS[optimizer] is None)
    world = steps.worlds[0]
    made = Run(program, world.parameters, world.buffers, td.ones(ROWS, COLUMNS), td.arange(ROWS), 0.5).variables
    assert len(made) == 5 + len(kinds) - 2  # all but `change` and `store` make one
