"""What a step touches: the tensors, modules and optimisers that it finds in its arguments, closure and globals.

Nothing is run for it. The walk begins at the function and its arguments, and goes on through closures, default
arguments, containers, modules, optimisers and other objects. Of global names, and of the attributes of objects of the
user's, only those are looked at that stand in the code which is reached: so what else an object holds does not matter.
"""

from __future__ import annotations

import dis
import functools
import sys
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.compiler.checks import Checks
from tinygrad_dl.core.graph import Leaf
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.module import REGISTRIES, SET_UP

LARGEST = 1000  # containers of more items are one object, whose items are not looked at
LIBRARIES = frozenset(sys.stdlib_module_names) | {"numpy", "tinygrad_dl", "__builtins__"}
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range, slice, np.dtype, np.generic)
RATES = ("lr", "weight_decay")  # the options of a parameter group that are numbers of a program


class Refused(Exception):
    """Why a step can't be a program, and where that is."""

    def __init__(self, reason: str, line: str = ""):
        super().__init__(reason)
        self.reason, self.line = reason, line


class Known(NamedTuple):
    """Memory that is there before the step, and what it is called."""

    array: np.ndarray
    name: str


class Rate(NamedTuple):
    """A Python float that is read before each run: `group["lr"]`, or one of several, as in `group["betas"]`."""

    group: dict[str, Any]
    key: str
    position: int | None
    name: str

    def read(self) -> Any:
        """The number as it now is."""
        value = self.group[self.key]
        return value if self.position is None else value[self.position]


class Code:
    """What is read by the code that a step may run."""

    def __init__(self) -> None:
        self.codes: dict[types.CodeType, None] = {}
        self.names: set[str] = set()  # of attributes and globals

    def add(self, code: types.CodeType) -> None:
        """Adds code, and the code of functions that are made in it."""
        if code not in self.codes:
            self.codes[code] = None
            self.names.update(code.co_names)
            for constant in code.co_consts:
                if isinstance(constant, types.CodeType):
                    self.add(constant)

    def line_that_changes(self, name: str) -> str:
        """Where a name, an attribute or an item is written to: "model.py:12"; "" if that can't be seen."""
        writing = ("STORE_ATTR", "STORE_GLOBAL", "STORE_DEREF", "STORE_NAME")
        for code in self.codes:
            line = code.co_firstlineno
            for each in dis.get_instructions(code):
                line = each.starts_line or line
                if each.opname in writing and each.argval == name:
                    return f"{code.co_filename}:{line}"
        return ""


