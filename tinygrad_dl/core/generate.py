"""The source of the functions that ops generate: from a signature to straight-line code.

A call unwraps its tensors, casts, calls the declared function on arrays, wraps the result and records a node.
Written out for each signature there is no `*args`, no look-up and no branch that this signature does not need;
that is what makes a small operation fast. Look at one:

>>> from tinygrad_dl.core.generate import Signature, call_source
>>> print(call_source(Signature(("input",), ("input",), ("input",)), ()))
def generated(input):
    try:
        if isinstance(input, Tensor): edge_input = input._edge; input = input._data
        else: edge_input = None; input = constant(input, op)
        if input.itemsize == 2: return in_half(op, None, (edge_input,), (input,))
        try:
            out = forward(input)
        except Exception as error:
            raise explain(error, op, (input,))
        if type(out) is not ndarray: out = asarray(out) if isinstance(out, generic) else one_result(out, op)
        result = new(Tensor); result._data = out
        if (edge_input is not None) and (not recording.stopped or modes.grad):
            node = Node(); node.edges = (edge_input,); node.hooks = None; node.seq = next_seq()
            plan = plans[1] or plan_for(1); save = plan.save
            node.plan = plan; node.saved = save(input, out) if save is not None else ()
            node.shape = out.shape; node.dtype = out.dtype; result._edge = node
        else: result._edge = None
        return result
    except Escape: found = locals()
    return transformed(op, found)
<BLANKLINE>
"""

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

# Other names of parameters, as NumPy has them: every op with `dim` takes `axis` too.
ALIASES = {"dim": "axis", "keepdim": "keepdims"}


class Signature(NamedTuple):
    """All that the code of an op's function depends on: ops of equal signatures share it."""

    positional: tuple[str, ...]  # the parameters that may be given by place
    parameters: tuple[str, ...]
    tensors: tuple[str, ...]
    sequence: str | None = None  # the parameter that takes several tensors
    aliases: tuple[str, ...] = ()  # NumPy's names that it takes too
    promotes: bool | tuple[str, ...] = False  # whether tensors are cast to a common dtype, or which
    floating: bool = False  # whether integers become floating first
    # What happens to half precision: "single", if it is computed in float32; "rounds once", if the function does that
    # itself, with arrays of one dtype; "exact", if nothing is computed.
    half: str = "single"
    real: bool = False  # whether complex numbers are refused
    records: bool = True
    outputs: Any = None
    view: bool = False
    aux: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()  # options that are real or complex numbers: a tensor given for one is read once
    kept: tuple[str, ...] = ()  # options of any kind that outlive the call: a list may be changed after it
    keeps_format: bool = False  # whether results have channels last if the first tensor has
    takes_out: bool = False  # whether there may be a tensor to write the result into: see `destination.py`
    only: tuple[str, ...] = ()  # tensors in whose place no Python number may stand


@functools.cache
def compiled(source: Callable[..., str], *given: Any) -> types.CodeType:
    """The code of a generated function; one for all ops of the same signature. Tracebacks show its source."""
    import linecache

    text = source(*given)
    filename = f"<tinygrad_dl {source.__name__} {abs(hash(given)):x}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    scope: dict[str, Any] = {}
    exec(compile(text, filename, "exec"), scope)
    code: types.CodeType = scope["generated"].__code__
    return code


