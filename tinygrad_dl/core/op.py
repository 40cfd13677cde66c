"""What the registry keeps of an op: its signature and rules, and the function that users call, generated from them."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.destination import defaults_with_out, takes_out
from tinygrad_dl.core.generate import ALIASES, Signature, call_source, compiled
from tinygrad_dl.core.plan import Plan, reads
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.runtime import SCOPE, UNSET
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import Case, ErrorCase

op: Any = None  # another one in the scope of each op's function
NUMBER = frozenset(("float", "complex"))  # annotations of options that are numbers
# What the code made for an op calls its own variables (see `tinygrad_dl.core.generate`).
RESERVED = frozenset(
    (
        "batch",
        "edges",
        "error",
        "forward",
        "found",
        "into",
        "laid_like",
        "mixed",
        "needs",
        "node",
        "op",
        "out",
        "plan",
        "result",
        "save",
        "shown",
        "surplus",
        "t",
        "tangent",
        "together",
        "viewed",
    )
)


class Op(Record):
    """The declaration of an op, as the registry keeps it."""

    signature: Signature
    defaults: tuple[tuple[Any, ...] | None, dict[str, Any]]
    compiled = False
    evaluating: Any = None  # the function of `evaluated`, once made
    together: Any = None  # and that of `evaluated_with_tangent`
    operator: Any = None  # the function of `as_operator`, if it was asked for
    operates = False  # whether that was called

    def __init__(
        self, body: Callable[..., Any], name: str, numpy: tuple[Any, ...], cases: list[Any], errors: list[ErrorCase]
    ):
        # A body of nothing but its docstring stands for the NumPy function that the op is declared for.
        empty = body.__code__.co_code == _nothing.__code__.co_code and not body.__code__.co_names
        self.forward: Callable[..., Any] = numpy[0] if empty and numpy else body
        # NumPy's ufuncs compute half precision in single and round once, themselves.
        self.rounds_once = isinstance(self.forward, np.ufunc) and self.forward.signature is None
        self.name = name
        self.home = f"{body.__module__}.{body.__qualname__}"  # where it is declared
        self.node_name = "".join(part.capitalize() for part in name.split("_"))
        self.cases = [case if isinstance(case, Case) else Case(case) for case in cases]
        self.errors = errors
        code = body.__code__
        self.parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self.positional = code.co_varnames[: code.co_argcount]
        if code.co_flags & 0x0C:
            raise TypeError(f"op {name}: got *args or **kwargs, expected parameters by name")
        taken = RESERVED.intersection(self.parameters)
        if taken:
            raise TypeError(
                f"op {name}: got a parameter {min(taken)!r}, expected another name: the generated function and the "
                "rules use it themselves"
            )
        defaults = body.__defaults__ or ()
        required = set(self.positional[: len(self.positional) - len(defaults)])
        self.sequence = None
        tensors = []
        self.options: dict[str, str] = {}  # and their annotations
        for parameter in self.parameters:
            marked = body.__annotations__.get(parameter)
            text = marked if isinstance(marked, str) else getattr(marked, "__name__", str(marked))
            if marked is not None and "Arrays" in text:
                self.sequence = parameter
            if ("Array" in text or "Tensor" in text) if marked is not None else parameter in required:
                tensors.append(parameter)
            else:
                self.options[parameter] = text
        self.tensors = tuple(tensors)
        if self.sequence and len(tensors) > 1:
            raise TypeError(
                f"op {name}: got a parameter marked Arrays beside others, expected it as the only tensor parameter"
            )
        self.rules = {}
        self.joint = None
        self.tangents = {}
        self.joint_tangents = self.value_with_tangent = None
        self.carriers = {}
        self.batching = self.decomposed = None
        self.plans: list[Plan | None] = [None] * (2 ** max(1, len(tensors)))

    # -- rules -----------------------------------------------------------------------------------

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
            self._forget_plans()
            return rule

        return declare

    def jvp(self, **rules: Callable[..., Any] | None) -> None:
        """Declares what the tangent `t` of each named argument brings to that of the output; None: nothing.

        A rule reads what those of `vjp` may read. What the arguments bring is added up.
        """
        for argument, rule in rules.items():
            self._check_argument(argument)
            if rule is not None:
                self._check_rule(rule, "t", "the argument's tangent")
        self.tangents.update(rules)
        self.carriers.clear()

    def joint_jvp(self, *arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates one rule for the tangents of all the named arguments, a tuple `t` with None where there is none."""

        def declare(rule: Callable[..., Any]) -> Callable[..., Any]:
            for argument in arguments:
                self._check_argument(argument)
            self._check_rule(rule, "t", "the tuple of the arguments' tangents")
            self.joint_tangents = arguments, rule
            self.carriers.clear()
            return rule

        return declare

    def value_and_jvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declares how arrays go through the op together with their tangents, where the two share work.

        The rule gets a tuple `t` with the tangent of each tensor argument, None where there is none, and reads
        arguments by name. It returns (result, tangent), two arrays that nobody else has, or NotImplemented for
        arguments on which it would gain nothing. `jvp` is declared beside it, for tensors of nested transforms.
        """
        self._check_rule(rule, "t", "the tuple of the arguments' tangents")
        unknown = [name for name in reads(rule)[1:] if name not in self.parameters]
        if unknown:
            raise TypeError(f"op {self.name}: got a rule that reads {unknown}, expected arguments of the op")
        self.value_with_tangent, self.together = rule, None
        return rule

    def vmap(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declares what the op does with tensors that have a batch dimension in front; returns such ones.

        The rule reads arguments by name, and `batch` (see `tinygrad_dl.batching.Batch`).
        """
        known = {"batch", *self.parameters}
        unknown = [name for name in reads(rule) if name not in known]
        if unknown:
            raise TypeError(f"op {self.name}: got a rule that reads {unknown}, expected names among {sorted(known)}")
        self.batching = rule
        return rule

    def decompose(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declares the op as other ops, of its arguments by name: how transforms without a rule for it see it."""
        self.decomposed = rule
        return rule

    def describe(self) -> str:
        """The declaration in plain words: kind, arguments, the source of each rule, and the code that a call runs.

        >>> import tinygrad_dl as td
        >>> print("\\n".join(td.mul.op.describe().splitlines()[:5]))
        mul, declared at tinygrad_dl.ops.pointwise.arithmetic.mul
        kind: elementwise: each element of the result comes from the elements at its place
        tensors: input, other
        gradient of input: lambda g, other: g * other
        gradient of other: lambda g, input: g * input
        """
        from tinygrad_dl.core.declared import described

        if not self.compiled:
            self.compile()
        return described(self)

    def _check_argument(self, argument: str) -> None:
        if argument not in self.tensors:
            raise TypeError(f"op {self.name}: got a rule for {argument!r}, expected one of the tensors {self.tensors}")

    def _check_rule(self, rule: Callable[..., Any], given: str = "g", meaning: str = "the output's gradient") -> None:
        known = {"out", "needs", *self.parameters, *self.aux, *self.output_names}
        known |= {f"{t}_shape" for t in self.tensors}
        names = reads(rule)
        if not names or names[0] != given:
            raise TypeError(
                f"op {self.name}: got a rule with the parameters {names}, expected {given}, {meaning}, as the first"
            )
        unknown = [n for n in names[1:] if n not in known]
        if unknown:
            raise TypeError(f"op {self.name}: got a rule that reads {unknown}, expected names among {sorted(known)}")

    def plan(self, mask: int) -> Plan:
        """The plan for the pattern of tensor arguments that require a gradient."""
        found = self.plans[mask]
        if found is None:
            found = self.plans[mask] = Plan(self, mask)
            self.compile()
        return found

    def _forget_plans(self) -> None:
        """Called when rules change: plans are made anew when next needed."""
        self.plans[:] = [None] * len(self.plans)  # in place: the generated function holds this list
        self.carriers.clear()
        if self.compiled:
            self.compile()

    # -- the function that users call -----------------------------------------------------------

    def make_function(self, body: Any) -> Any:
        """The function that users call. Its code is written at the first call: imports stay fast."""
        aliases = tuple(a for name, a in ALIASES.items() if name in self.parameters and a not in self.parameters)
        half = "exact" if self.exact else "rounds once" if self.rounds_once else "single"
        self.signature = Signature(
            self.positional,
            self.parameters,
            self.tensors,
            self.sequence,
            aliases,
            self.promotes,
            self.floating,
            half,
            self.real,
            self.records,
            self.outputs,
            self.view,
            tuple(self.aux),
            keeps_format=self.keeps_format,
            takes_out=takes_out(body, self.name),
            only={"none": self.tensors, "other": self.tensors[:1]}.get(self.scalars, ()),
        )
        self.defaults = body.__defaults__, {**(body.__kwdefaults__ or {}), **dict.fromkeys(aliases, UNSET)}
        scope = {
            "__builtins__": SCOPE,  # one for all ops, in which names can be exchanged
            "__name__": __name__,
            "forward": self.forward,
            "op": self,
            "plans": self.plans,
            "plan_for": self.plan,
            "returns": self.outputs,
        }
        function: Any = types.FunctionType(_first_call.__code__, scope, self.name)
        function.__doc__, function.__module__ = body.__doc__, body.__module__
        function.__annotations__ = body.__annotations__
        function.__qualname__ = self.name
        function.__wrapped__ = body  # whose signature `help` and `inspect` show
        function.op, function.vjp, function.joint_vjp = self, self.vjp, self.joint_vjp
        function.jvp, function.joint_jvp, function.value_and_jvp = self.jvp, self.joint_jvp, self.value_and_jvp
        function.vmap, function.decompose = self.vmap, self.decompose
        function.generic = self.generic
        self.function = function
        return function

    def compile(self) -> None:
        """Gives the function its code, with the plans known so far written into it.

        That saves a call and two look-ups on every recorded operation; other patterns go the general way.
        """
        known = [(mask, plan) for mask, plan in enumerate(self.plans) if plan is not None]
        if self.sequence or len(self.tensors) > 2:
            known = []
        function = self.function
        rules = [*self.rules.values(), self.joint and self.joint[1], *self.aux.values()]
        read = {name for rule in rules if rule for name in reads(rule)}
        self.signature = self.signature._replace(
            numbers=tuple(n for n, text in self.options.items() if NUMBER.intersection(text.split(" | "))),
            # What rules read or, of a view, what takes it again after its base was changed.
            kept=tuple(n for n, text in self.options.items() if text == "Any" and (self.view or n in read)),
        )
        function.__globals__.update({f"plan_{mask}": plan for mask, plan in known})
        items = tuple((mask, plan.items) for mask, plan in known)
        self._write(function, compiled(call_source, self.signature, items))
        if self.operates:
            self._write(self.operator, compiled(call_source, self.signature, items, False, (), True))
        self.compiled = True

    def _write(self, function: Any, code: types.CodeType) -> None:
        # The op's own name is what tracebacks and profilers show.
        function.__code__ = code.replace(co_name=self.name, co_qualname=self.name)
        function.__defaults__, function.__kwdefaults__ = self._all_defaults()

    def as_operator(self) -> Any:
        """The function as `+` and its like call it: operands with operators of their own give NotImplemented."""
        if self.operator is None:
            self.operator = types.FunctionType(_first_operation.__code__, self.function.__globals__, self.name)
            functools.update_wrapper(self.operator, self.function)
        return self.operator

    def _all_defaults(self) -> tuple[Any, Any]:
        """The defaults of the generated functions: those of the declaration, and of `out`."""
        if not self.signature.takes_out:
            return self.defaults
        by_name = len(self.parameters) > len(self.positional) or self.signature.aliases
        return defaults_with_out(("*",) if by_name else (), *self.defaults)

    def evaluated(self, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The result for arguments by name, not recorded, and the arrays that rules read, by name."""
        if self.evaluating is None:
            self.evaluating = self._variant(True)
        positional = [given[name] for name in self.positional]
        options = {name: given[name] for name in self.parameters[len(positional) :]}
        found: tuple[Any, dict[str, Any]] = self.evaluating(*positional, **options)
        return found

    def evaluated_with_tangent(self, given: dict[str, Any], t: tuple[Any, ...]) -> Any:
        """The result and its tangent, not recorded, by the rule of `value_and_jvp`, which may be NotImplemented."""
        if self.together is None:
            self.function.__globals__["together"] = self.value_with_tangent
            self.together = self._variant(False, reads(self.value_with_tangent))  # type: ignore[arg-type]
        positional = [given[name] for name in self.positional]
        options = {name: given[name] for name in self.parameters[len(positional) :]}
        return self.together(t, *positional, **options)

    def _variant(self, *which: Any) -> Any:
        """Another function made of the op's signature: see `call_source`."""
        code = compiled(call_source, self.signature, (), *which).replace(co_name=self.name, co_qualname=self.name)
        made = types.FunctionType(code, self.function.__globals__)
        made.__defaults__, made.__kwdefaults__ = self._all_defaults()
        return made

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        """The op on whatever comes: tensors give a tensor, bare arrays an array. For use in rules."""
        for value in args:
            if isinstance(value, Tensor) or (type(value) is list and any(isinstance(t, Tensor) for t in value)):
                return self.function(*args, **kwargs)
        out = self.forward(*args, **kwargs)
        return out[0] if self.aux else out


def _first_call(*args: Any, **kwargs: Any) -> Any:
    """The code of an op's function until it is called: its names are those of the op's own scope."""
    op.compile()
    return op.function(*args, **kwargs)


def _first_operation(*args: Any) -> Any:
    """The same for its function as an operator."""
    op.operates = True
    op.compile()
    return op.operator(*args)


def _nothing() -> None:
    """Compared with the bodies of ops, to know an empty one."""


def has_integers(function: Any) -> bool:
    """Whether a ufunc makes integers of integers; what is no ufunc may. NumPy writes a loop's types as "ll->l"."""
    return any(loop.endswith("l->l") for loop in getattr(function, "types", ("l->l",)))
