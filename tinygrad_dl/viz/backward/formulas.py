"""Operations and the rules of their gradients as formulas, with the names of the tensors that one call was given.

A rule that is a lambda is its own formula: `lambda g, out: g * (1 - out * out)` becomes `h.grad * (1 - h * h)`. One
that is a function states a formula of its parameters in the first paragraph of its docstring, such as
`g * (exponent * input ** (exponent - 1))`. A formula that does not always hold is a conditional expression, None where
it does not. Functions that a rule calls are replaced by their formulas in the same way. What depends on shapes and
options alone is computed. A rule without a formula is written as a call of itself.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
import types
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.declared import lambda_of
from tinygrad_dl.core.graph import Edge, Leaf, Node, Output, topological
from tinygrad_dl.core.plan import reads
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.viz.known.arguments import SIGNS, constants, held, kept, known, options, written
from tinygrad_dl.viz.known.names import kind_of
from tinygrad_dl.viz.known.naming import names_for


class Numbered:
    """The nodes and leaves of a graph with the names by which lines speak of them: given ones, or %1, %2, ...

    Attributes:
        nodes, leaves: of the graph, oldest first. of: their names.

    Args:
        outputs: where the graph ends. params: names that the caller gave. around: variables that may give more.
    """

    def __init__(self, outputs: Sequence[Tensor], params: Any, around: Mapping[str, Any] | None = None):
        roots = [output._edge for output in outputs if output._edge is not None]
        found = list(reversed(topological(roots)))
        self.nodes = [node for node in found if isinstance(node, Node)]
        self.names = names_for(self.nodes, params, around or {})
        self.of: dict[Any, str] = {node: self.names.find(node) or f"%{i}" for i, node in enumerate(self.nodes, 1)}
        self.leaves: list[Leaf] = []
        unnamed: Counter[str] = Counter()
        self._outputs: dict[tuple[Node, int], str] = {}
        for edge in [*(edge for node in self.nodes for edge in node.edges), *roots]:
            if type(edge) is Output and self.names.find(edge) is not None:
                self._outputs[edge.node, edge.index] = str(self.names.find(edge))
            if type(edge) is not Leaf or edge in self.of:
                continue
            name, kind = self.names.find(edge), kind_of(edge, self.names)
            if name is None:
                unnamed[kind] += 1
                name = f"{kind} {unnamed[kind]}"
            self.of[edge] = name
            self.leaves.append(edge)

    def value(self, edge: Edge) -> str:
        """The name of the tensor at an edge."""
        return self.output(edge.node, edge.index) if type(edge) is Output else self.of[edge]

    def output(self, node: Node, index: int) -> str:
        """The name of one output of a node."""
        if type(node.dtype) is not tuple:
            return self.of[node]
        if (node, index) in self._outputs:
            return self._outputs[node, index]
        op = getattr(node.plan, "op", None)
        return f"{self.of[node]}.{op.output_names[index]}" if op and op.output_names else f"{self.of[node]}[{index}]"

    def argument(self, node: Node, position: int) -> str | None:
        """The argument at an edge of a node, as text; "_" if nothing is known of it, None if it was not given."""
        edge = node.edges[position]
        if edge is not None:
            return self.value(edge)
        name = node.plan.argument(position)
        array = held(node, name)
        if array is not None and id(array) in self.names.of:
            return self.names.of[id(array)]
        found = constants(node).get(position)
        return written(found[1]) if found else None if known(node).get(name, node) is None else "_"


def expression(node: Node, numbered: Numbered) -> str:
    """The call that a node recorded, as one would write it."""
    op = getattr(node.plan, "op", None)
    read = [numbered.argument(node, position) for position in range(len(node.edges))]
    if op is None:  # a Function of the user's
        return f"{node.title}({', '.join(text or 'None' for text in read)})"
    inputs = [f"[{', '.join(map(str, read))}]"] if op.sequence else [text for text in read if text is not None]
    if op.key in SIGNS and len(inputs) == 2:
        return f" {SIGNS[op.key]} ".join(inputs)
    given = [f"{name}={written(value)}" for name, value in options(node).items()]
    return f"{op.name}({', '.join([*inputs, *given])})"


# -- rules ---------------------------------------------------------------------------------------


def rule_formula(node: Node, position: int, numbered: Numbered, values: Mapping[str, Any]) -> str:
    """The rule of the gradient of a node's input, with the names of this call; `x.grad` is the gradient of `x`.

    Args:
        position: the number of the input among the node's edges.
        values: what the rules of the node read, by name: decides which case of a formula holds.

    >>> import tinygrad_dl as td
    >>> w = td.tensor(3.0, requires_grad=True)
    >>> y = (w * 2).tanh()
    >>> rule_formula(y.grad_fn, 0, Numbered([y], {"y": y}), {})
    'y.grad * (1 - y * y)'
    """
    several = type(node.dtype) is tuple
    arrived = [f"{numbered.output(node, i)}.grad" for i in range(len(node.shape) if several else 1)]
    plan: Any = node.plan
    op = getattr(plan, "op", None)
    if op is None:
        call = f"{node.title}.backward({', '.join(arrived)})"
        return call if len(node.edges) == 1 else f"{call}[{position}]"
    dtypes = node.dtype if several else [node.dtype]
    # Rules of ops work on the conjugates of complex gradients.
    arrived = [f"conj({each})" if dtype.kind == "c" else each for each, dtype in zip(arrived, dtypes, strict=True)]
    name = op.sequence or op.tensors[position]
    joint = name not in plan.rules
    rule = plan.joint[1] if joint else plan.rules[name]
    place = plan.joint[0].index(name) if joint else position if op.sequence else None
    parts = parts_of(node, numbered)
    parts["g"] = ast.List([ast.Name(each) for each in arrived]) if several else ast.Name(arrived[0])
    if joint:
        parts["needs"] = raw(str(tuple(each in plan.wanted for each in plan.joint[0])))
    tree = filled(rule, parts, values)
    if tree is None:
        given = [parts.get(each, ast.Name(each)) for each in reads(rule)]
        tree = ast.Call(ast.Name(rule.__name__.strip("_")), given, [])
    elif isinstance(tree, ast.Tuple | ast.List) and place is not None:
        tree, place = tree.elts[place], None
    text = ast.unparse(tree) if place is None else f"{ast.unparse(tree)}[{place}]"
    edge = node.edges[position]
    return f"conj({text})" if edge is not None and edge.dtype.kind == "c" else text


def parts_of(node: Node, numbered: Numbered) -> dict[str, ast.expr]:
    """What stands in a formula for the names that rules read."""
    op = node.plan.op  # type: ignore[attr-defined]
    texts = {name: written(value) for name, value in {**known(node), **kept(node)}.items() if name in op.parameters}
    read = []
    for position in range(len(node.edges)):
        text = numbered.argument(node, position) or "None"
        nameless = text == "_" or text.startswith("array(")  # the name of the parameter says more
        read.append(node.plan.argument(position) if nameless else text)
    if op.sequence:
        texts[op.sequence] = f"[{', '.join(read)}]"
        texts[f"{op.sequence}_shape"] = str([() if edge is None else tuple(edge.shape) for edge in node.edges])
    else:
        texts |= dict(zip(op.tensors, read, strict=True))
        shaped = ((name, edge) for name, edge in zip(op.tensors, node.edges, strict=True) if edge is not None)
        texts |= {f"{name}_shape": str(tuple(edge.shape)) for name, edge in shaped}
    texts |= {name: numbered.output(node, i) for i, name in enumerate(op.output_names)}
    if not op.output_names:
        texts["out"] = numbered.output(node, 0)
    return {name: raw(text) for name, text in texts.items()}


@functools.lru_cache(4096)
def formula_of(rule: Callable[..., Any]) -> ast.expr | None:
    """The formula of a rule: the body of a lambda, or what begins the docstring of a function; None if there is none.

    >>> ast.unparse(formula_of(lambda g, input: g * 2))
    'g * 2'
    """
    found = lambda_of(rule)
    if found is not None:
        return found.body
    text = " ".join((rule.__doc__ or "").partition("\n\n")[0].split()).removesuffix(".")
    for each in (text, text.partition(";")[0]):
        try:
            with warnings.catch_warnings(action="ignore"):  # words may look like odd numbers
                tree = ast.parse(each, mode="eval").body
        except SyntaxError:
            continue
        if any(isinstance(part, ast.Name) and part.id in reads(rule) for part in ast.walk(tree)):
            return tree
    return None


LITERAL = re.compile(r"(?:None|True|False|'[^']*'|\d(?:e[-+]?\d|j)?|[-+.,()\[\] ])+")


@functools.lru_cache(4096)
def raw(text: str) -> ast.expr:
    """A text as a part of a formula: a literal as one, anything else as it is."""
    if LITERAL.fullmatch(text):
        try:
            return ast.parse(text, mode="eval").body
        except SyntaxError:
            pass
    return ast.Name(text)


PARTS = {"shape", "ndim", "size"}  # what of an array is known without its elements
DEEPEST = 8  # functions inside of each other that are replaced by their formulas


def filled(
    rule: Callable[..., Any], parts: Mapping[str, ast.expr], values: Mapping[str, Any], depth: int = 0
) -> ast.expr | None:
    """The formula of a rule with these parts in the place of its parameters; None if it has none for this case."""
    tree = formula_of(rule)
    if tree is None or depth > DEEPEST:
        return None
    found = Fill(rule, parts, values, depth).visit(tree)
    return None if isinstance(found, ast.Constant) and found.value is None else found


class Fill:
    """Puts the parts of a call into a formula, takes the cases that hold, and computes what needs no elements.

    The formula stays as it is: what is changed is made anew.
    """

    def __init__(self, rule: Callable[..., Any], parts: Mapping[str, ast.expr], values: Mapping[str, Any], depth: int):
        self.parts, self.values, self.depth = parts, values, depth
        self.scope, self.names = rule.__globals__, set(reads(rule))

    def visit(self, node: Any) -> Any:
        """A part of the formula with all that is put into it."""
        if isinstance(node, list):
            return [self.visit(each) for each in node]
        if not isinstance(node, ast.AST) or not node._fields:
            return node
        if isinstance(node, ast.Call | ast.BinOp | ast.Subscript | ast.Attribute) and self.is_plain(node):
            found = self.computed(node)
            if type(found) in (int, float, tuple, list):
                return raw(repr(found))
        special = getattr(self, f"visit_{type(node).__name__}", self.anew)
        return special(node)

    def anew(self, node: Any) -> Any:
        """The same kind of part, made of what becomes of its own parts."""
        return type(node)(**{field: self.visit(getattr(node, field, None)) for field in node._fields})

    def is_plain(self, node: ast.AST) -> bool:
        """Whether a part reads something of the call, and no elements of an array."""
        if isinstance(node, ast.Attribute) and node.attr in PARTS and isinstance(node.value, ast.Name):
            return node.value.id in self.names
        if isinstance(node, ast.Name):
            known = node.id in self.values and not isinstance(self.values[node.id], np.ndarray | list)
            return known and node.id in self.names
        children = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        own = [child for child in children if not isinstance(child, ast.Constant) and not self.is_global(child)]
        return bool(own) and all(map(self.is_plain, own))

    def is_global(self, node: ast.AST) -> bool:
        """Whether a part is a name from outside of the rule: a function, or one of a module."""
        if isinstance(node, ast.Attribute):
            return self.is_global(node.value)
        outside = isinstance(node, ast.Name) and node.id not in self.names
        return outside and (node.id in self.scope or hasattr(builtins, node.id))  # type: ignore[attr-defined]

    def computed(self, node: Any) -> Any:
        """The value of a part of the formula, or NotImplemented."""
        code = getattr(node, "code", None)
        if code is None:
            code = node.code = compile(ast.fix_missing_locations(ast.Expression(node)), "<formula>", "eval")
        try:
            return eval(code, self.scope, self.values)
        except Exception:  # not everything is known
            return NotImplemented

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        holds = self.computed(node.test)
        return self.anew(node) if holds is NotImplemented else self.visit(node.body if holds else node.orelse)

    def visit_Name(self, node: ast.Name) -> Any:
        return self.parts.get(node.id, node)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        found = self.anew(node)
        index = found.slice
        numbered = isinstance(index, ast.Constant) and isinstance(index.value, int)
        if numbered and isinstance(found.value, ast.List | ast.Tuple):
            return found.value.elts[index.value]
        return found

    def visit_Call(self, node: ast.Call) -> Any:
        function = self.computed(node.func) if self.is_global(node.func) else None
        if isinstance(function, types.FunctionType) and not node.keywords and formula_of(function) is not None:
            given = dict(zip(reads(function), node.args, strict=False))
            values = {name: self.computed(each) for name, each in given.items() if self.is_cheap(each)}
            values = {name: value for name, value in values.items() if value is not NotImplemented}
            parts = {name: self.visit(each) for name, each in given.items()}
            inner = filled(function, parts, values, self.depth + 1)
            if inner is not None:
                return inner
        return self.anew(node)

    def is_cheap(self, node: ast.expr) -> bool:
        """Whether a part is computed without going through the elements of an array."""
        return isinstance(node, ast.Name | ast.Constant) or self.is_plain(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        found = self.anew(node)
        if isinstance(found.op, ast.Invert) and isinstance(found.operand, ast.Constant):  # of a condition
            return ast.Constant(not found.operand.value)
        return found

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        found = self.anew(node)
        if isinstance(found.left, ast.Constant) and isinstance(found.right, ast.Constant):
            value = self.computed(found)  # of an option that was an array
            return raw(repr(value)) if type(value) in (int, float) else found
        return found

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id == "np":
            return ast.Name(node.attr)
        if node.attr == "generic":  # an op that takes arrays too
            return self.visit(node.value)
        return self.anew(node)


__all__ = ["Numbered", "expression", "formula_of", "rule_formula"]