def call_source(
    signature: Signature,
    plans: tuple[tuple[int, tuple[str, ...]], ...],
    with_values: bool = False,
    together: tuple[str, ...] = (),
    as_operator: bool = False,
) -> str:
    """The source of the function that users call; `plans` are written into it, see `Op.compile`.

    `with_values`: of one that records nothing, and returns with its result what rules read, by name.
    `together`: of one that gets the tangents `t` first, records nothing and returns with its result the tangent, both
    from a rule of `value_and_jvp` with these parameters.
    `as_operator`: of one that leaves operands which are no tensors, numbers or arrays to their own operators.
    """
    positional, parameters, tensors, sequence, aliases, promotes, floating, half, real, records, *rest = signature
    outputs, view, aux, numbers, kept, keeps_format, takes_out, only = rest
    records = records and not with_values and not together
    keywords = parameters[len(positional) :]
    head = [*positional, *(["*", *keywords, *aliases] if keywords or aliases else [])]
    asked: list[str] = []
    if takes_out:
        given = f"out, ({''.join(f'{name}, ' for name in positional)}), {named(keywords)}"
        head, asked = with_out(head, "op", given)
    arguments = ", ".join([*positional, *(f"{k}={k}" for k in keywords)])
    evaluated = [f"        {', '.join(['out', *aux])} = forward({arguments})"]
    if together:
        head = ["t", *head]
        evaluated = [
            f"        out = together({', '.join(together)})",
            "        if out is NotImplemented: return out",
            "        out, tangent = out",
        ]
    first = tensors[0]
    call = f"op, ({''.join(f'{name}, ' for name in parameters if name != first)})"
    begin = [
        f"def generated({', '.join(head)}):",
        *(f"    if {ALIASES[n]} is not UNSET: {n} = {ALIASES[n]}" for n in ALIASES if ALIASES[n] in aliases),
        *(
            f"    if type({n}) is not float and isinstance({n}, Tensor): {n} = number_of({n}, op, '{n}')"
            for n in numbers
        ),
        *(f"    if type({n}) is list: {n} = tuple({n})" for n in kept),
        *asked,
        "    try:",
    ]
    lines = [
        *(
            _unwrap_sequence(sequence, parameters, promotes, half)
            if sequence
            else _unwrap(tensors, parameters, promotes, floating, half, view, only, as_operator)
        ),
        *(
            f"    if {t} is not None and {t}.dtype in COMPLEX: raise not_real(op, {t}.dtype)"
            for t in (tensors if real else ())
            if t == first or (promotes is not True and t not in (promotes or ()))
        ),
        "    try:",
        *evaluated,
        "    except Exception as error:",
        f"        raise explain(error, op, ({', '.join(parameters)},))",
    ]
    laid = []
    if keeps_format:
        as_first = f"laid_like(out, {first})" if outputs is None else f"[laid_like(each, {first}) for each in out]"
        laid = [f"    if not {first}.flags.c_contiguous: out = {as_first}"]
    if outputs is None:
        lines += [
            "    if type(out) is not ndarray: out = asarray(out) if isinstance(out, generic) else one_result(out, op)",
            *laid,
            f"    result = new(Tensor); result._data = out{'' if records else '; result._edge = None'}",
        ]
    else:
        lines += [*laid, "    results = [wrap(each) for each in out]"]
    if records:
        # Whether the result may have a dtype without gradients though an argument requires one.
        joined = promotes if isinstance(promotes, tuple) else tensors if promotes else ()
        whole = "dtype" in parameters or (len(tensors) > 1 and set(joined) != set(tensors))
        lines += _record(parameters, tensors, sequence, outputs, aux, plans, whole and outputs is None)
    if view and outputs is None:
        lines += _note_view(first, call)
    elif view:
        lines.append(f"    if viewed is not None: note_views(results, viewed, {first}, {call})")
    returned = "result" if outputs is None else "tuple(results)" if outputs is tuple else "returns(*results)"
    if with_values:
        returned += f", {named((*parameters, 'out', *aux))}"
    if together:
        returned += ", tangent"
    # A tensor inside a transform has no array: reading it escapes, and the transform's rule takes over.
    end = ["    except Escape: found = locals()", "    return transformed(op, found)", ""]
    return "\n".join([*begin, *(f"    {line}" for line in lines), f"        return {returned}", *end])


