"""Grad modes: as context managers and decorators, of functions and generators, nested, reused and shared by threads."""

from __future__ import annotations

import threading

import pytest

import tinygrad_dl as td


@pytest.mark.parametrize("mode", [2, 1, 0, None, "no", td.tensor(False)], ids=repr)
def test_set_grad_enabled_takes_true_and_false_alone(mode):
    with pytest.raises(TypeError, match="set_grad_enabled: expected True or False, got"):
        td.set_grad_enabled(mode)
    with td.no_grad():
        assert not td.is_grad_enabled()
    assert td.is_grad_enabled()


def test_what_set_grad_enabled_gave_can_be_entered_later():
    switch = td.set_grad_enabled(False)
    td.set_grad_enabled(True)
    with switch:
        assert not td.is_grad_enabled()
    assert td.is_grad_enabled()


@pytest.mark.parametrize("bare", [False, True])
def test_decorators_of_functions(bare):
    off, on = (td.no_grad, td.enable_grad) if bare else (td.no_grad(), td.enable_grad())

    @off
    def quiet(depth):
        """Its text."""
        assert depth == 0 or quiet(depth - 1) is False
        return td.is_grad_enabled()

    @on
    def loud():
        return td.is_grad_enabled()

    assert quiet(2) is False and td.is_grad_enabled() and quiet.__doc__ == "Its text."
    with td.no_grad():
        assert loud() is True and not td.is_grad_enabled()


def test_inference_mode_decorates_bare():
    @td.inference_mode
    def asked():
        return td.is_inference_mode_enabled(), td.is_grad_enabled()

    assert asked() == (True, False) and td.is_grad_enabled()


@pytest.mark.parametrize("decorator", [td.no_grad, td.no_grad(), td.inference_mode()], ids=["bare", "called", "other"])
def test_a_generator_runs_in_its_mode_and_its_caller_does_not(decorator):
    got = []

    @decorator
    def steps():
        try:
            got.append((yield td.is_grad_enabled()))
            yield td.is_grad_enabled()
        except ValueError:
            yield ("thrown", td.is_grad_enabled())
        finally:
            got.append(td.is_grad_enabled())
        return "end"

    running = steps()
    assert next(running) is False and td.is_grad_enabled()
    assert running.send(7) is False and td.is_grad_enabled()
    assert running.throw(ValueError()) == ("thrown", False) and td.is_grad_enabled()
    with pytest.raises(StopIteration, match="end"):
        next(running)
    assert got == [7, False] and td.is_grad_enabled()
    closed = steps()
    next(closed)
    closed.close()
    assert got == [7, False, False] and td.is_grad_enabled()


def test_generators_by_turns_keep_their_modes():
    @td.no_grad()
    def off():
        while True:
            yield td.is_grad_enabled()

    @td.enable_grad()
    def on():
        while True:
            yield td.is_grad_enabled()

    with td.no_grad():
        pairs = zip(on(), off(), range(3), strict=False)
        assert [each[:2] for each in pairs] == [(True, False)] * 3
    assert td.is_grad_enabled()


def test_a_decorated_class_warns_that_its_methods_are_not():
    with pytest.warns(FutureWarning, match="decorate the methods"):

        @td.no_grad()
        class Made:
            def __init__(self):
                self.grad = td.is_grad_enabled()

            def method(self):
                return td.is_grad_enabled()

    assert Made().grad is False and Made().method() is True


def test_one_object_entered_within_itself_and_again_after_an_exception():
    switch = td.no_grad()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), switch, switch:
            assert not td.is_grad_enabled()
            1 / 0  # noqa: B018
        assert td.is_grad_enabled()


def test_one_object_in_two_threads_keeps_them_apart():
    switch, inside, go_on, seen = td.no_grad(), threading.Event(), threading.Event(), []

    def other():
        td.set_grad_enabled(False)
        with switch:
            inside.set()
            go_on.wait(10)
        seen.append(td.is_grad_enabled())
        td.set_grad_enabled(True)

    thread = threading.Thread(target=other)
    with switch:
        thread.start()
        assert inside.wait(10)
    assert td.is_grad_enabled()
    go_on.set()
    thread.join()
    assert seen == [False] and td.is_grad_enabled()


@pytest.mark.parametrize("switch", [td.no_grad, td.enable_grad, td.inference_mode])
def test_arguments_that_make_no_sense(switch):
    with pytest.raises(TypeError, match="expected no argument, or a function to decorate, got int"):
        switch(5)
