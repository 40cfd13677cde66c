"""Faults planted in the engine: one line of one function each, put back after the `with` block.

A mutant is a replacement in a function's source, and says so if that text is no longer there. The function object
stays the same and only its code is exchanged, so that whoever imported it has the mutant too.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from tinygrad_dl import autograd
from tinygrad_dl.autograd import graph, saved
from tinygrad_dl.core import engine, inference, mutations, runtime
from tinygrad_dl.core import graph as core_graph
from tinygrad_dl.core.function import FunctionRules
from tinygrad_dl.core.hooks import Hooks, Keeper, RemovableHandle
from tinygrad_dl.core.modes import _Switch
from tinygrad_dl.core.mutations import Mutations
from tinygrad_dl.core.plan import Plan, connected
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.tensor import inplace


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


PROPAGATE, STEP, CHECK = engine.propagate, engine.gradients, Mutations.check

# Who owns an array.
OWNERSHIP = [
    ("whoever refers to an array", engine.held_alone, "getrefcount(holder[key]) <= ALONE\n        and ", ""),
    ("views share memory", engine.held_alone, "and holder[key].base is None", ""),
    (
        "read-only arrays",
        engine.held_alone,
        "and (type(holder[key]) is not np.ndarray or holder[key].flags.writeable)",
        "",
    ),
    ("sums go into any array", PROPAGATE, "(not recorded and held_alone(grads, edge))", "not recorded"),
    ("every gradient is a sum of the pass", PROPAGATE, "edge in sums", "edge in grads"),
    ("gradients are given away uncopied", autograd._own, "if held_alone(found, edge) else found[edge].copy()", ""),
    (
        "recorded gradients are given away uncopied",
        autograd._own,
        "getrefcount(found[edge]) <= ALONE and getrefcount(found[edge]._data) <= ALONE and",
        "",
    ),
    ("hooks see shared arrays", engine.run_hooks, 'if not hasattr(grads[place], "_edge") and', "if False and"),
    ("retain_grad keeps the engine's array", Keeper.__call__, "wrap(g._data.copy())", "wrap(g._data)"),
    ("a recorded .grad is added into", autograd._accumulate, "old._edge is None and", ""),
]

# That all contributions arrive, once.
ACCUMULATION = [
    ("the first contribution is dropped", PROPAGATE, "together(grads[edge], gx)", "gx"),
    ("the third contribution is dropped", PROPAGATE, "add(grads[edge], gx, grads[edge])", "pass"),
    (
        "recorded sums drop one",
        PROPAGATE,
        "together(grads[edge], gx)",
        "grads[edge] if recorded else together(grads[edge], gx)",
    ),
    ("the first contribution counts twice", PROPAGATE, "grads[edge] = gx\n", "grads[edge] = gx + gx\n"),
    ("sums of 0-d gradients are numbers", core_graph.together, "np.asarray(total)", "total"),
    ("a root given twice counts once", PROPAGATE, "together(grads[root], g) if root in grads else g", "g"),
    (
        "an output's second gradient replaces the first",
        core_graph.Output.join,
        "g if slots[self.index] is None else together(slots[self.index], g)",
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
    ("oldest first", core_graph.topological, "reverse=True", "reverse=False"),
    ("in the order found", core_graph.topological, 'found.sort(key=attrgetter("seq"), reverse=True)', "pass"),
    ("places are visited again", core_graph.topological, "if parent not in seen:", "if parent is not None:"),
    ("what leads to a target, the wrong way round", core_graph.leading_to, "reversed(places)", "places"),
    ("what lies behind the targets", PROPAGATE, "continue  # nobody asked for what lies behind it", "pass"),
]

# What is changed in place, and which views there are.
VIEWS = [
    ("a base does not know its first view", runtime.note_view, "Views([ref(result)])", "Views()"),
    ("a base does not know its views", runtime.note_view, "views.append(ref(result))", "pass"),
    ("a base does not know one of several views", runtime.note_views, "views.append(ref(result))", "pass"),
    ("one of several views is the first", runtime.note_views, "values, index, recorded", "values, 0, recorded"),
    ("views under no_grad are as others", runtime.note_view, "not recording.stopped or modes.grad", "True"),
    ("views do not join the graph with their base", Tensor.requires_grad_, "self._replay_views()", "pass"),
    ("what is retained stays the old gradient", Tensor._move, "keeper.remove()", "pass"),
    ("what is retained is lost", Tensor._move, "self.retain_grad()", "pass"),
    ("an operation's own rule reads the new values", core_graph.Node.keep_copy, "copy = array.copy()", "copy = array"),
    ("a leaf's edge is shared", inplace.assign, "type(edge) is Leaf or", ""),
    ("changes of another dtype keep it", inplace.assign, "result.dtype != self.dtype", "False"),
    ("a change of a constant view is no change", inplace.is_recorded, "root_of(tensor)._edge is None", "True"),
    (
        "recorded changes of leaves",
        inplace.require_recordable,
        "type(tensor._edge) is Leaf or",
        "tensor._edge is root and",
    ),
    ("recorded changes of views of leaves", inplace.require_recordable, "or type(root._edge) is Leaf", ""),
    ("only the last step is looked at", inplace.require_recordable, "view = view[0]._view", "view = None"),
    ("views of Functions may be changed", inplace.unfit, "return MADE_BY_A_FUNCTION", "return None"),
    ("views under no_grad may be changed", inplace.unfit, "if not recorded else", "if False else"),
    ("one of several views may be changed", inplace.unfit, "if index is not None else", "if False else"),
    ("a view keeps its base with other memory", inplace.root_of, "base is None or", "base is None or False and"),
    ("views of one shape are the same", inplace.is_same_view, "a.data_ptr() == b.data_ptr()", "True"),
    (
        "views with one start are the same",
        inplace.is_same_view,
        " and x.strides == y.strides",
        "",
    ),
    ("views are the graph themselves", inplace.rebase, "edge = written(root, tensor, edge)", "pass"),
    ("views stay where they were", inplace.rebase, "replay_views(root)", "pass"),
    ("what was in the base is lost", inplace.written, "(root._edge, edge)", "(None, edge)"),
    ("what is written is lost", inplace.written, "(root._edge, edge)", "(root._edge, None)"),
    ("all bases are row-major", inplace.written, "None if data.flags.c_contiguous else root.stride()", "None"),
    (
        "only the last step is written through",
        inplace.path_to,
        "while (view := tensor._view)",
        "if (view := tensor._view)",
    ),
    ("views of views stay where they were", inplace.replay_views, "todo.append((tensor, replayed))", "pass"),
    ("views under no_grad follow", inplace.replay_views, "and reason is not MADE_UNDER_NO_GRAD", ""),
    ("outputs of one operation are the first", inplace.replay_views, "made[key][index]", "made[key][0]"),
    ("views with other memory follow", inplace.replay_views, "buffer_owner(tensor._data) is owner", "True"),
    ("views of unknown origin are constants", inplace.ambiguous, "if root._edge is None:", "if True:"),
    ("changes are not counted", Mutations.record, "self.counts.get(key, 0) + 1", "1"),
    ("changes of the optimiser are not counted", Mutations.record_all, "group.times += 1", "pass"),
    ("counts of buffers that are gone stay", Mutations._forget, "counts.pop(key, None)", "pass"),
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
        "self.log.update(dict.fromkeys(group, (self.latest, what, group)))",
        "pass",
    ),
    ("changes are noted for the view alone", mutations.buffer_owner, "while is_array", "while False and is_array"),
    ("changes are never found", CHECK, "entry[0] > node.seq", "False"),
    ("changes before the operation count", CHECK, "entry[0] > node.seq", "True"),
    ("the log is not consulted", STEP, "if node.seq < mutations.latest:", "if False:"),
    ("the log keeps buffers that are gone", Mutations._forget, "log.pop(key, None)", "pass"),
]

FREEING = [
    ("saved values are never freed", STEP, "if plan.keeps_arrays and not retain:", "if False:"),
    (
        "saved values are freed whatever was asked",
        STEP,
        "if plan.keeps_arrays and not retain:",
        "if plan.keeps_arrays:",
    ),
    ("a second pass is not explained", STEP, "raise freed(node)", "pass"),
]

HOOKS = [
    ("hooks of tensors are not called", PROPAGATE, "if hooks is not None and place in grads:", "if False:"),
    ("hooks of nodes are not called", PROPAGATE, "if hooks is None:", "if True:"),
    ("gradients that nobody asked for are computed", STEP, "if useful is not None:", "if False:"),
    ("what a hook returns is lost", Hooks._on_gradient, "g = replacement(hook, hook(g), g)", "hook(g)"),
    ("what a hook of a node returns is lost", Hooks._around, "if new is None:", "if True:"),
    ("hooks see the conjugate", engine.run_hooks, "conjugate(grads[place])", "grads[place]"),
    ("hooks before a node see the conjugate", engine.hooked, "[conjugate(each) for each in (g", "[each for each in (g"),
    (
        "hooks after a node see the conjugate",
        engine.hooked,
        "else conjugate(match_input(each, edge, node))",
        "else each",
    ),
    ("hooks after a node see broadcast gradients", engine.hooked, "match_input(each, edge, node)", "each"),
    ("hooks are recorded", Hooks.run_on_gradient, "with no_grad():", "if True:"),
    ("hooks of nodes are recorded", Hooks._run_around, "with no_grad():", "if True:"),
    ("a leaf's hooks wait for the end", core_graph.leaves_when_due, "if not waiting:", "if True:"),
    ("a leaf is due too early", core_graph.leaves_when_due, "reversed(places):\n        for", "places:\n        for"),
    ("a leaf with hooks gets its gradient twice", autograd.backward, "del found[leaf]", "pass"),
    ("hooks before a leaf are lost", autograd._around, "(found[leaf],) =", "_ ="),
    ("hooks of accumulation are recorded", autograd._around, "with set_grad_enabled(recorded):", "if True:"),
    ("a targeted pass does not say so", PROPAGATE, "places.targeted = useful is not None", "places.targeted = False"),
    ("removed hooks are called", RemovableHandle.remove, "hooks.pop(self.id, None)", "pass"),
]

# Hooks on what nodes keep; who looks on while operations are recorded.
SAVED = [
    ("nodes never pack", saved.pack_new, "node.__class__ = PackedNode", "pass"),
    ("numbers are packed", saved.constants_of, "if name in constants} if constants else set()", "if False}"),
    ("values in tuples stay", saved.mapped, "if type(value) in (tuple, list):", "if False:"),
    ("a pack hook may change its argument", saved.Packed.__init__, "!= before:", "!= before and False:"),
    ("packing is recorded", saved.Packed.__init__, "with no_grad():", "if True:"),
    ("an unpack hook may return anything", saved.Packed.unpacked, "if not isinstance(tensor, Tensor):", "if False:"),
    ("observers never leave", core_graph.Observers.leave, "if not self.recorders:", "if False:"),
    ("observers leave too early", core_graph.Observers.leave, "if not self.recorders:", "if True:"),
    ("hooks stay on", graph.saved_tensors_hooks.__exit__, "active.pairs.pop()", "pass"),
    ("a multi-gradient hook waits for all", graph.register_multi_grad_hook, ".intersection(places)", ""),
    ("changed values are not copied", graph.MutationContext.before_change, "is owner:", "is None:"),
]

INFERENCE = [
    ("no tensor is noted", inference.InferenceMemory.note, "if modes.inference:", "if False:"),
    ("tensors of other threads are noted", inference.InferenceMemory.note, "if modes.inference:", "if True:"),
    ("views of ordinary tensors count", inference.InferenceMemory.settle, "and tensor._base is None", ""),
    ("views of inference tensors don't", inference.InferenceMemory.holds, "buffer_owner(array)", "array"),
    ("in-place changes pass", inference.refuse_change, "if not modes.inference and", "if False and"),
    ("in-place changes inside are refused", inference.refuse_change, "if not modes.inference and", "if"),
    ("created tensors are not noted", inference.fresh, "if recording.inferring:", "if False:"),
    (
        "computed tensors are not noted",
        inference.new_in_inference,
        "memory.note(object.__new__(kind))",
        "object.__new__(kind)",
    ),
    ("temporaries are kept", inference.InferenceMemory.note, "if each() is not None", ""),
]

MODES = [
    ("no_grad does nothing", _Switch.__enter__, "_set_grad(self.grad)", "pass"),
    ("no_grad never ends", _Switch.__exit__, "_set_grad(grad)", "pass"),
    ("the second pass is not recorded", autograd._propagate, "with enable_grad():", "with no_grad():"),
]

CONFORMING = [
    ("shapes are not looked at", engine.match_input, "if g.shape != edge.shape:", "if False:"),
    ("every op broadcasts", engine.match_input, "if not node.plan.broadcasts:", "if False:"),
    ("dtypes are not looked at", engine.match_input, "if g.dtype is not edge.dtype and", "if False and"),
    (
        "broadcasting is undone at the other end",
        engine.unbroadcast,
        "[*range(extra)]",
        "[*range(g.ndim - extra, g.ndim)]",
    ),
    ("repeated parts are not summed", engine.unbroadcast, "size == 1 and g.shape[i + extra] != 1", "False"),
    ("sums in half precision", STEP, "is not FLOAT32 and dtype is not FLOAT64 and plan.single", "is None"),
]

OUTPUTS = [
    ("gradients of outputs in one place", core_graph.Output.join, "slots[self.index] = ", "slots[0] = "),
    ("unused outputs have gradients of ones", core_graph.materialize, "module.zeros(", "np.ones("),
    ("outputs have the first one's edge", runtime.connect_outputs, "output_edge(node, index)", "output_edge(node, 0)"),
    (
        "saved outputs have the first one's edge",
        Plan._reconnect_shown,
        "output_edge(node, op.output_names.index(name))",
        "output_edge(node, 0)",
    ),
]

HIGHER_ORDERS = [
    ("saved values stay constants", STEP, "plan.reconnected(node, saved) if recorded else saved", "saved"),
    ("saved values have no edge", connected, "new._edge = edge", "pass"),
    ("a Function's saved arguments have no edge", FunctionRules.reconnected, "edge = node.edges[place[1]]", "pass"),
    (
        "a Function's backward is not recorded",
        FunctionRules.run,
        "set_grad_enabled(recorded and modes.grad)",
        "set_grad_enabled(False)",
    ),
    (
        "auxiliary values stay constants",
        Plan.reconnected,
        "for place, derive, arguments in self.derived:",
        "for place, derive, arguments in ():",
    ),
]

COMPLEX = [
    ("the seed is not turned", PROPAGATE, "g = conjugate(seed)", "g = seed"),
    ("gradients are not turned back", PROPAGATE, "found[place] = conjugate(g)", "found[place] = g"),
]

GROUPS = [
    OWNERSHIP,
    ACCUMULATION,
    ORDER,
    VIEWS,
    FREEING,
    HOOKS,
    SAVED,
    INFERENCE,
    MODES,
    CONFORMING,
    OUTPUTS,
    HIGHER_ORDERS,
    COMPLEX,
]
MUTANTS = [EngineMutant(*parts) for group in GROUPS for parts in group]
