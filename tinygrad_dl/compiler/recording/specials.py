"""Functions of the library whose calls are written down in a way of their own."""

from __future__ import annotations

import inspect
import itertools
import weakref
from typing import Any

import numpy as np

from tinygrad_dl import random
from tinygrad_dl.backends import axpby, threads, transposing
from tinygrad_dl.compiler.passes.uses import overlap
from tinygrad_dl.compiler.program import Call
from tinygrad_dl.compiler.recording import policy
from tinygrad_dl.compiler.recording.hooks import Hooks
from tinygrad_dl.compiler.recording.numbers import plain
from tinygrad_dl.compiler.recording.twins import code_of, twin
from tinygrad_dl.core import engine
from tinygrad_dl.core.promotion import FLOAT32
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.linalg import _triangular
from tinygrad_dl.ops.pointwise import _error_function
from tinygrad_dl.ops.recurrent import _layer as layer
from tinygrad_dl.optim import LBFGS, block, flat
from tinygrad_dl.optim.flat import FlatOptimizer
from tinygrad_dl.optim.options import numbers

WORK = "work array"  # what memory of the library's own is called that is written over
Args = tuple[Any, ...]
Options = dict[str, Any]


def instrumented(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """The function itself, with hooks."""
    made = code_of(function, False)
    assert made is not None
    return twin(function, made, hooks if not hooks.users else hooks.other)(*args, **options)


Job = list[tuple[Any, Args]]  # calls of functions, one after the other


def in_lanes(hooks: Hooks, jobs: list[Job]) -> None:
    """Makes the calls of each job, which are a lane each of one call of the program."""
    record = hooks.record
    if len(jobs) < 2 or record.in_lane:
        for function, args in itertools.chain(*jobs):
            hooks.call(function, *args)
        return
    outside, lanes = record.calls, []
    record.in_lane = True
    try:
        for job in jobs:
            record.calls = []
            lanes.append(record.calls)
            for function, args in job:
                hooks.call(function, *args)
    finally:
        record.calls, record.in_lane = outside, False
    lanes = [lane for lane in lanes if lane]
    if len(lanes) == 1 or share_work(lanes):
        outside += [call for lane in lanes for call in lane]
    elif lanes:
        outside.append(Call("lanes", None, lanes=lanes, place=record.place, line=record.line))


def share_work(lanes: list[list[Call]]) -> bool:
    """Whether lanes write to the same memory, as one thread after the other does with an array to work in."""
    written = [
        [view for call in lane for view in call.writes() if view.buffer.kind == "scratch" or view.buffer.name == WORK]
        for lane in lanes
    ]
    return any(
        overlap(one, other)
        for (i, ones), (j, others) in itertools.combinations(enumerate(written), 2)
        for one in {*ones}
        for other in {*others}
    )


def chunks(hooks: Hooks, function: Any, args: Args, options: Options) -> None:
    """The chunks of an optimiser's step that one thread computes: in a lane, each has memory of its own to work in."""
    layout, optimizer, jobs = args
    if not hooks.record.in_lane:
        instrumented(hooks, function, args, options)
        return
    scratch = block.Scratch(layout.largest)
    for job in jobs:
        hooks.call(block.run, optimizer, scratch, job)


def parallel(hooks: Hooks, function: Any, args: Args, options: Options) -> None:
    def told(work: Any, count: int, grain: int = 1, ahead: int = 0) -> None:
        in_lanes(hooks, [[(work, each)] for each in threads.ranges_of(count, grain, ahead)])

    told(*args, **options)


def task(hooks: Hooks, function: Any, args: Args, options: Options) -> None:
    """What another thread would do is done at once."""
    _, work, *bounds = args
    hooks.call(work, *bounds)


def beside(hooks: Hooks, function: Any, args: Args, options: Options) -> None:
    """Ranges of the steps of a recurrent layer: each a lane, and what belongs to its neighbours another one."""
    ranges, work, before, after = args
    ahead: Job = [(before, each) for each in ranges if before is not None]
    behind: Job = [(after, each) for each in ranges if after is not None]
    for other, bounds in ahead[:1]:
        hooks.call(other, *bounds)
    for number, each in enumerate(ranges):
        here: Job = [(work, (..., *each))]
        others = [*ahead[number + 1 : number + 2], *behind[max(number - 1, 0) : number]]
        in_lanes(hooks, [here, others] if threads.get_num_threads() > 1 else [here + others])
    for other, bounds in behind[-1:]:
        hooks.call(other, *bounds)


def weighted(hooks: Hooks, function: Any, args: Args, options: Options) -> None:
    """`axpby` as one call where the BLAS computes it, else by NumPy's functions, which give the same bits."""
    a, x, b, y, work = args
    arrays, record = hooks.arrays, hooks.record
    is_number = record.is_number
    if axpby.by_blas(y):
        operands = [record.operand(each) for each in (y, b, x, a)]
        axpby.axpby(plain(a), x, plain(b), y, work)
        record.add("write", axpby.weighted_sum, operands)
        return
    product = x if not is_number(a) and a == 1 else arrays.ufunc(np.multiply, (x, a), {"out": work})
    if is_number(b) or b != 1:
        arrays.ufunc(np.multiply, (y, b), {"out": y})
    arrays.ufunc(np.add, (y, product), {"out": y})


def triangular(hooks: Hooks, function: Any, args: Args, options: Options) -> None:
    """`solve_in_place` as one call."""
    operands = [hooks.record.operand(each) for each in args]
    function(*args)
    hooks.record.add("write", function, operands)


def transposed(hooks: Hooks, function: Any, args: Args, options: Options) -> None:
    """`copy_transposed` by NumPy, which copies the same bits."""
    x, out = args
    hooks.arrays.copyto(out, x.T)


def everywhere(hooks: Hooks, function: Any, args: Args, options: Options) -> None:
    """`fill`, where how many are chosen differs from run to run: the formula of all, of which the chosen ones stay."""
    out, chosen, formula, x = args
    hooks.record.errstate = True  # beyond its range a formula may overflow
    with np.errstate(all="ignore"):
        hooks.arrays.copyto(out, hooks.call(formula, x), where=chosen)


def generator(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """`rng_of`: which generator of the library's a generator of NumPy's belongs to."""
    rng = function(*args, **options)
    given = args[0] if args else options.get("generator")
    hooks.record.generators[id(rng)] = given or random.default_generator
    return rng


def gradients(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """One step of a backward pass."""
    node = args[0]
    with hooks.record.within(f"{getattr(getattr(node.plan, 'op', None), 'name', None) or node.title}, backward"):
        return instrumented(hooks, function, args, options)


def begin(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """The beginning of a block's step: its memory is known."""
    found, optimizer, group = args[:3]
    names = optimizer.names(group)
    if names != found.names:
        found.use(names, optimizer, group)
    known(hooks, found, type(optimizer).__name__)
    return within_step(hooks, optimizer, function, args, options)


def known(hooks: Hooks, found: Any, name: str) -> None:
    """The memory of a block of parameters, of which the user has not seen all."""
    memories = hooks.record.memories
    for state, (values, _) in (*found.states.items(), *found.scalars.items()):
        memories.whole(values, "outside", f"{state} of {name}", keep=True)
    if found.moved:
        memories.whole(found.values, "outside", "parameters", keep=True)
        memories.whole(found.gathered, "scratch", "gradients", keep=True)
    else:
        memories.whole(found.arrays[0], "outside", "parameter", keep=True)
        if found.staged:
            memories.whole(found.values, "scratch", "values", keep=True)


def step(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """The rule of an optimiser on a chunk."""
    record = hooks.record
    optimizer, scratch, (found, _, g, _) = args
    _ = scratch[FLOAT32 if found.low else found.real, g.size]  # made by now
    for memory in scratch.memory.values():
        record.memories.whole(memory, "scratch", "work", keep=True)
    return within_step(hooks, optimizer, function, args, options)


def finish(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """The end of a block's step."""
    return within_step(hooks, args[1], function, args, options)


def within_step(hooks: Hooks, optimizer: Any, function: Any, args: Args, options: Options) -> Any:
    """A part of an optimiser's step, under the optimiser's name."""
    with hooks.record.within(f"{type(optimizer).__name__}.step"):
        return instrumented(hooks, function, args, options)


def train(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """`Module.train`, which must change nothing: a program is that of one mode."""
    module, mode = args[0], (*args[1:], *options.values(), True)[0]
    if any(each.training is not bool(mode) for each in module.modules()):
        raise hooks.record.refuse(f"the step switches a {type(module).__name__} to training={mode}; do it outside,")
    return module


def require(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """`requires_grad_`: in the end it has to be as it was before."""
    tensor = args[0]
    hooks.record.required.setdefault(id(tensor), (weakref.ref(tensor), tensor.requires_grad))
    return function(*args, **options)


def read_options(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """The options of a group of parameters as numbers: those that are tensors live on."""
    for name, value in args[0].items():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Tensor):
                hooks.record.memories.whole(each._data, "outside", name, keep=True)
    return instrumented(hooks, function, args, options)


def by_values(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    raise hooks.record.refuse("LBFGS decides by values what it computes next,")


def lay_out(hooks: Hooks, function: Any, args: Args, options: Options) -> Any:
    """Parameters get another memory, which the part of the step before it has not seen."""
    raise hooks.record.refuse(
        f"{type(args[0]).__name__} finds the memory of its parameters within the step; make it before, and run the "
        "step once before it is compiled,"
    )


def set_up() -> None:
    """Tells the policy of them."""
    policy.instead(threads.parallel_for, parallel)
    policy.instead(threads.parallel_for_products, parallel)
    policy.instead(threads.Tasks.add, task)
    policy.instead(layer.beside, beside)
    policy.instead(axpby.axpby, weighted)
    policy.instead(transposing.copy_transposed, transposed)
    policy.instead(_triangular.solve_in_place, triangular)
    policy.instead(_error_function.fill, everywhere)
    policy.instead(random.rng_of, generator)
    policy.instead(engine.gradients, gradients)
    policy.instead(block.Block.begin, begin)
    policy.instead(block.Block.finish, finish)
    policy.instead(block.run, step)
    policy.instead(flat.Layout.run, chunks)
    policy.instead(numbers, read_options)
    policy.instead(FlatOptimizer._lay_out, lay_out)
    policy.instead(inspect.unwrap(LBFGS.step), by_values)
    policy.instead(Module.train, train)
    policy.instead(Tensor.requires_grad_, require)
