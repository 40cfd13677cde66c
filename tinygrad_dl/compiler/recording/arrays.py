"""NumPy's functions and methods as calls of a program: one handler for each kind of function."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.compiler.program import Constant, Items, Operand, Scalar, View
from tinygrad_dl.compiler.recording.memory import contiguous, owner_of
from tinygrad_dl.compiler.recording.numbers import TracedInt, plain
from tinygrad_dl.compiler.recording.record import Record

clip_ufunc: Any = np._core.umath.clip  # type: ignore[attr-defined]

EMPTY = (np.empty, np.empty_like)
FILLED = (np.zeros, np.zeros_like, np.ones, np.ones_like, np.full, np.full_like)
COPIES = frozenset(
    (
        "reshape",
        "ravel",
        "flatten",
        "copy",
        "astype",
        "ascontiguousarray",
        "asfortranarray",
        "asarray",
        "array",
        "asanyarray",
        "require",
        "real",
        "imag",
        "view",
        "transpose",
        "squeeze",
        "swapaxes",
        "broadcast_to",
    )
)
REDUCTIONS = {
    "sum": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "amax": np.maximum,
    "amin": np.minimum,
    "any": np.logical_or,
    "all": np.logical_and,
}
# What says nothing of the elements of its arguments.
ABOUT = frozenset(
    (
        "shares_memory",
        "may_share_memory",
        "byte_bounds",
        "result_type",
        "can_cast",
        "broadcast_shapes",
        "iinfo",
        "finfo",
        "ndim",
        "shape",
        "size",
        "isscalar",
        "promote_types",
        "min_scalar_type",
        "common_type",
        "iscomplexobj",
        "dtype",
        "isrealobj",
        "errstate",
        "normalize_axis_index",
        "normalize_axis_tuple",
        "issubdtype",
        "geterr",
        "seterr",
        "einsum_path",
    )
)
# Functions that can write their result where they are told.
TAKE_OUT = frozenset(
    (
        "take",
        "concatenate",
        "stack",
        "einsum",
        "mean",
        "var",
        "std",
        "argmax",
        "argmin",
        "cumsum",
        "cumprod",
        "round",
        "choose",
        "compress",
        "trace",
        "accumulate",
        "reduceat",
        "outer",
        "median",
        "nansum",
        "nanmean",
        "around",
        "quantile",
        "percentile",
    )
)
CHANGE = frozenset(("put", "place", "putmask", "fill_diagonal", "put_along_axis", "sort", "partition", "at", "setitem"))
# The size of what these return depends on the elements.
SIZED = frozenset(
    (
        "nonzero",
        "unique",
        "flatnonzero",
        "argwhere",
        "extract",
        "compress",
        "bincount",
        "setdiff1d",
        "union1d",
        "intersect1d",
        "unique_values",
        "unique_counts",
        "unique_inverse",
        "unique_all",
        "trim_zeros",
    )
)
LAST_TEXT = frozenset(
    ("tobytes", "dumps", "dump", "tofile", "array2string", "array_str", "array_repr", "save", "savez")
)


# Functions whose integers are elements.
OF_VALUES = frozenset({"where", "asarray", "array", "copyto", "fill", "clip", "put", "searchsorted", "dot", "isclose"})


def name_of(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def plain_options(options: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in options.items()}


class Arrays:
    """Runs NumPy's functions and writes them down."""

    def __init__(self, record: Record):
        self.record = record

    # -- ufuncs ----------------------------------------------------------------------------------

    def ufunc(self, function: np.ufunc, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        record = self.record
        inputs, outs = args[: function.nin], args[function.nin :]
        given = options.pop("out", None) if options else None
        if outs:
            given = outs[0] if len(outs) == 1 else outs
        if type(given) is tuple and len(given) == 1:
            given = given[0]
        if given is None and not any(map(record.depends, inputs)):
            return function(*inputs, **options)
        operands = [record.operand(each) for each in inputs]
        more = {name: record.operand(value) for name, value in options.items()}
        if given is not None:
            options = {**options, "out": given}
        result = function(*map(plain, inputs), **plain_options(options))
        if given is None:
            out = record.result(result)
        else:
            self.written(given)
            out = record.operand(given, read=False)
        if isinstance(out, Scalar) and not any(isinstance(each, np.ndarray) for each in inputs):
            record.add("scalar", function, operands, more, out)
        elif function is np.matmul and isinstance(out, View) and not more:
            record.add("product", np.matmul, operands, out=out)
        else:
            record.add("ufunc", function, operands, more, out)
        return result

    def written(self, target: Any) -> None:
        """Called with what is about to be noted as changed."""

    def operator(self, function: np.ufunc, python: Callable[..., Any], *operands: Any) -> Any:
        """An operator of which at least one operand is an array, or a number of NumPy's."""
        record = self.record
        if function is np.power and type(operands[0]) is np.ndarray:
            return self.power(*operands)
        taken = [record.operand(each) for each in operands]
        result = python(*map(plain, operands))
        if not any(type(each) in (View, Scalar, Items) for each in taken):
            return result
        if isinstance(result, np.ndarray):
            form = "product" if function is np.matmul else "ufunc"
            record.add(form, function, taken, out=record.result(result))
        elif not any(isinstance(each, np.ndarray) for each in operands):
            if isinstance(result, np.generic):
                record.add("scalar", python, taken, out=record.result(result))
            else:
                return record.computed(python, operands, result)
        else:
            record.add("ufunc", function, taken, out=record.result(result))
        return result

    def power(self, base: np.ndarray, exponent: Any) -> Any:
        """base ** exponent, for which NumPy takes other functions where the exponent is a certain number."""
        record = self.record
        result = base ** plain(exponent)
        simple = None
        if type(exponent) in (int, float) and not record.is_number(exponent) and base.dtype.kind in "fc":
            simple = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}.get(exponent)
        if simple is None and type(exponent) is int and exponent == 2 and base.dtype.kind in "iu":
            simple = np.square
        operands = [record.operand(base)] if simple else [record.operand(base), record.operand(exponent)]
        record.add("ufunc", simple or np.power, operands, out=record.result(result))
        return result

    def changed(self, function: np.ufunc, python: Callable[..., Any], target: Any, value: Any) -> Any:
        """target op= value, of an array."""
        record = self.record
        taken = [record.operand(target), record.operand(value)]
        result = python(target, plain(value))
        self.written(result)
        if function is np.power and type(value) in (int, float) and value in (2, 0.5, -1) and target.dtype.kind in "fc":
            function = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}[value]
            taken = taken[:1]
        form = "product" if function is np.matmul else "ufunc"
        record.add(form, function, taken, out=record.operand(result, read=False))
        return result

    # -- subscripts ------------------------------------------------------------------------------

    def get(self, array: np.ndarray, index: Any) -> Any:
        record = self.record
        fixed = self.index(index)
        result = array[fixed]
        if isinstance(result, np.ndarray) and owner_of(result) is owner_of(array):
            return result
        at = record.operand(index)
        self.check_masks(index)
        if isinstance(result, np.generic):
            record.add("function", operator.getitem, [record.view(array), at], out=record.result(result))
        else:
            record.add("function", operator.getitem, [record.view(array), at], out=record.made(result))
        return result

    def index(self, index: Any) -> Any:
        """An index without numbers that differ from run to run: guards hold those that decide what is shown."""
        if type(index) is tuple:
            return tuple([self.index(each) for each in index])
        if type(index) is slice or self.record.is_number(index):
            if type(index) is slice:
                return slice(*(self.record.fixed(each) for each in (index.start, index.stop, index.step)))
            return self.record.fixed(index)
        return index

    def check_masks(self, index: Any) -> None:
        """Where a mask chooses, the number of those chosen has to be the same in every run."""
        for each in index if type(index) is tuple else (index,):
            if isinstance(each, np.ndarray) and each.dtype == bool and each.ndim:
                record, count = self.record, np.count_nonzero(each)
                scalar = record.scalar()
                record.add("function", np.count_nonzero, [record.view(each)], out=scalar)
                record.guard(operator.eq, [scalar, Constant(int(count))])

    def store(self, array: np.ndarray, index: Any, value: Any) -> None:
        record = self.record
        fixed = self.index(index)
        parts = fixed if type(fixed) is tuple else (fixed,)
        if any(isinstance(each, np.ndarray | list) for each in parts):
            operands = [record.operand(array), record.operand(index), record.operand(value)]
            array[fixed] = plain(value)
            self.written(array)
            record.add("write", operator.setitem, operands)
            return
        target = array[(*parts, ...)] if Ellipsis not in parts else array[fixed]
        if isinstance(value, np.ndarray) and same(target, value):
            return  # array[i] += v has written it already
        source = record.operand(value)
        array[fixed] = plain(value)
        self.written(array)
        self.copy(target, source, value)

    def copy(self, target: np.ndarray, source: Operand, value: Any) -> None:
        """Writes down that an array was made the same as a value."""
        record = self.record
        options: dict[str, Operand] = {}
        dtype = getattr(value, "dtype", None)
        if (
            dtype is not None and dtype != target.dtype and not np.can_cast(dtype, target.dtype, "same_kind")
        ) or dtype is None:
            options["casting"] = Constant("unsafe")
        if isinstance(value, np.ndarray) and value.ndim > target.ndim:  # leading dimensions of 1
            source = record.view(value.reshape(target.shape))
        record.add("write", np.copyto, [record.view(target, read=False), source], options)

    # -- functions -------------------------------------------------------------------------------

    def function(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A function of NumPy's that is no ufunc."""
        record, name = self.record, name_of(function)
        if name in ABOUT:
            record.errstate = record.errstate or name == "errstate"
            return function(*args, **options)
        args = self.sized(name, args)
        if function in EMPTY or function is np.ndarray:
            made = function(*args, **options)
            if record.memories.find(made) is None and owner_of(made) is made:
                record.made(made)
            return made
        if function in FILLED:
            return self.filled(function, args, options)
        if name in ("clip",):
            return self.clip(*args, **options)
        if name in ("real", "imag") and record.is_number(args[0]):
            return record.computed(function, args, getattr(args[0], name))
        if name == "imag" and not np.iscomplexobj(args[0]):  # NumPy makes zeros
            return self.function(np.zeros_like, args, options)
        if name == "copyto":
            return self.copyto(*args, **options)
        if not any(map(record.depends, args)) and not any(map(record.depends, options.values())):
            return self.constant(function, args, options)
        if name in LAST_TEXT:
            raise record.refuse(f"{name} asks an array for its elements")
        if name in CHANGE:
            return self.change(function, args, options)
        if name in REDUCTIONS and args and isinstance(args[0], np.ndarray):
            names = ("axis", "dtype", "out") if name in ("sum", "prod") else ("axis", "out")
            named = dict(zip(names, args[1:], strict=False)) | options
            return self.reduce(REDUCTIONS[name], args[0], named, lambda: function(*args, **options), name)
        if name == "dot" and len(args) == 2 and not options:
            return self.product(*args)
        return self.other(function, function, args, options)

    def sized(self, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments with ordinary integers: these say how large a result is, so that a guard has to hold them."""
        return args if name in OF_VALUES else tuple([self.integers(each) for each in args])

    def integers(self, value: Any) -> Any:
        if type(value) is tuple or type(value) is list:
            found = [self.integers(each) for each in value]
            return value if all(map(operator.is_, found, value)) else type(value)(found)
        integer = isinstance(value, TracedInt | np.integer) and self.record.is_number(value)
        return self.record.fixed(value) if integer else value

    def constant(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A function of things that are the same in every run."""
        record = self.record
        result = function(*args, **options)
        several = isinstance(result, tuple | list)
        for i, each in enumerate(result if several else [result]):
            if isinstance(each, np.ndarray) and record.memories.find(each) is None:

                def make(i: int = i) -> np.ndarray:
                    again = function(*args, **options)
                    return np.asarray(again[i] if several else again)

                record.constant(record.made(each), make, each[()] if not each.ndim else each.copy())
        return result

    def filled(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        record = self.record
        result = function(*plain(args), **plain_options(options))
        if function in (np.full, np.full_like):
            value = args[1] if len(args) > 1 else options["fill_value"]
        else:
            value = 0 if function in (np.zeros, np.zeros_like) else 1
        if record.depends(value):
            record.add("write", np.copyto, [record.made(result), record.operand(value)], self.unsafe())
        else:
            shape, dtype, strides = result.shape, result.dtype, result.strides
            axes = sorted(range(result.ndim), key=lambda axis: -strides[axis])

            def make() -> np.ndarray:
                laid = np.full([shape[axis] for axis in axes], value, dtype)
                return laid.transpose(np.argsort(axes)) if axes else laid

            record.constant(record.made(result), make, value)
        return result

    def copyto(self, target: Any, value: Any, casting: Any = "same_kind", where: Any = True) -> None:
        record = self.record
        options: dict[str, Operand] = {} if casting == "same_kind" else {"casting": Constant(casting)}
        if where is not True:
            options["where"] = record.operand(where)
        source = record.operand(value)
        np.copyto(target, plain(value), casting=casting, where=where)
        self.written(target)
        record.add("write", np.copyto, [record.operand(target, where is not True), source], options)

    def change(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        record = self.record
        operands = [record.operand(each) for each in args]
        more = {name: record.operand(value) for name, value in options.items()}
        result = function(*plain(args), **plain_options(options))
        if isinstance(result, np.ndarray):  # np.sort gives a sorted copy
            record.add("function", function, operands, more, record.result(result))
        else:
            self.written(args[0])
            record.add("write", function, operands, more)
        return result

    def clip(self, array: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **options: Any) -> Any:
        low, high = options.pop("min", a_min), options.pop("max", a_max)
        if out is not None:
            options["out"] = out
        if low is None or high is None:
            if low is None and high is None:
                return self.ufunc(np.positive, (array,), options)
            return self.ufunc(np.minimum if low is None else np.maximum, (array, high if low is None else low), options)
        return self.ufunc(clip_ufunc, (array, low, high), options)

    def product(self, a: Any, b: Any, out: Any = None) -> Any:
        record = self.record
        operands = [record.operand(a), record.operand(b)]
        result = np.dot(a, b) if out is None else np.dot(a, b, out)
        kept = record.result(result)
        record.add("product" if isinstance(kept, View) else "function", np.dot, operands, out=kept)
        return result

    def reduce(
        self, ufunc: np.ufunc, array: np.ndarray, options: dict[str, Any], compute: Callable[[], Any], name: str = ""
    ) -> Any:
        record = self.record
        given = options.pop("out", None)
        axis = options.pop("axis", None if name else 0)
        source = record.operand(array)
        more: dict[str, Operand] = {"axis": Constant(axis)}
        if name in ("any", "all"):
            options.setdefault("dtype", bool)
        for option, value in options.items():
            if value is None or value is np._NoValue or (option, value) in (("keepdims", False), ("where", True)):
                continue
            more[option] = record.operand(value)
        result = compute()
        if given is not None:
            self.written(given)
        record.add("reduce", ufunc, [source], more, record.result(result))
        return result

    def other(self, function: Any, written: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Any other function; `written`: how it stands in the program."""
        record, name = self.record, name_of(function)
        given = options.get("out")
        operands = [record.operand(each) for each in args]
        more = {option: record.operand(value) for option, value in options.items() if option != "out"}
        result = function(*plain(args), **plain_options(options))
        if isinstance(result, np.ndarray):
            if given is not None:
                self.written(given)
            elif self.known(result):
                return result  # a view
            elif name in COPIES and isinstance(args[0], np.ndarray):
                return self.copied(result, args[0])
            elif name in ("asarray", "array", "asanyarray", "ascontiguousarray") and not result.ndim:
                record.add("write", np.copyto, [record.made(result), record.operand(args[0])], self.unsafe())
                return result
            elif name == "bincount" and result.size == (*args, *[None] * 3)[2]:
                pass  # none is larger
            elif name in SIZED:
                raise record.refuse(f"{name} gives an array whose size depends on the elements of another")
        elif type(result) in (bool, int, float, complex):
            if type(result) is bool:
                record.guard(function, operands, result)
                return result
            return record.traced("function", written, operands, result)
        elif result is None or type(result) in (str, bytes):
            raise record.refuse(f"{name} asks an array for its elements")
        elif isinstance(result, tuple | list):
            if all(isinstance(each, np.ndarray) and self.known(each) for each in result):
                return result
            if name in SIZED or (name == "where" and len(args) == 1):
                raise record.refuse(f"{name} gives an array whose size depends on the elements of another")
        takes = ("out",) if name in TAKE_OUT else ()
        record.add("function", written, operands, more, record.result(result), takes=takes)
        return result

    def unsafe(self) -> dict[str, Operand]:
        return {"casting": Constant("unsafe")}

    def known(self, array: np.ndarray) -> bool:
        return self.record.memories.find(array) is not None

    def copied(self, result: np.ndarray, source: np.ndarray) -> np.ndarray:
        """A result that has the elements of its source, in another place or dtype."""
        record = self.record
        out = record.made(result)
        if result.shape != source.shape:
            if result.flags.c_contiguous:
                out = View(out.buffer, out.offset, source.shape, contiguous(source.shape, result.itemsize), out.dtype)
            elif result.flags.f_contiguous:  # order="F": the elements in the order of the reversed dimensions
                strides = contiguous(source.shape[::-1], result.itemsize)[::-1]
                out = View(out.buffer, out.offset, source.shape, strides, out.dtype)
        options = self.unsafe() if not np.can_cast(source.dtype, result.dtype, "same_kind") else {}
        record.add("write", np.copyto, [out, record.view(source)], options)
        return result

    # -- methods ---------------------------------------------------------------------------------

    def method(self, array: np.ndarray, bound: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A method of an array."""
        record, name = self.record, name_of(bound)
        args = self.sized(name, args)
        if name in ("reshape", "ravel", "flatten", "copy", "astype", "__copy__", "__deepcopy__"):
            result = bound(*plain(args), **options)
            if result is not array and owner_of(result) is not owner_of(array):
                order = options.get("order") or (args[0] if args and name in ("ravel", "flatten", "copy") else "C")
                if order not in ("C", "K", "A") and name in ("ravel", "flatten", "reshape"):
                    array = array.T
                self.copied(result, array)
            return result
        if name in ("view", "transpose", "squeeze", "swapaxes", "setflags", "diagonal", "newbyteorder", "__len__"):
            return bound(*args, **options)
        if name in ("item", "tolist"):
            return self.item(array, name, bound, args)
        if name == "fill":
            return self.copyto(array, args[0], "unsafe")
        if name in ("sort", "partition", "put", "resize", "itemset", "byteswap"):
            return self.change(getattr(np.ndarray, name), (array, *args), options)
        if name == "dot":
            return self.product(array, *args, **options)
        if name == "clip":
            return self.clip(array, *args, **options)
        if name in REDUCTIONS:
            names = ("axis", "dtype", "out") if name in ("sum", "prod") else ("axis", "out")
            named = dict(zip(names, args, strict=False)) | options
            return self.reduce(REDUCTIONS[name], array, named, lambda: bound(*args, **options), name)
        if name in LAST_TEXT:
            raise record.refuse(f"{name} asks an array for its elements")
        if name == "take" and len(args) == 3:  # with the place of the result
            options, args = {**options, "out": args[2]}, args[:2]
        if name == "take" and "out" in options:
            return self.take(array, args, options)
        return self.other(getattr(np.ndarray, name), getattr(np.ndarray, name), (array, *args), options)

    def take(self, array: np.ndarray, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        record, given = self.record, options["out"]
        operands = [record.operand(each) for each in (array, *args)]
        more = {option: record.operand(value) for option, value in options.items() if option != "out"}
        result = array.take(*plain(args), **options)
        self.written(given)
        out = record.operand(given, read=False)
        record.add("function", np.ndarray.take, operands, more, out, takes=("out",))
        return result

    def item(self, array: np.ndarray, name: str, bound: Any, args: tuple[Any, ...]) -> Any:
        record = self.record
        result = bound(*plain(args))
        if name == "tolist" and array.ndim:
            return record.listed(array, result)
        operands: list[Operand] = [record.view(array), *(Constant(plain(each)) for each in args)]
        if type(result) is bool:
            scalar = record.scalar()
            record.add("function", np.ndarray.item, operands, out=scalar)
            record.guard(operator.truth, [scalar], result)
            return result
        return record.traced("function", np.ndarray.item, operands, result)

    def of_ufunc(self, ufunc: np.ufunc, bound: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A method of a ufunc."""
        name = name_of(bound)
        if not any(map(self.record.depends, args)):
            return self.constant(bound, args, options)
        if name == "reduce":
            names = ("axis", "dtype", "out", "keepdims", "initial", "where")
            named = dict(zip(names, args[1:], strict=False)) | options
            if isinstance(args[0], np.ndarray):
                return self.reduce(ufunc, args[0], named, lambda: bound(*plain(args), **plain_options(options)))
        if name == "at":
            return self.change(bound, args, options)
        return self.other(bound, bound, args, options)

    # -- random numbers --------------------------------------------------------------------------

    def drawn(self, rng: Any, bound: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A method of a generator of random numbers."""
        record, name = self.record, name_of(bound)
        if isinstance(rng, np.random.Generator):
            source = record.generator(rng)
            function = getattr(np.random.Generator, name)
        else:
            owner = next((each for each in record.generators.values() if each.rng.bit_generator is rng), None)
            if owner is None or isinstance(rng, np.random.RandomState):
                raise record.refuse("random numbers are drawn from a generator that is not one of td.Generator")
            source = record.scalar()
            record.add("scalar", getattr, [record.generator(owner.rng), Constant("bit_generator")], out=source)
            function = getattr(type(rng), name)
        operands = [source, *(record.operand(each) for each in args)]
        given = options.get("out")
        more = {option: record.operand(value) for option, value in options.items() if option != "out"}
        result = bound(*plain(args), **plain_options(options))
        if name in ("shuffle",):
            raise record.refuse("a random generator shuffles in place")
        if isinstance(result, np.ndarray | np.generic):
            out: Any = record.result(result)
            takes = ("out",) if given is not None or name in ("random", "standard_normal") else ()
            record.add("function", function, operands, more, out, effect=True, takes=takes)
            return result
        return record.traced("function", function, operands, result, effect=True)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays show the same elements."""
    return (
        a.shape == b.shape
        and a.strides == b.strides
        and a.dtype == b.dtype
        and a.__array_interface__["data"] == b.__array_interface__["data"]
    )