class Touched:
    """What one call of a step touches.

    Args:
        function: the step.
        args, kwargs: the call's.
        rates: further options of parameter groups that are numbers of a program, as they were seen to change.
    """

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], rates: frozenset[str]):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.rated = {*RATES, *rates}
        self.code = Code()
        names = -1
        while names != len(self.code.names):  # more code is found by the names in that which was found
            names = len(self.code.names)
            self.walk()

    def walk(self) -> None:
        """Goes through everything that the code known so far may read."""
        self.checks = Checks()
        self.tensors: dict[int, tuple[Tensor, str]] = {}
        self.arrays: dict[int, tuple[np.ndarray, str]] = {}
        self.modules: dict[int, Any] = {}
        self.optimizers: dict[int, Any] = {}
        self.rates: list[Rate] = []
        self.floats: list[tuple[str, str]] = []  # the arguments that are numbers: path and name
        self.inputs: list[tuple[Tensor | np.ndarray, str, str]] = []  # value, path, name
        self.later: list[tuple[Any, str]] = []
        self.schedulers: list[tuple[Any, str]] = []
        self.seen: set[int] = set()
        self.functions: dict[Any, None] = {}
        self.waiting: list[tuple[Any, str, str]] = []
        self.visit_function(self.function, "the step")
        names = names_of(self.function)
        for position, value in enumerate(self.args):
            name = names[position] if position < len(names) else f"argument {position}"
            self.argument(value, f"args[{position}]", name)
        for key, value in self.kwargs.items():
            self.argument(value, f"kwargs[{key!r}]", key)
        for optimizer, name in self.later:  # which grows meanwhile; parameters have their names by now
            self.visit_optimizer(optimizer, name)
        count, keys = len(self.args), tuple(self.kwargs)
        self.checks.add(f"len(args) == {count}", "the number of arguments")
        self.checks.add(f"kwargs.keys() == {self.checks.bind(set(keys))}", "the names of arguments")
        for value, path, name in self.waiting:
            self.input(value, path, name)
        for tensor, name in list(self.tensors.values()):
            self.check_tensor(tensor, name)

    # -- arguments -------------------------------------------------------------------------------

    def argument(self, value: Any, path: str, name: str) -> None:
        """An argument of the call: tensors, arrays and floats are given to the program at each run."""
        kind = type(value)
        if kind is Tensor or kind is np.ndarray:
            self.waiting.append((value, path, name))
        elif kind is float:
            self.checks.add(f"type({path}) is float", name)
            self.floats.append((path, name))
        elif kind in (tuple, list) or (isinstance(value, tuple) and hasattr(value, "_fields")):
            self.checks.add(f"type({path}) is {self.checks.bind(kind)} and len({path}) == {len(value)}", name)
            for index, item in enumerate(value):
                self.argument(item, f"{path}[{index}]", f"{name}[{index}]")
        elif kind is dict and all(isinstance(key, str | int) for key in value):
            self.checks.add(f"type({path}) is {self.checks.bind(dict)}", name)
            self.checks.add(f"{path}.keys() == {self.checks.bind(set(value))}", name)
            for key, item in value.items():
                self.argument(item, f"{path}[{key!r}]", f"{name}[{key!r}]")
        else:
            self.visit(value, path, name)

    def input(self, value: Any, path: str, name: str) -> None:
        """A tensor or array among the arguments: another one may come in its place at the next call."""
        if id(value) in self.tensors or id(value) in self.arrays:
            self.checks.same(path, value, name)
            return
        checks, number = self.checks, len(self.inputs)
        tensor = isinstance(value, Tensor)
        array = value._data if tensor else value
        if array.size and any(
            stride == 0 and size > 1 for size, stride in zip(array.shape, array.strides, strict=True)
        ):
            raise Refused(f"got {name}, which repeats elements in memory, as expand does")
        for earlier, earlier_path, earlier_name in self.inputs:
            if earlier is value:
                checks.add(f"{path} is {earlier_path}", f"which arguments are one tensor: {name}")
                return
            if np.may_share_memory(array, earlier._data if isinstance(earlier, Tensor) else earlier):
                raise Refused(f"got {name} and {earlier_name}, which share memory")
        for each in self.known():
            if np.may_share_memory(array, each.array):
                raise Refused(f"got {name}, which shares memory with {each.name}")
        here = f"a{number}"
        if tensor:
            checks.add(f"type(t{number} := {path}) is {checks.bind(Tensor)}", name)
            checks.add(f"({here} := t{number}._data).shape == {checks.bind(array.shape)}", f"the shape of {name}")
            if value._edge is None:
                checks.add(f"t{number}._edge is None", f"whether {name} requires a gradient")
            else:
                here_edge, leaf = f"t{number}._edge", checks.bind(Leaf)
                about = f"whether {name} requires a gradient, and is a leaf"
                if type(value._edge) is Leaf:
                    checks.add(f"type({here_edge}) is {leaf} and {here_edge}.hooks is None", about)
                else:
                    checks.add(f"{here_edge} is not None and type({here_edge}) is not {leaf}", about)
                for other in self.inputs:
                    checks.add(f"t{number} is not {other[1]}", f"which arguments are one tensor: {name}")
                empty = value._grad is None
                checks.add(f"(t{number}._grad is None) is {empty}", f"whether {name} has a .grad", changes=True)
        else:
            checks.add(f"type({here} := {path}) is {checks.bind(np.ndarray)}", name)
            checks.add(f"{here}.shape == {checks.bind(array.shape)}", f"the shape of {name}")
        dtype = checks.bind(array.dtype)
        checks.add(f"({here}.dtype is {dtype} or {here}.dtype == {dtype})", f"the dtype of {name}")
        checks.add(f"{here}.strides == {checks.bind(array.strides)}", f"the strides of {name}")
        checks.arrays.append(here)
        self.inputs.append((value, path, name))

    # -- what the step finds ---------------------------------------------------------------------

    def visit(self, value: Any, path: str, name: str) -> None:
        """A value that the step finds at a path, where it has to be again at each run."""
        checks = self.checks
        if isinstance(value, PLAIN):
            checks.equal(path, value, name)
            return
        checks.same(path, value, name)
        if id(value) in self.seen:
            return
        self.seen.add(id(value))
        fields = getattr(value, "__dict__", None)
        if isinstance(value, Tensor):
            self.tensors[id(value)] = value, name
        elif isinstance(value, np.ndarray):
            self.arrays[id(value)] = value, name
        elif isinstance(value, tuple | list | dict | set | frozenset):
            self.visit_container(value, name)
        elif callable(getattr(value, "_compiled_function", None)):
            self.visit_function(value._compiled_function, name)
        elif isinstance(value, types.FunctionType | types.MethodType | functools.partial):
            self.visit_function(value, name)
        elif isinstance(value, types.ModuleType | type):
            self.visit_namespace(value, name)
        elif isinstance(fields, dict) and "_parameters" in fields and "_modules" in fields:
            self.visit_module(value, name)
        elif isinstance(fields, dict) and isinstance(fields.get("param_groups"), list):
            self.later.append((value, name))
        elif isinstance(fields, dict):
            self.visit_object(value, name)

    def visit_container(self, value: Any, name: str) -> None:
        """The items of a container."""
        checks, here = self.checks, self.checks.bind(value)
        if not isinstance(value, tuple):
            checks.add(f"len({here}) == {len(value)}", f"the length of {name}")
        if len(value) > LARGEST or isinstance(value, set | frozenset):
            return
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            place = repr(key) if isinstance(key, str | int) else checks.bind(key)
            self.visit(item, f"{here}[{place}]", f"{name}[{key!r:.40}]")

    def visit_function(self, function: Any, name: str) -> None:
        """What a function finds in its closure, default arguments and globals."""
        while isinstance(function, functools.partial):
            self.visit_container(function.args, f"the arguments of {name}")
            self.visit_container(function.keywords, f"the arguments of {name}")
            function = function.func
        if isinstance(function, types.MethodType):
            self.visit(function.__self__, f"{self.checks.bind(function)}.__self__", "self")
            function = function.__func__
        if not isinstance(function, types.FunctionType):
            if callable(function) and id(function) not in self.seen:
                self.visit(function, self.checks.bind(function), name)
            return
        if function in self.functions:
            return
        self.functions[function] = None
        for free, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                found = cell.cell_contents
            except ValueError:
                continue  # nothing was put there yet
            self.visit(found, f"{self.checks.bind(cell)}.cell_contents", free)
        if root(function.__module__) in LIBRARIES:
            return
        self.code.add(function.__code__)
        for value, place in defaults(function, self.checks.bind(function)):
            self.visit(value, place, f"a default argument of {function.__name__}")
        space = function.__globals__
        here = self.checks.bind(space)
        for each in global_names(function.__code__):
            if each in space:
                self.visit(space[each], f"{here}[{each!r}]", each)

    def visit_namespace(self, space: Any, name: str) -> None:
        """A module of Python, or a class, of the user's: what the step reads of it."""
        if root(space.__name__ if isinstance(space, types.ModuleType) else space.__module__) in LIBRARIES:
            return
        self.visit_attributes(space, vars(space), name)

    def visit_object(self, value: Any, name: str) -> None:
        """An object: what the step reads of its attributes, and the methods that it may call."""
        package, fields = root(type(value).__module__), vars(value)
        if package == "tinygrad_dl":
            if "last_epoch" in fields:
                self.schedulers.append((value, name))
                return
            here = self.checks.bind(fields)
            for key, each in list(fields.items()):
                self.visit(each, f"{here}[{key!r}]", f"{name}.{key}")
        elif package not in LIBRARIES:
            self.checks.add(f"len({self.checks.bind(fields)}) == {len(fields)}", f"what attributes {name} has")
            self.visit_attributes(value, fields, name)
            self.visit_methods(value, name)

    def visit_attributes(self, value: Any, fields: Any, name: str) -> None:
        """Those attributes whose names stand in the step's code."""
        here = self.checks.bind(value)
        for key in self.code.names & set(fields):
            self.visit(fields[key], f"{here}.__dict__[{key!r}]", f"{name}.{key}")

    def visit_methods(self, value: Any, name: str) -> None:
        """The methods of an object's class that the step may call."""
        called = self.code.names | {"forward", "__call__"}
        for kind in type(value).__mro__:
            if root(kind.__module__) in LIBRARIES:
                continue
            for key in called & vars(kind).keys():
                found = vars(kind)[key]
                found = getattr(found, "__func__", getattr(found, "fget", found))
                if isinstance(found, types.FunctionType):
                    self.visit_function(found, f"{name}.{key}")
                elif isinstance(found, (*PLAIN, tuple, list, dict, Tensor, np.ndarray)) and not key.startswith("__"):
                    self.visit(found, f"{self.checks.bind(kind)}.__dict__[{key!r}]", f"{name}.{key}")

    # -- modules and optimisers ------------------------------------------------------------------

    def visit_module(self, module: Any, name: str) -> None:
        """A module: its parameters, buffers and submodules, and the options that its forward reads."""
        fields, checks = vars(module), self.checks
        self.modules[id(module)] = module
        refuse_hooks(module, name)
        here = checks.bind(fields)
        checks.same(f"{here}.get('_hooks')", fields.get("_hooks"), f"the hooks of {name}")
        if root(type(module).__module__) not in LIBRARIES:  # one may come to hide that of a class
            checks.add(f"len({here}) == {len(fields)}", f"what attributes {name} has")
        for registry in REGISTRIES:
            table = fields[registry]
            place = checks.bind(table)
            checks.add(f"len({place}) == {len(table)}", f"what {name} contains")
            for key, value in table.items():
                self.visit(value, f"{place}[{key!r}]", key if name == "the step" else f"{name}.{key}")
        for key, value in list(fields.items()):
            if key in REGISTRIES or key == "_hooks":
                continue
            private = key.startswith("_") and (root(type(module).__module__) in LIBRARIES or key in SET_UP)
            if isinstance(value, PLAIN) or not private:
                self.visit(value, f"{here}[{key!r}]", f"{name}.{key}")
        self.visit_methods(module, name)

    def visit_optimizer(self, optimizer: Any, name: str) -> None:
        """An optimiser: its groups, their options, and its state. Rates are numbers of the program."""
        fields, checks = vars(optimizer), self.checks
        self.optimizers[id(optimizer)] = optimizer
        hooks = fields.get("_hooks") or {}
        for kind in ("before step", "after step"):
            if hooks.get(kind):
                raise Refused(f"got {type(optimizer).__name__} with a hook that is called {kind}s")
        groups, here = optimizer.param_groups, checks.bind(fields)
        checks.same(f"{here}['param_groups']", groups, f"the groups of {name}")
        checks.add(f"len({checks.bind(groups)}) == {len(groups)}", f"the groups of {name}")
        for index, group in enumerate(groups):
            place = checks.bind(group)
            checks.add(f"{checks.bind(groups)}[{index}] is {place}", f"the groups of {name}")
            checks.add(f"len({place}) == {len(group)}", f"the options of {name}")
            for key, value in group.items():
                about = f"{key} of group {index}" if len(groups) > 1 else key
                here_value = f"{place}[{key!r}]"
                if key in self.rated and type(value) is float and value:
                    checks.add(f"type({here_value}) is float and {here_value} != 0", about)
                    self.rates.append(Rate(group, key, None, about))
                elif key in self.rated and type(value) is tuple and {*map(type, value)} == {float}:
                    checks.add(
                        f"type({here_value}) is {checks.bind(tuple)} and len({here_value}) == {len(value)}", about
                    )
                    for i in range(len(value)):
                        checks.add(f"type({here_value}[{i}]) is float", about)
                        self.rates.append(Rate(group, key, i, f"{about} {i}"))
                else:
                    self.visit(value, f"{place}[{key!r}]", about)
        self.visit_state(optimizer, here, name)
        self.visit_methods(optimizer, name)

    def visit_state(self, optimizer: Any, here: str, name: str) -> None:
        """The state of an optimiser: the library's own lies in arrays, that of others in its dict `state`."""
        fields, checks = vars(optimizer), self.checks
        layouts = fields.get("_layouts")
        if layouts is not None:
            checks.same(f"{here}['_layouts']", layouts, f"the state of {name}")
            for index, layout in enumerate(layouts):
                checks.add(
                    f"{checks.bind(layouts)}[{index}] is {checks.bind(layout)}", f"how the parameters of {name} lie"
                )
            checks.add(f"{here}.get('_exposed') is {fields.get('_exposed')}", f"whether the state of {name} was read")
        state = fields.get("_state")
        if layouts is not None and not fields.get("_exposed"):
            return  # it stands in the arrays of the layouts, and nobody has seen it
        checks.same(f"{here}['_state']", state, f"the state of {name}")
        table = checks.bind(state)
        checks.add(f"len({table}) == {len(state)}", f"the state of {name}")
        for key, entry in state.items():
            checks.same(f"{table}[{checks.bind(key)}]", entry, f"the state of {name}")
            checks.add(f"len({checks.bind(entry)}) == {len(entry)}", f"the state of {name}")
            for each, value in entry.items():
                self.visit(value, f"{checks.bind(entry)}[{each!r}]", str(each))

    # -- tensors ---------------------------------------------------------------------------------

    def check_tensor(self, tensor: Tensor, name: str) -> None:
        """A tensor that lives on: its memory, its place in the graph, and whether it has a gradient."""
        checks, here, edge = self.checks, self.checks.bind(tensor), tensor._edge
        if tensor._uninitialized:
            raise Refused(f"got {name}, which has no shape yet")
        checks.add(f"{here}._data is {checks.bind(tensor._data)}", f"the memory of {name}")
        empty = tensor._grad is None
        checks.add(f"({here}._grad is None) is {empty}", f"whether {name} has a .grad", changes=True)
        if edge is None:
            checks.add(f"{here}._edge is None", f"whether {name} requires a gradient")
            return
        if type(edge) is not Leaf:
            raise Refused(f"got {name}, which requires a gradient and was computed before the step")
        if edge.hooks is not None and (edge.hooks.gradient or edge.hooks.around):
            raise Refused(f"got {name} with a hook of its gradient")
        checks.add(f"{here}._edge is {checks.bind(edge)}", f"whether {name} requires a gradient")
        checks.add(f"{checks.bind(edge)}.hooks is {checks.bind(edge.hooks)}", f"the hooks of {name}")

    def leaves(self) -> list[tuple[Tensor, str, str | None]]:
        """The tensors whose `.grad` a backward pass of the step may change; of those given anew, the path."""
        found: list[tuple[Tensor, str, str | None]] = [
            (tensor, name, None)
            for tensor, name in self.tensors.values()
            if tensor._edge is not None or tensor._grad is not None
        ]
        found += [
            (value, name, path)
            for value, path, name in self.inputs
            if isinstance(value, Tensor) and value._edge is not None
        ]
        return found

    def known(self) -> Iterator[Known]:
        """The memory that is there before the step and that it may read or write."""
        for tensor, name in self.tensors.values():
            yield Known(tensor._data, name)
        for array, name in self.arrays.values():
            yield Known(array, name)
        for optimizer in self.optimizers.values():
            yield from memory_of(optimizer)


