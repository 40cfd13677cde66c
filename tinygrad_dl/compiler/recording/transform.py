"""The source of a Python function with hooks in the place of operators, calls, subscripts and tests.

`a * b` becomes `HOOKS.mul(a, b)`, `f(x)` becomes `HOOKS.call(f, x)`, `if t:` becomes `if HOOKS.test(t):` and so on. The
rest stays as it is, and so do line numbers. HOOKS is a variable of an enclosing scope, so the globals of the function
are its own.
"""

from __future__ import annotations

import ast
from typing import Any

HOOKS = "_recording_hooks"

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}
UNARY: dict[type[ast.unaryop], str] = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}
# Calls that stay as they are: they look at the frame or count references, or give what no array can change.
UNTOUCHED = frozenset(("super", "locals", "getrefcount"))
HARMLESS = frozenset(("isinstance", "issubclass", "type", "id", "hasattr", "callable", "len", "repr"))
TRUTHS = frozenset(("isinstance", "issubclass", "hasattr", "callable"))
# Attributes behind which there is never an operation, for speed; and all that begin with an underscore.
STORED = frozenset(
    (
        "shape",
        "dtype",
        "ndim",
        "itemsize",
        "size",
        "flags",
        "strides",
        "base",
        "edges",
        "plan",
        "saved",
        "seq",
        "hooks",
        "save",
        "run",
        "kind",
        "char",
        "grad_fn",
        "c_contiguous",
        "writeable",
        "append",
        "items",
        "values",
    )
)


def instrumented(node: Any, users: bool, free: frozenset[str] = frozenset()) -> Any:
    """The node of a function, which is changed, with hooks in its body; without decorators, defaults, annotations.

    Args:
        users: whether it is a function of the user's, in which side effects are looked for.
        free: the variables of functions around it.
    """
    hooked = Instrument(users, free)
    arguments = node.args
    arguments.defaults, arguments.kw_defaults = [], [None] * len(arguments.kw_defaults)
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if each is not None:
            each.annotation = None
    # Python wants that those after one with a default have one: there are none left.
    if isinstance(node, ast.Lambda):
        node.body = hooked.visit(node.body)
        return node
    node.decorator_list, node.returns = [], None
    node.body = hooked.block(node.body)
    if users and arguments.kwarg is not None:  # a dict that this call has made
        made = hooked.hook("own", node.body[0], variable(arguments.kwarg.arg, node.body[0]))
        node.body.insert(0, ast.copy_location(ast.Expr(made), node.body[0]))
    return node