def with_out(head: list[str], declared: str, given: str) -> tuple[list[str], list[str]]:
    """The parameters of a function with `out`, and the line that sees whether it was given.

    It is one of those that are given by name, if there are any. Otherwise it stands behind one that nobody gives: that
    takes a third of the time, since the defaults of those given by name are looked up at each call.
    """
    if any(name.startswith("*") for name in head):
        more = [name for name in head if name.startswith("**")]
        return [*head[: len(head) - len(more)], "out", *more], [
            f"    if out is not None: return into({declared}, None, {given})"
        ]
    return [*head, "surplus", "out"], [
        f"    if out is not None or surplus is not None: return into({declared}, surplus, {given})"
    ]


def named(names: Sequence[str]) -> str:
    """The source of a dict of variables by their names."""
    return f"{{{', '.join(f'{name!r}: {name}' for name in names)}}}"


def _note_view(first: str, call: str) -> list[str]:
    """Lines that note a result which shows the memory of the first tensor."""
    return [
        "    shown = out.base",
        f"    if viewed is not None and (shown is {first} or (shown is not None and shown is {first}.base)):",
        f"        note_view(result, viewed, {call})",
    ]


def _unwrap(
    tensors: tuple[str, ...],
    parameters: tuple[str, ...],
    promotes: bool | tuple[str, ...],
    floating: bool,
    half: str,
    view: bool,
    only: tuple[str, ...],
    as_operator: bool,
) -> list[str]:
    """Lines that turn the tensor arguments into arrays of one dtype and keep their edges, and the tensor viewed."""
    joined = promotes if isinstance(promotes, tuple) else tensors if promotes else ()
    mixed = len(joined) > 1
    lines = ["    mixed = False"] if mixed else []
    edges = ", ".join(f"edge_{t}" for t in tensors)
    in_half = f"return in_half(op, low, ({edges},), ({', '.join(parameters)},))"
    for t in tensors:
        like = "" if t == tensors[0] else f", {tensors[0]}"
        made = f"{t} = {'tensor_only' if t in only else 'constant'}({t}, op{like})"
        constant = "mixed = True" if mixed and t in joined and t not in only else made
        viewed = view and t == tensors[0]
        lines += [
            f"    if isinstance({t}, Tensor): {f'viewed = {t}; ' * viewed}edge_{t} = {t}._edge; {t} = {t}._data",
            *[left_alone(t, "elif")] * (as_operator and not (mixed and t in joined)),
            f"    else: {'viewed = ' * viewed}edge_{t} = None; {constant}",
        ]
    if mixed:
        word = "if"
        for t, number in (joined, joined[::-1]) if len(joined) == 2 else ():
            if number in only:
                continue
            # The usual case first: a number beside a tensor that requires a gradient, and so is floating.
            usual = f" and type({t}) is ndarray{'' if half == 'exact' else f' and {t}.itemsize != 2'}"
            lines.append(f"    {word} mixed and edge_{t} is not None and type({number}) in NUMBERS{usual}:")
            lines.append(f"        {number} = asarray({number}, {t}.dtype)")
            word = "elif"
        differ = [f"{joined[0]}.dtype is not {t}.dtype" for t in joined[1:]]
        lines.append(f"    {word} mixed or {' or '.join(differ)}:")
        lines += [f"    {left_alone(t, 'if')}" for t in joined if as_operator]
        lines.append(f"        low, {', '.join(joined)} = promote(op, {', '.join(joined)})")
        if half != "exact":
            lines.append(f"        if low is not None: {in_half}")
    if floating:  # what requires a gradient is floating already: only constants need the look
        constants = " and ".join(f"edge_{t} is None" for t in tensors)
        lines.append(f"    if {constants}: {', '.join(tensors)}, = as_floating({', '.join(tensors)})")
    if half == "single":
        lines.append(f"    if {(joined or tensors)[0]}.itemsize == 2: {in_half.replace('low', 'None')}")
    return lines


