"""What an op's declaration says, in plain words and with the source of each rule, so that it is never out of date."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_dl.core.record import Record

MEANINGS = {
    "elementwise": "each element of the result comes from the elements at its place",
    "reduction": "takes dimensions away",
    "scan": "goes along a dimension",
    "batched": "takes any dimensions in front as they are",
    "folded": "the first dimension of its tensors is a batch",
    "loss": "elementwise, with a reduction after it",
    "general": "of no particular kind",
}


def described(record: Record) -> str:
    """A few lines: the kind, the arguments, the rules by their source, and what a call runs."""
    options = [name for name in record.parameters if name not in record.tensors]
    lines = [
        f"{record.key}, declared at {record.home}",
        f"kind: {record.kind}: {MEANINGS.get(record.kind, record.kind)}",
        f"tensors: {', '.join(record.tensors)}" + (f"; options: {', '.join(options)}" if options else ""),
    ]
    if record.linear:
        lines.append(f"linear in: {', '.join(record.linear)}")
    if record.constants:
        lines.append(f"no gradient: {', '.join(record.constants)}")
    lines += rules("gradient of", record.rules, record.joint)
    lines += rules("what the tangent brings of", record.tangents, record.joint_tangents)
    others = ("result and tangent", record.value_with_tangent), ("vmap", record.batching)
    for title, rule in (*others, ("as other ops", record.decomposed)):
        if rule is not None:
            lines.append(f"{title}: {source_of(rule)}")
    code = record.function.__code__
    generated = linecache.getlines(code.co_filename) if code.co_filename.startswith("<") else []
    if generated:
        lines += ["what a call runs:", *("    " + line.rstrip("\n") for line in generated)]
    return "\n".join(lines)


def rules(title: str, by_argument: dict[str, Callable[..., Any] | None], joint: Any) -> Iterator[str]:
    """A line for each rule of one kind."""
    for argument, rule in by_argument.items():
        yield f"{title} {argument}: {'none' if rule is None else source_of(rule)}"
    if joint is not None:
        yield f"{title} {', '.join(joint[0])}, together: {source_of(joint[1])}"


def source_of(rule: Callable[..., Any]) -> str:
    """A lambda's own source; of a function that has a name, that name and where it is."""
    found = lambda_of(rule)
    return ast.unparse(found) if found else f"{rule.__name__}{inspect.signature(rule)} in {rule.__module__}"


def lambda_of(rule: Callable[..., Any]) -> ast.Lambda | None:
    """The source of a rule that is a lambda; None if it is none, or its file can't be read."""
    code = rule.__code__
    if code.co_name != "<lambda>":
        return None
    # Several lambdas may stand in a line: the one is meant in whose body the instructions lie.
    places = [(line, column) for line, _, column, _ in code.co_positions() if line and column]
    text = "".join(linecache.getlines(code.co_filename))
    for node in ast.walk(ast.parse(text)) if places and text else ():
        if isinstance(node, ast.Lambda):
            start, end = (node.body.lineno, node.body.col_offset), (node.body.end_lineno, node.body.end_col_offset)
            if all(start <= place < end for place in places):
                return node
    return None
