"""@op: one declaration makes the function, the method, the operator, NumPy's dispatch and the registry entry.

An op is a function of arrays and gradient rules whose parameter names say what they read:

    @op(np.multiply, operator="mul", inputs=broadcasting(real(), real()))
    def mul(input: Array, other: Array) -> Array:
        return np.multiply(input, other)

    mul.vjp(input=lambda g, other: g * other,
            other=lambda g, input: g * input)

A rule may read `g` (the output's gradient), `out` (the output), an argument by its name, `<argument>_shape`,
an output or auxiliary value by its name, and `needs` (joint rules: which gradients are asked for). For each
pattern of arguments that require a gradient a `Plan` says what to save and which rules to run.

The function that users call is generated from the signature (`_call_source`): it unwraps tensors, casts,
calls the declared function on arrays, wraps the result and records a node. It is worth reading first.
"""

from __future__ import annotations

import functools
import linecache
import types
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol

import numpy as np

from tinygrad_dl import dtypes
from tinygrad_dl.engine import Gradient, Leaf, Node, Output, next_seq
from tinygrad_dl.modes import modes
from tinygrad_dl.samples import Case, ErrorCase
from tinygrad_dl.tensor import NUMPY, Tensor, as_array, wrap

P = ParamSpec("P")

if TYPE_CHECKING:
    Array = Any
    Arrays = Any
else:

    class Array:
        """Marks a parameter as a tensor: an array inside the op, a tensor, array or number for its caller."""

    class Arrays:
        """Marks a parameter as a sequence of tensors."""


REGISTRY: dict[str, Op] = {}


class _Unset:
    """The default of `axis=` and `keepdims=`, which are other names of `dim=` and `keepdim=`."""

    def __repr__(self) -> str:
        return "<same as dim, keepdim>"


UNSET: Any = _Unset()
ALIASES = {"dim": "axis", "keepdim": "keepdims"}