class Instrument(ast.NodeTransformer):
    """Puts hooks into the body of a function."""

    def __init__(self, users: bool, free: frozenset[str]):
        self.users, self.free = users, free
        self.outer: set[str] = set()  # names declared global
        self.count = 0

    # -- helpers ---------------------------------------------------------------------------------

    def hook(self, name: str, at: ast.AST, *arguments: ast.expr, keywords: list[ast.keyword] | None = None) -> ast.Call:
        function = ast.copy_location(ast.Attribute(variable(HOOKS, at), name, ast.Load()), at)
        return ast.copy_location(ast.Call(function, list(arguments), keywords or []), at)

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for statement in body:
            found = self.visit(statement)
            if isinstance(found, list):
                made += found
            elif found is not None:
                made.append(found)
        return made

    def tested(self, test: ast.expr) -> ast.expr:
        """A test, seen by the recorder if its value may depend on arrays."""
        if always_plain(test):
            visited: ast.expr = self.visit(test)
            return visited
        return self.hook("test", test, self.visit(test))

    def index(self, at: ast.expr) -> ast.expr:
        """An index as a value."""
        if isinstance(at, ast.Slice):
            parts = [(part and self.visit(part)) or constant(None, at) for part in (at.lower, at.upper, at.step)]
            return self.hook("slice", at, *parts)
        if isinstance(at, ast.Tuple) and any(isinstance(each, ast.Slice) for each in at.elts):
            return ast.copy_location(ast.Tuple([self.index(each) for each in at.elts], ast.Load()), at)
        found: ast.expr = self.visit(at)
        return found

    # -- expressions -----------------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        self.generic_visit(node)
        if text or isinstance(node.left, ast.JoinedStr):
            if self.users:
                node.right = self.hook("text", node, node.right)
            return node
        if isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant):
            return node
        return self.hook(BINARY[type(node.op)], node, node.left, node.right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            node.operand = self.tested(node.operand)
            return node
        self.generic_visit(node)
        if isinstance(node.operand, ast.Constant):
            return node
        return self.hook(UNARY[type(node.op)], node, node.operand)

    def visit_Compare(self, node: ast.Compare) -> Any:
        if len(node.ops) > 1 and any(type(op) in COMPARISONS for op in node.ops):
            names = [COMPARISONS.get(type(op)) or type(op).__name__ for op in node.ops]
            parts: list[ast.expr] = []
            for each in node.comparators:
                nothing = ast.arguments([], [], None, [], [], None, [])
                parts.append(ast.copy_location(ast.Lambda(nothing, self.visit(each)), each))
            kinds = ast.copy_location(ast.Tuple([constant(name, node) for name in names], ast.Load()), node)
            return self.hook("chain", node, kinds, self.visit(node.left), *parts)
        self.generic_visit(node)
        op = type(node.ops[0])
        if op in COMPARISONS:
            return self.hook(COMPARISONS[op], node, node.left, node.comparators[0])
        if self.users and op in (ast.In, ast.NotIn) and len(node.ops) == 1:
            found = self.hook("contains", node, node.comparators[0], node.left)
            return found if op is ast.In else ast.copy_location(ast.UnaryOp(ast.Not(), found), node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        *before, last = node.values
        node.values = [*(self.tested(each) for each in before), self.visit(last)]
        return node

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        node.test, node.body, node.orelse = self.tested(node.test), self.visit(node.body), self.visit(node.orelse)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        if not isinstance(node.ctx, ast.Load):
            return self.generic_visit(node)
        return self.hook("get", node, self.visit(node.value), self.index(node.slice))

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if node.attr in STORED or (node.attr.startswith("_") and not self.users) or not isinstance(node.ctx, ast.Load):
            return node
        return self.hook("attribute", node, node.value, constant(node.attr, node))

    def visit_Call(self, node: ast.Call) -> Any:
        function = node.func
        name = function.id if isinstance(function, ast.Name) else ""
        if name in UNTOUCHED or (isinstance(function, ast.Attribute) and function.attr in UNTOUCHED):
            return node
        arguments: list[ast.expr] = []
        for each in node.args:
            if isinstance(each, ast.Starred):
                value = self.hook("iterated", each, self.visit(each.value))
                arguments.append(ast.copy_location(ast.Starred(value, ast.Load()), each))
            else:
                arguments.append(self.visit(each))
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        if name in HARMLESS and not node.keywords:
            if self.users and name == "repr":
                arguments = [self.hook("text", node, each) for each in arguments]
            node.args = arguments
            return node
        if isinstance(function, ast.Attribute):  # a method: what stands in front of it is looked at, not the look-up
            function.value = self.visit(function.value)
        else:
            function = self.visit(function)
        return self.hook("call", node, function, *arguments, keywords=node.keywords)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        """Texts of the library's are those of its errors; a user's may show numbers that differ from run to run."""
        if not self.users:
            return node
        self.generic_visit(node)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.hook("text", part, part.value)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        self._inner(node)
        node.body = self.visit(node.body)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        node.iter = self.hook("iterated", node.iter, self.visit(node.iter))
        node.ifs = [self.tested(each) for each in node.ifs]
        node.target = self.visit(node.target) if isinstance(node.target, ast.Name) else node.target
        return node

    def _display(self, node: Any) -> Any:
        self.generic_visit(node)
        return self.hook("own", node, node) if self.users or isinstance(node, ast.Dict | ast.DictComp) else node

    def visit_List(self, node: ast.List) -> Any:
        return self._display(node) if isinstance(node.ctx, ast.Load) else node

    visit_Dict = visit_Set = visit_ListComp = visit_DictComp = visit_SetComp = _display

    # -- statements ------------------------------------------------------------------------------

    def _inner(self, node: Any) -> None:
        """The defaults of a function within are values; annotations are left out."""
        arguments = node.args
        arguments.defaults = [self.visit(each) for each in arguments.defaults]
        arguments.kw_defaults = [each and self.visit(each) for each in arguments.kw_defaults]
        for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if each is not None:
                each.annotation = None

    def visit_FunctionDef(self, node: Any) -> Any:
        self._inner(node)
        node.returns = None
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        node.body = self.block(node.body)
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Global(self, node: ast.Global) -> Any:
        self.outer.update(node.names)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> Any:
        self.outer.update(self.free.intersection(node.names))
        return node

    def visit_Delete(self, node: ast.Delete) -> Any:
        if not self.users:
            return self.generic_visit(node)
        held = [each.value for each in node.targets if isinstance(each, ast.Subscript | ast.Attribute)]
        checks = [ast.copy_location(ast.Expr(self.hook("deleted", node, each)), node) for each in held]
        return [*checks, node]

    def visit_Raise(self, node: ast.Raise) -> Any:
        return node

    def visit_If(self, node: Any) -> Any:
        node.test, node.body, node.orelse = self.tested(node.test), self.block(node.body), self.block(node.orelse)
        return node

    visit_While = visit_If

    def visit_Assert(self, node: ast.Assert) -> Any:
        node.test = self.tested(node.test)
        return node

    def visit_For(self, node: ast.For) -> Any:
        node.iter = self.hook("iterated", node.iter, self.visit(node.iter))
        node.target, after = self.targets(node.target)
        node.body, node.orelse = [*after, *self.block(node.body)], self.block(node.orelse)
        return node

    def visit_With(self, node: ast.With) -> Any:
        for item in node.items:
            item.context_expr = self.hook("context", item.context_expr, self.visit(item.context_expr))
        node.body = self.block(node.body)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node) if isinstance(node.target, ast.Name) else node
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        name, target, value = constant(BINARY[type(node.op)], node), node.target, self.visit(node.value)
        if isinstance(target, ast.Name):
            changed = self.hook("changed", node, name, variable(target.id, target), value)
            return [*self.stored(target, node), ast.copy_location(ast.Assign([target], changed), node)]
        if isinstance(target, ast.Attribute):
            held = self.visit(target.value)
            found = self.hook("change_attribute", node, name, held, constant(target.attr, target), value)
        else:
            held, at = self.visit(target.value), self.index(target.slice)
            found = self.hook("change_item", node, name, held, at, value)
        return ast.copy_location(ast.Expr(found), node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        value = self.visit(node.value)
        first = node.targets[0]
        if len(node.targets) == 1 and isinstance(first, ast.Name):
            node.value = value
            return [*self.stored(first, node), node]
        if len(node.targets) == 1 and isinstance(first, ast.Subscript | ast.Attribute):
            return self.store(first, value)
        if any(isinstance(each, ast.Tuple | ast.List) for each in node.targets) and not isinstance(value, ast.Tuple):
            value = self.hook("iterated", value, value)
        made: list[ast.stmt] = []
        targets: list[ast.expr] = []
        for target in node.targets:
            target, after = self.targets(target)
            targets.append(target)
            made += after
        node.targets, node.value = targets, value
        return [node, *made]

    def targets(self, target: ast.expr, apart: bool = False) -> tuple[ast.expr, list[ast.stmt]]:
        """A target of an assignment with variables in the place of subscripts and attributes; what stores these.

        `apart`: with variables in the place of names too.
        """
        if isinstance(target, ast.Name) and not apart:
            return target, self.stored(target, target)
        if isinstance(target, ast.Starred):
            target.value, after = self.targets(target.value, apart)
            return target, after
        if isinstance(target, ast.Tuple | ast.List):
            made: list[ast.stmt] = []
            # What the names of a subscript are, is what they were set to before it.
            apart = apart or any(isinstance(each, ast.Subscript | ast.Attribute) for each in ast.walk(target))
            for i, each in enumerate(target.elts):
                target.elts[i], after = self.targets(each, apart)
                made += after
            return target, made
        self.count += 1
        name = f"_recorded_{self.count}"
        if isinstance(target, ast.Name):
            stored = ast.copy_location(ast.Assign([target], variable(name, target)), target)
            return variable(name, target, ast.Store()), [*self.stored(target, target), stored]
        return variable(name, target, ast.Store()), [self.store(target, variable(name, target))]

    def store(self, target: Any, value: ast.expr) -> ast.stmt:
        """The statement that stores a value in an attribute or under an index."""
        held = self.visit(target.value)
        if isinstance(target, ast.Attribute):
            if target.attr.startswith("_") and not self.users:
                target.value = held
                return ast.copy_location(ast.Assign([target], value), target)
            found = self.hook("store_attribute", target, value, held, constant(target.attr, target))
        else:
            found = self.hook("store_item", target, value, held, self.index(target.slice))
        return ast.copy_location(ast.Expr(found), target)

    def stored(self, target: ast.Name, at: ast.AST) -> list[ast.stmt]:
        """What tells of the change of a global variable by the user's code."""
        if not self.users or target.id not in self.outer:
            return []
        return [ast.copy_location(ast.Expr(self.hook("store_global", at, constant(target.id, at))), at)]


def variable(name: str, at: ast.AST, context: ast.expr_context | None = None) -> ast.Name:
    return ast.copy_location(ast.Name(name, context or ast.Load()), at)


def constant(value: Any, at: ast.AST) -> ast.Constant:
    return ast.copy_location(ast.Constant(value), at)


def always_plain(test: ast.expr) -> bool:
    """Whether the truth of an expression never depends on the elements of arrays, by its form."""
    if isinstance(test, ast.Constant):
        return True
    if isinstance(test, ast.Compare):
        return all(type(op) in (ast.Is, ast.IsNot) for op in test.ops)
    if isinstance(test, ast.UnaryOp):
        return isinstance(test.op, ast.Not)
    if isinstance(test, ast.BoolOp):
        return all(map(always_plain, test.values))
    return isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id in TRUTHS