def memory_of(optimizer: Any) -> Iterator[Known]:
    """The memory of one of the library's optimisers, which need not have been seen by the user."""
    for layout in vars(optimizer).get("_layouts") or ():
        for block in layout.blocks:
            for name, states in (*block.scalars.items(), *block.states.items()):
                yield Known(states.flat, name)


def refuse_hooks(module: Any, name: str) -> None:
    """Raises for hooks of the user's around a module's call; what they do besides is not seen."""
    for kind, hooks in (module.__dict__.get("_hooks") or {}).items():
        for hook in hooks.values() if isinstance(hooks, dict) else ():
            if callable(hook) and root(getattr(hook, "__module__", None) or type(hook).__module__) not in LIBRARIES:
                raise Refused(f"got {name}, a {type(module).__name__} with a hook ({kind.strip('_')})")


def in_place_of_floats(value: Any, path: str, numbers: dict[str, Any]) -> Any:
    """An argument with other numbers in the place of the floats in it, by their paths: see `Touched.argument`."""
    kind = type(value)
    if path in numbers:
        return numbers[path]
    if kind in (tuple, list) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        items = [in_place_of_floats(each, f"{path}[{i}]", numbers) for i, each in enumerate(value)]
        return kind(*items) if hasattr(kind, "_fields") else kind(items)
    if kind is dict and all(isinstance(key, str | int) for key in value):
        return {key: in_place_of_floats(each, f"{path}[{key!r}]", numbers) for key, each in value.items()}
    return value


def names_of(function: Any) -> tuple[str, ...]:
    """What a function calls its positional arguments."""
    bound = isinstance(function, types.MethodType)
    code = getattr(function, "__code__", None)
    return () if code is None else code.co_varnames[int(bound) : code.co_argcount]


def root(module: str | None) -> str:
    """The package that a module is in."""
    return (module or "").partition(".")[0]


def defaults(function: Any, here: str) -> Iterator[tuple[Any, str]]:
    """The default arguments of a function, and where they are found."""
    for index, value in enumerate(function.__defaults__ or ()):
        yield value, f"{here}.__defaults__[{index}]"
    for key, value in (function.__kwdefaults__ or {}).items():
        yield value, f"{here}.__kwdefaults__[{key!r}]"


@functools.cache
def global_names(code: types.CodeType) -> tuple[str, ...]:
    """The global names that code reads, that of functions made in it too."""
    found = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.update(global_names(constant))
    return tuple(sorted(found))
