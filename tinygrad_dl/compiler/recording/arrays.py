"""NumPy's functions and methods as calls of a program: one handler for each kind of function."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_dl.compiler.program import Constant, Operand, View
from tinygrad_dl.compiler.recording.functions import (
    ABOUT,
    AS_BYTES,
    CHANGE,
    COPIES,
    EMPTY,
    FILLED,
    OF_VALUES,
    REDUCTIONS,
    SIZED,
    TAKE_OUT,
    name_of,
    plain_options,
)
from tinygrad_dl.compiler.recording.memory import contiguous, owner_of
from tinygrad_dl.compiler.recording.numbers import TracedInt, plain
from tinygrad_dl.compiler.recording.ufuncs import Ufuncs


class Arrays(Ufuncs):
    """Runs NumPy's functions and methods, and writes them down."""

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
            record.add("write", operator.setitem, operands)
            return
        target = array[(*parts, ...)] if Ellipsis not in parts else array[fixed]
        if isinstance(value, np.ndarray) and same(target, value):
            return  # array[i] += v has written it already
        source = record.operand(value)
        array[fixed] = plain(value)
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
        if name in AS_BYTES:
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
        record.add("write", np.copyto, [record.operand(target, where is not True), source], options)

    def change(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        record = self.record
        operands = [record.operand(each) for each in args]
        more = {name: record.operand(value) for name, value in options.items()}
        result = function(*plain(args), **plain_options(options))
        if isinstance(result, np.ndarray):  # np.sort gives a sorted copy
            record.add("function", function, operands, more, record.result(result))
        else:
            record.add("write", function, operands, more)
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
                pass
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
        if name in AS_BYTES:
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