def left_alone(name: str, word: str) -> str:
    """The line of an operator that leaves an operand to its own operators, unless it is an array or a number."""
    return (
        f"    {word} type({name}) is not ndarray and type({name}) not in NUMBERS and has_own_operators({name}, op): "
        "return NotImplemented"
    )


def _unwrap_sequence(
    sequence: str, parameters: tuple[str, ...], promotes: bool | tuple[str, ...], half: str
) -> list[str]:
    """The same lines for a sequence of tensors."""
    values = f"({', '.join(parameters)},)"
    return [
        f"    if isinstance({sequence}, Tensor): raise not_several(op, {sequence})",
        f"    try: {sequence} = [*{sequence}]",
        f"    except TypeError as error: raise explain(error, op, ({', '.join(parameters)},))",
        f"    edges = tuple([t._edge if isinstance(t, Tensor) else None for t in {sequence}])",
        f"    {sequence} = [t._data if isinstance(t, Tensor) else constant(t, op) for t in {sequence}]",
        *([f"    low, *{sequence} = promote(op, *{sequence})"] if promotes else []),
        *([f"    if any_half({sequence}): return in_half(op, None, edges, {values})"] if half == "single" else []),
    ]


def _record(
    parameters: tuple[str, ...],
    tensors: tuple[str, ...],
    sequence: str | None,
    outputs: Any,
    aux: tuple[str, ...],
    plans: tuple[tuple[int, tuple[str, ...]], ...],
    whole: bool,
) -> list[str]:
    """Lines that record a node if an argument requires a gradient and, should that be open, the result can."""
    if sequence:
        recorded, mask, edges = "any([e is not None for e in edges])", "1", "edges"
    else:
        bits = [f"(edge_{t} is not None)" for t in tensors]
        recorded = " or ".join(f"edge_{t} is not None" for t in tensors)
        mask = " | ".join(f"{bit} << {i}" if i else bit for i, bit in enumerate(bits)) if len(tensors) > 1 else "1"
        edges = f"({', '.join(f'edge_{t}' for t in tensors)},)"
    fits = " and out.dtype.kind not in 'biu'" if whole else ""
    named = getattr(outputs, "_fields", ())
    saved = ", ".join([*parameters, "out", *aux, *(["*out"] if named else [])])
    lines = [
        f"    if ({recorded}) and (not recording.stopped or modes.grad){fits}:",
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
        lines.append("        connect_outputs(node, results)")
    if outputs is None:
        lines.append("    else: result._edge = None")
    return lines


def composed_source(
    head: str, arguments: str, names: tuple[str, ...], plain: tuple[str, ...], asked: tuple[str, ...] = ()
) -> str:
    """The source of the function that stands for a composition: its errors are explained.

    Tensors in the place of the arguments `plain` are refused before anything else.
    """
    values = f"({''.join(f'{n}, ' for n in names)})"
    types = ", ".join(f"type({n})" for n in plain)
    return "\n".join(
        [
            f"def generated({head}):",
            *([f"    if Tensor in ({types},): refuse_tensors(composed, {values})"] if plain else []),
            *asked,
            "    try:",
            f"        return body({arguments})",
            "    except Exception as error:",
            f"        raise explain(error, composed, {values})",
            "",
        ]
    )


def save_source(parameters: tuple[str, ...], items: tuple[str, ...]) -> str:
    """The source of the function that picks what a node keeps."""
    return f"def generated({', '.join(parameters)}):\n    return ({', '.join(items)},)\n"


def run_source(
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
    results = {tensor: f"rule_{tensor}({', '.join(names)})" if names else "g" for tensor, names in calls}
    if joint:
        lines.append(f"    joint = rule_joint({', '.join(joint[1])})")
        results |= {tensor: f"joint[{i}]" for i, tensor in enumerate(joint[0]) if tensor not in results}
    if sequence:
        lines.append(f"    return {results[sequence]}")
    else:
        lines.append(f"    return ({', '.join(results.get(t, 'None') for t in tensors)},)")
    return "\n".join(lines) + "\n"
