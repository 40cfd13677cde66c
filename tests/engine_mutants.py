"""Faults planted in the engine: one line of one function each, put back after the `with` block.

A mutant is a replacement in a function's source, and says so if that text is no longer there. The function object
stays the same and only its code is exchanged, so that whoever imported it has the mutant too.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from tinygrad_dl import autograd
from tinygrad_dl.core import engine, runtime
from tinygrad_dl.core.declaration import Plan, connected
from tinygrad_dl.core.engine import Mutations
from tinygrad_dl.core.function import FunctionRules
from tinygrad_dl.core.modes import _Switch
from tinygrad_dl.core.tensor import Tensor


class EngineMutant:
    """One function with `old` replaced by `new` in its source."""

    def __init__(self, what: str, function: Any, old: str, new: str):
        self.what, self.function, self.old, self.new = what, function, old, new

    def __enter__(self) -> EngineMutant:
        function = self.function
        source = textwrap.dedent(inspect.getsource(function))
        found = source.count(self.old)
        assert found == 1, f"{self.what}: {self.old!r} stands {found} times in {function.__qualname__}, expected once"
        scope: dict[str, Any] = {}
        exec(compile(source.replace(self.old, self.new), f"<mutant: {self.what}>", "exec"), function.__globals__, scope)
        self.before = function.__code__
        function.__code__ = scope[function.__name__].__code__
        return self

    def __exit__(self, *_: object) -> None:
        self.function.__code__ = self.before


PROPAGATE, CHECK = engine.propagate, Mutations.check

# Who owns an array.
OWNERSHIP = [
    ("whoever refers to an array", engine.held_alone, "getrefcount(holder[key]) <= ALONE and ", ""),
    ("views share memory", engine.held_alone, "and holder[key].base is None", ""),
    ("read-only arrays", engine.held_alone, " and holder[key].flags.writeable", ""),
    ("sums go into any array", PROPAGATE, "elif not taped and held_alone(grads, edge):", "elif not taped:"),
    ("gradients are given away uncopied", autograd._own, "if held_alone(found, edge) else found[edge].copy()", ""),
    (
        "recorded gradients are given away uncopied",
        autograd._own,
        "getrefcount(found[edge]) <= ALONE and getrefcount(found[edge]._data) <= ALONE and",
        "",
    ),
    ("hooks see shared arrays", engine.run_hooks, "if type(grads[edge]) is np.ndarray and", "if False and"),
    ("retain_grad keeps the engine's array", Tensor.retain_grad, "wrap(g.copy())", "wrap(g)"),
    ("an operation's own rule reads the new values", Tensor._assign, "kept = old.copy()", "kept = old"),
    ("a recorded .grad is added into", autograd._accumulate, "old._edge is None and", ""),
]

# That all contributions arrive, once.
ACCUMULATION = [
    ("the first contribution is dropped", PROPAGATE, "together(grads[edge], gx)", "gx"),
    ("the third contribution is dropped", PROPAGATE, "np.add(grads[edge], gx, out=grads[edge])", "pass"),
    (
        "recorded sums drop one",
        PROPAGATE,
        "together(grads[edge], gx)",
        "grads[edge] if taped else together(grads[edge], gx)",
    ),
    ("the first contribution counts twice", PROPAGATE, "grads[edge] = gx\n", "grads[edge] = gx + gx\n"),
    ("sums of 0-d gradients are numbers", engine.together, "np.asarray(total)", "total"),
    ("a root given twice counts once", PROPAGATE, "together(grads[root], g) if root in grads else g", "g"),
    (
        "an output's second gradient replaces the first",
        PROPAGATE,
        "g if slots[node.index] is None else together(slots[node.index], g)",
        "g",
    ),
    (".grad is replaced", autograd._accumulate, "np.add(old._data, g, out=old._data)", "np.copyto(old._data, g)"),
    ("a recorded .grad is replaced", autograd._accumulate, "tensor._grad = old + g\n", "tensor._grad = g\n"),
    (
        "a .grad that can't be changed is replaced",
        autograd._accumulate,
        "tensor._grad = old + wrap(g)",
        "tensor._grad = wrap(g)",
    ),
]

# In which order, and what is visited.
ORDER = [
    ("oldest first", engine.topological, "reverse=True", "reverse=False"),
    ("in the order found", engine.topological, 'nodes.sort(key=attrgetter("seq"), reverse=True)', "pass"),
    ("nodes are visited again", engine.topological, "and parent not in seen", ""),
    ("what leads to a target, the wrong way round", engine.leading_to, "reversed(nodes)", "nodes"),
    ("what lies behind the targets", PROPAGATE, "continue  # nobody asked for what lies behind it", "pass"),
]

# What is changed in place, and which views there are.
VIEWS = [
    ("a base does not know its views", runtime.note_view, "views.append(ref(result))", "pass"),
    ("a view does not know its base", runtime.note_view, "result._base = root =", "root ="),
    ("views of views know only each other", runtime.note_view, "base if base._base is None else base._base", "base"),
    ("views of a new leaf are not marked", Tensor.requires_grad_, 'self._leave_views("requires_grad_")', "pass"),
    ("views are not marked", Tensor._leave_views, "view._edge = stale_node(view, what)", "pass"),
    ("what is retained stays the old gradient", Tensor._continue_from, "keeper.remove()", "pass"),
    ("recorded changes of views", Tensor._require_recordable, "if self._base is not None:", "if False:"),
    ("recorded changes of leaves", Tensor._require_recordable, "if type(self._edge) is Leaf:", "if False:"),
    ("changes are not noted", Tensor._write, "mutations.record(self._data, changed_at(what))", "pass"),
    (
        "changes of .grad are not noted",
        autograd._accumulate,
        'mutations.record(old._data, "backward, which added to a .grad")',
        "pass",
    ),
    (
        "changes of the optimiser are not noted",
        Mutations.record_all,
        "self.log.update(dict.fromkeys(watched, (self.latest, what, watched)))",
        "pass",
    ),
    ("changes are noted for the view alone", engine.buffer_owner, "while isinstance", "while False and isinstance"),
    ("changes are never found", CHECK, "entry[0] > node.seq", "False"),
    ("changes before the operation count", CHECK, "entry[0] > node.seq", "True"),
    ("the log is not consulted", PROPAGATE, "if node.seq < changed:", "if False:"),
    ("changes by hooks pass", PROPAGATE, "changed = mutations.latest  # hooks", "pass  # hooks"),
    ("the log keeps buffers that are gone", Mutations._forget, "log.pop(key, None)", "pass"),
]

FREEING = [
    ("saved values are never freed", PROPAGATE, "if plan.frees and not retain:", "if False:"),
    ("saved values are freed whatever was asked", PROPAGATE, "if plan.frees and not retain:", "if plan.frees:"),
    ("a second pass is not explained", PROPAGATE, "raise freed(node)", "pass"),
]

HOOKS = [
    ("hooks of leaves are not called", PROPAGATE, "if leaf.hooks is not None:", "if False:"),
    ("hooks of computed tensors are not called", PROPAGATE, "if node.hooks is not None and", "if False and"),
    ("what a hook returns is lost", engine.run_hooks, "g = hook(g)", "hook(g)"),
    ("hooks see the conjugate", engine.run_hooks, "g = conjugate(grads[edge])", "g = grads[edge]"),
]

MODES = [
    ("no_grad does nothing", _Switch.__enter__, "_set_grad(self.grad)", "pass"),
    ("no_grad never ends", _Switch.__exit__, "_set_grad(grad)", "pass"),
    ("the second pass is not recorded", autograd._propagate, "with enable_grad():", "with no_grad():"),
]

CONFORMING = [
    ("shapes are not looked at", engine.conform, "if g.shape != edge.shape:", "if False:"),
    ("every op broadcasts", engine.conform, "if not node.plan.broadcasts:", "if False:"),
    ("dtypes are not looked at", engine.conform, "if g.dtype is not edge.dtype and", "if False and"),
    (
        "broadcasting is undone at the other end",
        engine.unbroadcast,
        "[*range(extra)]",
        "[*range(g.ndim - extra, g.ndim)]",
    ),
    ("repeated parts are not summed", engine.unbroadcast, "size == 1 and g.shape[i + extra] != 1", "False"),
    ("sums in half precision", PROPAGATE, "is not usual and dtype is not double and plan.single", "is None"),
]

OUTPUTS = [
    ("gradients of outputs in one place", PROPAGATE, "slots[node.index] = ", "slots[0] = "),
    ("unused outputs have gradients of ones", engine.materialize, "np.zeros(", "np.ones("),
    ("outputs have the first one's edge", runtime.connect_outputs, "output_edge(node, index)", "output_edge(node, 0)"),
    (
        "saved outputs have the first one's edge",
        Plan.taped,
        "output_edge(node, op.output_names.index(name))",
        "output_edge(node, 0)",
    ),
]

HIGHER_ORDERS = [
    ("saved values stay constants", PROPAGATE, "plan.taped(node) if taped else saved", "saved"),
    ("saved values have no edge", connected, "new._edge = edge", "pass"),
    ("a Function's saved arguments have no edge", FunctionRules.taped, "edge = node.edges[place[1]]", "pass"),
    ("a Function's backward is not recorded", FunctionRules.run, "set_grad_enabled(taped)", "set_grad_enabled(False)"),
    ("auxiliary values stay constants", Plan.taped, "if derive is not None:", "if False:"),
]

COMPLEX = [
    ("the seed is not turned", PROPAGATE, "g = conjugate(seed)", "g = seed"),
    ("gradients of leaves are not turned back", PROPAGATE, "conjugate(grads.pop(leaf))", "grads.pop(leaf)"),
    ("gradients of computed tensors are not turned back", PROPAGATE, "found[node] = conjugate(g)", "found[node] = g"),
]

GROUPS = [OWNERSHIP, ACCUMULATION, ORDER, VIEWS, FREEING, HOOKS, MODES, CONFORMING, OUTPUTS, HIGHER_ORDERS, COMPLEX]
MUTANTS = [EngineMutant(*parts) for group in GROUPS for parts in group]