class OpFunction(Protocol[P]):
    """A declared op: an ordinary function that also carries its declaration."""

    __name__: str
    op: Op
    duck: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...

    def vjp(self, **rules: Callable[..., Any] | None) -> None:
        """Declares the gradient rule of each named argument; None: has no gradient."""

    def joint_vjp(self, *arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates one rule that returns the gradients of all the named arguments, as a tuple."""


def op(
    *numpy: Any,
    name: str | None = None,
    method: str | bool = True,
    operator: str | None = None,
    inplace: bool = False,
    view: bool = False,
    varargs: bool = False,
    floating: bool = False,
    promote: bool | None = None,
    differentiable: bool = True,
    outputs: Any = None,
    aux: dict[str, Callable[..., Any] | None] | None = None,
    inputs: Case | dict[str, Any] | Sequence[Any] = (),
    errors: Sequence[ErrorCase] = (),
    reference: Callable[..., Any] | None = None,
    namespace: str = "td",
) -> Callable[[Callable[P, Any]], OpFunction[P]]:
    """Declares an op; decorates a function of arrays that returns an array.

    The body may be left out (a docstring alone) if the op is just what the first NumPy function does.

    Parameters annotated `Array`, and those with neither annotation nor default, are tensors; one annotated
    `Arrays` is a sequence of tensors; all others are options.

    Args:
        numpy: NumPy functions or ufuncs that reach this op when called on a tensor.
        name: its name, if not the function's.
        method: whether it is a method of Tensor too; a string names the method.
        operator: the operator it is, such as "mul" for `*`, both ways round.
        inplace: whether there is an in-place method `<name>_` too.
        view: whether the result shows its first argument's memory.
        varargs: whether the method takes its first option as separate numbers too (`t.permute(1, 0)`).
        floating: whether integers are turned into the default floating dtype first.
        promote: whether tensors are cast to a common dtype; by default, if the op broadcasts.
        differentiable: False for ops whose result never has a gradient (comparisons, argmax).
        outputs: a namedtuple class if there are several outputs, or `tuple` for a varying number.
        aux: values that the function returns after its output, for the rules alone: name -> a function that
            derives it again from arguments (on tensors, for higher orders), or None for a constant.
        inputs: the legal inputs, in the words of `tinygrad_dl.samples`: a case or a list of cases.
        errors: inputs that must be refused, each an `error(...)`.
        reference: the same function written differently, to test against.
        namespace: where users find it: "td", "functional", ...

    >>> import numpy as np
    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.samples import real
    >>> @td.op(method=False, inputs=dict(x=real()))
    ... def cube(x):
    ...     return x ** 3
    >>> cube.vjp(x=lambda g, x: g * 3 * x**2)
    >>> x = td.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    >>> del td.op.registry["cube"]
    """

    def declare(body: Callable[P, Any]) -> OpFunction[P]:
        cases = inputs if isinstance(inputs, list | tuple) else [inputs]
        record = Op(body, name or body.__name__, numpy, list(cases), list(errors))
        record.view, record.floating, record.outputs, record.records = view, floating, outputs, differentiable
        record.aux = aux or {}
        record.reference = reference or (numpy[0] if numpy else None)
        record.namespace = namespace
        record.promotes = record.broadcasts if promote is None else promote
        function = record.make_function(body)
        for each in numpy:
            NUMPY[each] = function
        if method:
            attach_method(function, record, method if isinstance(method, str) else record.name, varargs, inplace)
        if operator:
            attach_operator(function, operator, inplace)
        REGISTRY[record.name] = record
        return function

    return declare


op.registry = REGISTRY  # type: ignore[attr-defined]


class Op:
    """The declaration of an op, as the registry keeps it."""

    view: bool
    floating: bool
    promotes: bool
    records: bool
    outputs: Any
    aux: dict[str, Callable[..., Any] | None]
    reference: Callable[..., Any] | None
    namespace: str
    function: Any
    layout: tuple[Any, ...]

    def __init__(
        self,
        body: Callable[..., Any],
        name: str,
        numpy: tuple[Any, ...],
        cases: list[Any],
        errors: list[ErrorCase],
    ):
        # A body of nothing but its docstring stands for the NumPy function that the op is declared for.
        empty = body.__code__.co_code == _nothing.__code__.co_code and not body.__code__.co_names
        self.forward: Callable[..., Any] = numpy[0] if empty and numpy else body
        self.name = name
        self.node_name = "".join(part.capitalize() for part in name.split("_"))
        self.cases = [case if isinstance(case, Case) else Case(case) for case in cases]
        self.errors = errors
        self.broadcasts = any(case.broadcasts for case in self.cases)
        code = body.__code__
        self.parameters: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self.positional: tuple[str, ...] = code.co_varnames[: code.co_argcount]
        if code.co_flags & 0x0C:
            raise TypeError(f"op {name}: *args and **kwargs can't be declared; name the parameters")
        defaults = body.__defaults__ or ()
        required = set(self.positional[: len(self.positional) - len(defaults)])
        self.sequence: str | None = None
        tensors = []
        for parameter in self.parameters:
            marked = body.__annotations__.get(parameter)
            text = marked if isinstance(marked, str) else getattr(marked, "__name__", str(marked))
            if marked is not None and "Arrays" in text:
                self.sequence = parameter
            if ("Array" in text or "Tensor" in text) if marked is not None else parameter in required:
                tensors.append(parameter)
        self.tensors: tuple[str, ...] = tuple(tensors)
        if self.sequence and len(tensors) > 1:
            raise TypeError(f"op {name}: a parameter marked Arrays must be the only tensor parameter")
        self.rules: dict[str, Callable[..., Any] | None] = {}
        self.joint: tuple[tuple[str, ...], Callable[..., Any]] | None = None
        self.plans: list[Plan | None] = [None] * (2 ** max(1, len(tensors)))

    # -- rules -----------------------------------------------------------------------------------

    @property
    def output_names(self) -> tuple[str, ...]:
        return getattr(self.outputs, "_fields", ())

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The tensor parameters that have a gradient rule."""
        return tuple(t for t in self.tensors if self.rules.get(t) or (self.joint and t in self.joint[0]))

    def vjp(self, **rules: Callable[..., Any] | None) -> None:
        """Declares the gradient rule of each named argument; None says that it has no gradient."""
        for argument, rule in rules.items():
            self._check_argument(argument)
            if rule is not None:
                self._check_rule(rule)
        self.rules.update(rules)
        self._forget_plans()

    def joint_vjp(self, *arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates one rule that returns the gradients of all the named arguments, as a tuple."""

        def declare(rule: Callable[..., Any]) -> Callable[..., Any]:
            for argument in arguments:
                self._check_argument(argument)
            self._check_rule(rule)
            self.joint = arguments, rule
            self.plans[:] = [None] * len(self.plans)  # in place: the generated function holds this list
            return rule

        return declare

    def _check_argument(self, argument: str) -> None:
        if argument not in self.tensors:
            raise TypeError(f"op {self.name}: a rule for {argument!r}, but the tensors are {self.tensors}")

    def _check_rule(self, rule: Callable[..., Any]) -> None:
        known = {"out", "needs", *self.parameters, *self.aux, *self.output_names}
        known |= {f"{t}_shape" for t in self.tensors}
        names = reads(rule)
        if not names or names[0] != "g":
            raise TypeError(f"op {self.name}: a rule's first parameter is g, the output's gradient, got {names}")
        unknown = [n for n in names[1:] if n not in known]
        if unknown:
            raise TypeError(f"op {self.name}: a rule reads {unknown}, expected names among {sorted(known)}")

    def plan(self, mask: int) -> Plan:
        """The plan for the pattern of tensor arguments that require a gradient."""
        found = self.plans[mask]
        if found is None:
            found = self.plans[mask] = Plan(self, mask)
            if not self.sequence and len(self.tensors) <= 2:
                self._specialise()
        return found

    def _specialise(self) -> None:
        """Writes the plans known so far into the function's code, once there are rules and a use for them.

        Saves a call and two look-ups on every recorded operation; other patterns go the general way.
        """
        known = [(mask, plan) for mask, plan in enumerate(self.plans) if plan is not None]
        scope = self.function.__globals__
        scope.update({f"plan_{mask}": plan for mask, plan in known})
        inlined = tuple((mask, plan.items) for mask, plan in known)
        self.function.__code__ = self._named(compiled(_call_source, *self.layout, inlined))

    def _forget_plans(self) -> None:
        """Called when rules change: back to general code, plans made anew when next needed."""
        self.plans[:] = [None] * len(self.plans)  # in place: the generated function holds this list
        self.function.__code__ = self._named(compiled(_call_source, *self.layout, ()))

    def _named(self, code: types.CodeType) -> types.CodeType:
        """The code under the op's own name, as tracebacks and profilers show it."""
        return code.replace(co_name=self.name, co_qualname=self.name)

    # -- the function that users call -----------------------------------------------------------

    def make_function(self, body: Any) -> OpFunction[Any]:
        aliases = tuple(a for name, a in ALIASES.items() if name in self.parameters and a not in self.parameters)
        options = (self.promotes, self.floating, self.records, self.outputs, self.view, tuple(self.aux))
        self.layout = (self.positional, self.parameters, self.tensors, self.sequence, aliases, *options)
        code = compiled(_call_source, *self.layout, ())
        scope = {
            **SCOPE,
            "forward": self.forward,
            "op": self,
            "plans": self.plans,
            "plan_for": self.plan,
            "returns": self.outputs,
        }
        function: Any = types.FunctionType(self._named(code), scope, self.name, body.__defaults__)
        function.__kwdefaults__ = {**(body.__kwdefaults__ or {}), **dict.fromkeys(aliases, UNSET)}
        function.__doc__, function.__module__ = body.__doc__, body.__module__
        function.__annotations__ = body.__annotations__
        function.__qualname__ = self.name
        function.op, function.vjp, function.joint_vjp = self, self.vjp, self.joint_vjp
        function.duck = self.duck
        self.function = function
        return function  # type: ignore[no-any-return]

    def duck(self, *args: Any, **kwargs: Any) -> Any:
        """The op on whatever comes: tensors give a tensor, bare arrays an array. For use in rules."""
        for value in args:
            if isinstance(value, Tensor) or (type(value) is list and any(isinstance(t, Tensor) for t in value)):
                return self.function(*args, **kwargs)
        out = self.forward(*args, **kwargs)
        return out[0] if self.aux else out


def _nothing() -> None:
    """Compared with the bodies of ops, to know an empty one."""


def reads(rule: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a rule's parameters."""
    code = rule.__code__
    found: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return found


class Plan:
    """What one op saves and runs when a given set of its arguments requires a gradient."""

    def __init__(self, op: Op, mask: int):
        self.op, self.name, self.broadcasts, self.multiple = op, op.node_name, op.broadcasts, op.outputs is not None
        # A sequence is one argument, with one rule that returns a gradient for each of its tensors.
        asked = [t for i, t in enumerate(op.tensors) if mask >> i & 1]
        self.wanted = tuple(t for t in asked if t in op.differentiable)
        for tensor in asked:
            if tensor not in self.wanted and tensor not in op.rules:
                raise NotImplementedError(
                    f"op {op.name} has no gradient rule for {tensor!r}, which requires a gradient; declare one with "
                    f"{op.name}.vjp({tensor}=...), or None if it has no gradient"
                )
        self.joint = op.joint if op.joint and set(op.joint[0]) & set(self.wanted) else None
        self.rules = {t: op.rules[t] for t in self.wanted if op.rules.get(t)}
        used: dict[str, None] = {}
        for rule in [*self.rules.values(), *([self.joint[1]] if self.joint else [])]:
            used.update(dict.fromkeys(reads(rule)[1:]))  # type: ignore[arg-type]
        used.pop("needs", None)
        self.reads = tuple(used)  # the names that rules read
        derived = [op.aux[name] for name in used if op.aux.get(name)]
        for function in derived:
            used.update(dict.fromkeys(reads(function)))  # type: ignore[arg-type]
        self.saves = tuple(used)  # and those from which auxiliary values are derived again
        self.frees = any(name in (*op.tensors, "out", *op.aux, *op.output_names) for name in self.saves)
        self.items = tuple(self._item(name) for name in self.saves)  # their source text
        self.save: Callable[..., Any] | None = self._make_save() if self.saves else None
        self.run: Callable[..., Sequence[Gradient]] = self._make_run()

    def _item(self, name: str) -> str:
        """The expression, in the generated function's names, of a value to save."""
        op = self.op
        if name in (*op.parameters, "out", *op.aux, *op.output_names):
            return name
        argument = name.removesuffix("_shape")
        return f"[each.shape for each in {argument}]" if argument == op.sequence else f"{argument}.shape"

    def _make_save(self) -> Callable[..., Any]:
        parameters = (*self.op.parameters, "out", *self.op.aux, *self.op.output_names)
        function: Callable[..., Any] = types.FunctionType(compiled(_save_source, parameters, self.items), {})
        return function

    def _make_run(self) -> Callable[..., Sequence[Gradient]]:
        op = self.op
        scope: dict[str, Any] = {f"rule_{t}": rule for t, rule in self.rules.items()}
        calls = tuple((t, reads(rule)) for t, rule in self.rules.items())  # type: ignore[arg-type]
        joint: tuple[Any, ...] = ()
        if self.joint:
            scope["rule_joint"] = self.joint[1]
            scope["needs"] = tuple(t in self.wanted for t in self.joint[0])
            joint = (self.joint[0], reads(self.joint[1]))
        code = compiled(_run_source, self.saves, calls, joint, op.tensors, op.sequence)
        function: Callable[..., Sequence[Gradient]] = types.FunctionType(code, scope)
        return function

    def argument(self, position: int) -> str:
        """The name of the input that edge number `position` leads to."""
        return f"{self.op.sequence}[{position}]" if self.op.sequence else self.op.tensors[position]

    def taped(self, node: Node) -> Any:
        """The saved values as tensors, each on its own edge again; constants stay arrays."""
        op = self.op
        values = dict(zip(self.saves, node.saved, strict=True))
        for name in self.saves:
            if name == op.sequence:
                values[name] = [connected(a, e) for a, e in zip(values[name], node.edges, strict=True)]
            elif name in op.tensors:
                values[name] = connected(values[name], node.edges[op.tensors.index(name)])
            elif name == "out" and self.multiple:
                values[name] = tuple(connected(a, output_edge(node, i)) for i, a in enumerate(values[name]))
            elif name == "out":
                values[name] = connected(values[name], node)
            elif name in op.output_names:
                values[name] = connected(values[name], output_edge(node, op.output_names.index(name)))
        for name in self.saves:
            derive = op.aux.get(name)
            if derive is not None:
                values[name] = derive(*(values[each] for each in reads(derive)))
        return tuple(values.values())


def connected(array: Any, edge: Any) -> Any:
    """A saved array as a tensor on its edge; without an edge it was a constant and stays an array."""
    if edge is None or array is None or not dtypes.is_differentiable(array.dtype):
        return array
    new = wrap(array)
    new._edge = edge
    return new


def output_edge(node: Node, index: int) -> Output | None:
    """A new edge to one output of a node that has several."""
    dtype = node.dtype[index]
    return Output(node, index, node.shape[index], dtype) if dtypes.is_differentiable(dtype) else None


# -- generated source ----------------------------------------------------------------------------


@functools.cache
def compiled(source: Callable[..., str], *layout: Any) -> types.CodeType:
    """The code of a generated function; one for all ops of the same layout. Tracebacks show its source."""
    text = source(*layout)
    filename = f"<tinygrad_dl {source.__name__.strip('_')} {abs(hash(layout)):x}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    scope: dict[str, Any] = {}
    exec(compile(text, filename, "exec"), scope)
    code: types.CodeType = scope["generated"].__code__
    return code


def _call_source(
    positional: tuple[str, ...],
    parameters: tuple[str, ...],
    tensors: tuple[str, ...],
    sequence: str | None,
    aliases: tuple[str, ...],
    promotes: bool,
    floating: bool,
    records: bool,
    outputs: Any,
    view: bool,
    aux: tuple[str, ...],
    plans: tuple[tuple[int, tuple[str, ...]], ...],
) -> str:
    """The source of the function that users call; `plans` are written into it, see `Op._specialise`."""
    keywords = parameters[len(positional) :]
    head = [*positional, *(["*", *keywords, *aliases] if keywords or aliases else [])]
    arguments = ", ".join([*positional, *(f"{k}={k}" for k in keywords)])
    targets = ", ".join(["out", *aux])
    lines = [
        f"def generated({', '.join(head)}):",
        *(f"    if {ALIASES[n]} is not UNSET: {n} = {ALIASES[n]}" for n in ALIASES if ALIASES[n] in aliases),
        *([f"    base = {tensors[0]}"] if view else []),
        *(_unwrap_sequence(sequence, promotes) if sequence else _unwrap(tensors, promotes, floating)),
        "    try:",
        f"        {targets} = forward({arguments})",
        "    except Exception as error:",
        f"        explain(error, op, ({', '.join(parameters)},)); raise",
    ]
    if outputs is None:
        lines += [
            "    if type(out) is not ndarray: out = asarray(out)",
            "    result = new(Tensor); result._data = out; result._edge = None",
            *(["    note_view(result, base)"] if view else []),
        ]
    else:
        lines.append("    results = [wrap(each) for each in out]")
    if records:
        lines += _record(parameters, tensors, sequence, outputs, view, aux, plans)
    returned = "result" if outputs is None else "tuple(results)" if outputs is tuple else "returns(*results)"
    return "\n".join([*lines, f"    return {returned}", ""])


def _unwrap(tensors: tuple[str, ...], promotes: bool, floating: bool) -> list[str]:
    """Lines that turn the tensor arguments into arrays of one dtype and keep their edges."""
    mixed = promotes and len(tensors) > 1
    lines = ["    mixed = False"] if mixed else []
    for t in tensors:
        constant = "mixed = True" if mixed else f"{t} = constant({t}, op)"
        lines += [
            f"    if isinstance({t}, Tensor): edge_{t} = {t}._edge; {t} = {t}._data",
            f"    else: edge_{t} = None; {constant}",
        ]
    if mixed:
        differ = [f"{tensors[0]}.dtype is not {t}.dtype" for t in tensors[1:]]
        lines.append(f"    if mixed or {' or '.join(differ)}: {', '.join(tensors)} = promote(op, {', '.join(tensors)})")
    if floating:  # what requires a gradient is floating already: only constants need the look
        constants = " and ".join(f"edge_{t} is None" for t in tensors)
        lines.append(f"    if {constants}: {', '.join(tensors)}, = as_floating({', '.join(tensors)})")
    return lines


def _unwrap_sequence(sequence: str, promotes: bool) -> list[str]:
    """The same lines for a sequence of tensors."""
    return [
        f"    {sequence} = list({sequence})",
        f"    edges = tuple([t._edge if isinstance(t, Tensor) else None for t in {sequence}])",
        f"    {sequence} = [t._data if isinstance(t, Tensor) else constant(t, op) for t in {sequence}]",
        *([f"    {sequence} = promote(op, *{sequence})"] if promotes else []),
    ]


def _record(
    parameters: tuple[str, ...],
    tensors: tuple[str, ...],
    sequence: str | None,
    outputs: Any,
    view: bool,
    aux: tuple[str, ...],
    plans: tuple[tuple[int, tuple[str, ...]], ...],
) -> list[str]:
    """Lines that record a node if an argument requires a gradient."""
    if sequence:
        recorded, mask, edges = "any([e is not None for e in edges])", "1", "edges"
    else:
        bits = [f"(edge_{t} is not None)" for t in tensors]
        recorded = " or ".join(f"edge_{t} is not None" for t in tensors)
        mask = " | ".join(f"{bit} << {i}" if i else bit for i, bit in enumerate(bits)) if len(tensors) > 1 else "1"
        edges = f"({', '.join(f'edge_{t}' for t in tensors)},)"
    named = getattr(outputs, "_fields", ())
    saved = ", ".join([*parameters, "out", *aux, *(["*out"] if named else [])])
    lines = [
        f"    if ({recorded}) and modes.grad:",
        f"        node = Node(); node.edges = {edges}; node.hooks = None; node.seq = next_seq()",
        *([f"        {', '.join(named)}, = out"] if named and plans else []),
    ]
    word = "if"
    for number, items in plans:
        pattern = [f"edge_{t} is {'not ' if number >> i & 1 else ''}None" for i, t in enumerate(tensors)]
        values = f"({', '.join(items)},)" if items else "()"
        lines.append(f"        {word} {' and '.join(pattern)}: node.plan = plan_{number}; node.saved = {values}")
        word = "elif"
    general = [
        f"plan = plans[{mask}] or plan_for({mask}); save = plan.save",
        f"node.plan = plan; node.saved = save({saved}) if save is not None else ()",
    ]
    if len(plans) < 2 ** len(tensors) - 1:
        lines += [*(["        else:"] if plans else []), *(f"        {'    ' * bool(plans)}{line}" for line in general)]
    if outputs is None:
        lines.append("        node.shape = out.shape; node.dtype = out.dtype; result._edge = node")
    else:
        lines.append("        connect_outputs(node, results" + (", base)" if view else ")"))
    if view and outputs is None:
        lines.append("        register_view(result)")
    return lines


def _save_source(parameters: tuple[str, ...], items: tuple[str, ...]) -> str:
    """The source of the function that picks what a node keeps."""
    return f"def generated({', '.join(parameters)}):\n    return ({', '.join(items)},)\n"


def _run_source(
    saves: tuple[str, ...],
    calls: tuple[tuple[str, tuple[str, ...]], ...],
    joint: tuple[Any, ...],
    tensors: tuple[str, ...],
    sequence: str | None,
) -> str:
    """The source of the function that runs the rules of a plan; returns a gradient for each edge."""
    lines = ["def generated(g, saved):"]
    if saves:
        lines.append(f"    {', '.join(saves)}, = saved")
    results = {tensor: f"rule_{tensor}({', '.join(names)})" for tensor, names in calls}
    if joint:
        lines.append(f"    joint = rule_joint({', '.join(joint[1])})")
        results |= {tensor: f"joint[{i}]" for i, tensor in enumerate(joint[0]) if tensor not in results}
    if sequence:
        lines.append(f"    return {results[sequence]}")
    else:
        lines.append(f"    return ({', '.join(results.get(t, 'None') for t in tensors)},)")
    return "\n".join(lines) + "\n"


# -- what the generated functions call, off the fast path ------------------------------------------


def constant(value: Any, op: Op) -> Any:
    """An argument that is no tensor, as an array; None stays None."""
    if value is None or isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        return None if value is None else as_array(value)
    raise TypeError(
        f"{op.name} takes tensors, arrays and numbers, got {type(value).__name__}; make it a tensor first: "
        f"td.tensor(...)"
    )


NUMBERS = frozenset((float, int, bool))


def promote(op: Op, *values: Any) -> Sequence[Any]:
    """Arrays and numbers, all cast to the dtype that PyTorch's promotion gives them."""
    if len(values) == 2:  # the usual case first: a floating tensor and a number
        first, second = values
        if type(second) in NUMBERS and type(first) is np.ndarray and first.dtype.kind == "f":
            return first, np.asarray(second, first.dtype)
        if type(first) in NUMBERS and type(second) is np.ndarray and second.dtype.kind == "f":
            return np.asarray(first, second.dtype), second
    arrays = []
    for value in values:
        plain = isinstance(value, bool | int | float | complex) or value is None
        arrays.append(value if plain else constant(value, op))
    present = tuple(a for a in arrays if a is not None)
    dtype = dtypes.result_dtype(present)
    return [None if a is None else np.asarray(a, dtype) for a in arrays]


def as_floating(*arrays: Any) -> list[Any]:
    """Integer and bool arrays in the default floating dtype; others as they are."""
    default = dtypes.get_default_dtype()
    return [a.astype(default) if a is not None and a.dtype.kind in "biu" else a for a in arrays]


def explain(error: Exception, op: Op, values: tuple[Any, ...]) -> None:
    """Adds to an error of the op's own function what was called, with which arguments, and what to do."""
    shown = ", ".join(f"{name}={summary(value)}" for name, value in zip(op.parameters, values, strict=True))
    error.add_note(f"in {op.name}({shown})")
    if op.broadcasts and isinstance(error, ValueError):
        error.add_note(
            "expected shapes that broadcast: counted from the last dimension, sizes are equal or one of them is 1; "
            "reshape() or unsqueeze() one of the tensors"
        )
    else:
        error.add_note(f"help(tinygrad_dl.{op.name}) says what it takes")


def summary(value: Any) -> str:
    """A value as an error message shows it: an array as its dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, list | tuple) and any(isinstance(v, np.ndarray) for v in value):
        return "[" + ", ".join(summary(v) for v in value) + "]"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def connect_outputs(node: Node, results: list[Tensor], base: Any = None) -> None:
    """Gives each floating output of a node its edge."""
    node.shape = tuple(t._data.shape for t in results)
    node.dtype = tuple(t._data.dtype for t in results)
    for index, result in enumerate(results):
        result._edge = output_edge(node, index)
        if base is not None:
            note_view(result, base)
            register_view(result)


def note_view(result: Tensor, base: Any) -> None:
    """Remembers of which tensor a result shows the memory."""
    if isinstance(base, Tensor):
        shown, data = result._data.base, base._data
        if shown is data or (shown is not None and shown is data.base):
            result._base = base if base._base is None else base._base


def register_view(result: Tensor) -> None:
    """Lets a computed base find its recorded views, should it be changed in place."""
    base = result._base
    if base is not None and type(base._edge) is not Leaf and base._edge is not None:
        if base._views is None:
            base._views = []
        base._views.append(weakref.ref(result))


SCOPE: dict[str, Any] = {
    "Tensor": Tensor,
    "Node": Node,
    "ndarray": np.ndarray,
    "asarray": np.asarray,
    "new": object.__new__,
    "wrap": wrap,
    "next_seq": next_seq,
    "modes": modes,
    "UNSET": UNSET,
    "constant": constant,
    "promote": promote,
    "as_floating": as_floating,
    "explain": explain,
    "connect_outputs": connect_outputs,
    "note_view": note_view,
    "register_view": register_view,
}


# -- methods and operators -------------------------------------------------------------------------


def attach_method(function: Any, op: Op, name: str, varargs: bool, inplace: bool) -> None:
    """Makes the op a method of Tensor, and `<name>_` its in-place form."""
    if name in Tensor.__dict__ and getattr(Tensor.__dict__[name], "op", None) is None:
        raise TypeError(f"op {op.name}: Tensor.{name} exists already; pass method=False or another name")
    method = function
    if varargs:

        @functools.wraps(function)
        def method(self: Tensor, *numbers: Any, **kwargs: Any) -> Any:
            if len(numbers) == 1 or not numbers:
                return function(self, *numbers, **kwargs)
            return function(self, numbers, **kwargs)

    setattr(Tensor, name, method)
    if inplace:
        setattr(Tensor, f"{name}_", inplace_form(method, f"{name}_"))


def inplace_form(function: Any, name: str) -> Callable[..., Tensor]:
    """The in-place method that stores the function's result in its tensor."""

    def change(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self._assign(function(self, *args, **kwargs), name)

    change.__name__ = change.__qualname__ = name
    change.__doc__ = f"The in-place form of `{name.rstrip('_')}`: changes the tensor and returns it."
    return change


def attach_operator(function: Any, operator: str, inplace: bool) -> None:
    """Makes the op an operator of Tensor, both ways round."""
    setattr(Tensor, f"__{operator}__", function)
    code = function.__code__
    if code.co_argcount == 2 and operator not in ("eq", "ne", "lt", "le", "gt", "ge", "getitem"):
        setattr(Tensor, f"__r{operator}__", lambda self, other: function(other, self))
    if inplace:
        setattr(Tensor, f"__i{operator}__", inplace_form(function, f"__i{operator}__"))
