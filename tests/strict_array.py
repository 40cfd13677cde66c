"""An array type that stands for CuPy's where there is no GPU, and is stricter: nothing is converted in silence.

`StrictArray` wraps an array of NumPy's and does what CuPy 13 and 14 do, as their sources say: the functions that CuPy
has, the arguments that it takes, the methods of ufuncs that it knows. Everything else raises: an array of NumPy's
among the arguments, `float(x)`, `bool(x)`, `np.asarray(x)`, memory to be read by address. What copies elements from one
device to the other is counted in `transfers`, and so is what must know values to say a shape, such as `np.nonzero`,
since a GPU is then waited for.

The module itself is the array module of a device, as `cupy` is: `install()` names the device "strict".
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from typing import Any

import numpy as np

transfers: Counter[str] = Counter()

# NumPy's functions that CuPy does not have, and arguments of its functions that CuPy's do not take.
_MISSING = """
    array_repr block bmat busday_count einsum_path frompyfunc geomspace histogram_bin_edges insert isnat matvec
    nanpercentile nanquantile nested_iters nditer polyder polydiv polyint setbufsize spacing unstack vecdot vecmat
    apply_over_axes select vectorize
"""
MISSING = frozenset(_MISSING.split())
SUMS = ("sum", "prod", "amax", "amin", "max", "min", "nansum", "nanmax", "nanmin")
NOT_TAKEN = {
    **dict.fromkeys(SUMS, frozenset(("initial", "where"))),
    **dict.fromkeys(("mean", "std", "var", "nanmean", "all", "any"), frozenset(("where", "mean", "correction"))),
    **dict.fromkeys(("argsort", "sort"), frozenset(("order", "stable"))),
    **dict.fromkeys(("percentile", "quantile"), frozenset(("weights",))),
    "count_nonzero": {"keepdims"},
    "take": {"mode"},
    "unique": {"sorted"},
    "broadcast_to": {"subok"},
    "clip": {"min", "max"},
    "lexsort": {"axis"},
    "svd": {"hermitian"},
    "matrix_rank": {"hermitian", "rtol"},
    "pinv": {"hermitian", "rtol"},
    "cholesky": {"upper"},
}
# Of `ufunc.reduce` and its like CuPy knows these.
METHODS = {
    "reduce": ("add", "multiply"),
    "accumulate": ("add", "multiply"),
    "reduceat": ("add",),
    "at": ("add", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"),
}
UFUNC_OPTIONS = {
    "__call__": {"out", "dtype", "casting", "axes", "axis"},
    "outer": {"out", "dtype"},
    "at": set(),
    "reduce": {"axis", "dtype", "out", "keepdims"},
    "accumulate": {"axis", "dtype", "out"},
    "reduceat": {"axis", "dtype", "out"},
}
# SciPy's ufuncs that CuPy has as well, and functions of the same module that are none.
_SPECIAL = """
    beta betaln digamma psi entr erf erfc erfcx erfinv expit gamma gammainc gammaincc gammaln i0 i0e i1 i1e j0 j1 k0
    k0e k1 k1e log_ndtr logit loggamma ndtr ndtri rgamma sinc xlog1py xlogy y0 y1
"""
SPECIAL = frozenset(_SPECIAL.split())
ADDED = "fcu"  # kinds of dtypes to which `add.at` adds
# What must know values before it knows the shape of its result.
_WAITS = """
    nonzero flatnonzero argwhere unique extract compress setdiff1d union1d intersect1d delete
"""
WAITS = frozenset(_WAITS.split())
SCALARS = (bool, int, float, complex, np.generic)


class Refused(TypeError):
    """Something that a GPU's array does not do in silence, or at all."""


class Flags:
    """What CuPy's flags have: not whether an array may be written to."""

    def __init__(self, flags: Any):
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, flags.owndata
        self.forc, self.fnc = flags.forc, flags.fnc


class StrictArray:
    """An array on the device "strict"."""

    __slots__ = ("__weakref__", "_array", "base")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, array: np.ndarray, base: StrictArray | None = None):
        self._array, self.base = array, base

    # -- NumPy's protocols ---------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        known = getattr(np, name, None) is ufunc or name in SPECIAL
        if name in MISSING or not known or name not in METHODS.get(method, (name,)):
            raise Refused(f"np.{name}.{method}: CuPy does not have it")
        unknown = set(kwargs) - UFUNC_OPTIONS[method]
        if unknown:
            raise Refused(f"np.{name}.{method}: CuPy does not take {sorted(unknown)}")
        if method == "at" and inputs[0].dtype.kind not in ADDED:
            raise Refused(f"np.{name}.at: CuPy does not have it for {inputs[0].dtype}")
        out = kwargs.pop("out", None)
        if out is not None:
            if len(out) != 1:
                raise Refused(f"np.{name}: CuPy takes one `out`")
            kwargs["out"] = bare(out[0])
        found = getattr(ufunc, method)(*[bare(each) for each in inputs], **kwargs)
        return out[0] if out is not None and out[0] is not None else shown(found, inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not all(issubclass(kind, StrictArray | np.ndarray) for kind in types):
            return NotImplemented  # a tensor's turn
        name, module = function.__name__, function.__module__
        if name in MISSING or module not in ("numpy", "numpy.linalg", "numpy.fft", "numpy.lib.stride_tricks"):
            raise Refused(f"{module}.{name}: CuPy does not have it")
        unknown = NOT_TAKEN.get(name, set()).intersection(kwargs)
        if unknown:
            raise Refused(f"{module}.{name}: CuPy does not take {sorted(unknown)}")
        if name in WAITS or (name == "where" and len(args) == 1):
            transfers[f"shape of {name}"] += 1
        if name == "repeat" and any(isinstance(each, StrictArray) for each in (*args[1:], *kwargs.values())):
            raise Refused("np.repeat: CuPy takes repeats as an integer or a list")
        kwargs.pop("like", None)
        found = function(*[bare(each) for each in args], **{key: bare(each) for key, each in kwargs.items()})
        for given in (kwargs.get("out"), args[0] if name == "copyto" else None):
            if given is not None:
                return given
        return shown(found, (*args, *kwargs.values()))

    # -- what it is ----------------------------------------------------------------------------------

    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    itemsize = property(lambda self: self._array.itemsize)
    nbytes = property(lambda self: self._array.nbytes)
    strides = property(lambda self: self._array.strides)
    flags = property(lambda self: Flags(self._array.flags))
    T = property(lambda self: self.transpose())

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def real(self) -> StrictArray:
        return view(self._array.real, self)

    @real.setter
    def real(self, value: Any) -> None:
        self._array.real = bare(value)

    @property
    def imag(self) -> StrictArray:
        return view(self._array.imag, self)

    @imag.setter
    def imag(self, value: Any) -> None:
        self._array.imag = bare(value)

    @property
    def data(self) -> Any:
        class Pointer:
            ptr = self._array.ctypes.data

        return Pointer

    # -- to the CPU, said aloud ------------------------------------------------------------------------

    def get(self) -> np.ndarray:
        transfers["get"] += 1
        return self._array.copy()

    def item(self) -> Any:
        transfers["item"] += 1
        return self._array.item()

    def tolist(self) -> Any:
        transfers["tolist"] += 1
        return self._array.tolist()

    # -- elements --------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> StrictArray:
        if any(isinstance(part, StrictArray) and part.dtype.kind == "b" for part in parts_of(index)):
            transfers["shape of a mask"] += 1
        return view(self._array[bare_index(index)], self)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._array[bare_index(index)] = bare(value)

    def __repr__(self) -> str:
        return f"StrictArray({self._array!r})"

    def __reduce__(self) -> Any:
        return _rebuilt, (self._array,)

    def __getattr__(self, name: str) -> Any:
        if name in PLAIN_METHODS:

            def method(*args: Any, **kwargs: Any) -> Any:
                if NOT_TAKEN.get(name, set()).intersection(kwargs):
                    raise Refused(f"{name}: CuPy does not take {sorted(kwargs)}")
                if name == "nonzero":
                    transfers["shape of nonzero"] += 1
                given = [bare(each) for each in args], {key: bare(each) for key, each in kwargs.items()}
                found = getattr(self._array, name)(*given[0], **given[1])
                return kwargs["out"] if kwargs.get("out") is not None else shown(found, (self,))

            return method
        raise AttributeError(
            f"'StrictArray' object has no attribute {name!r}: nor have CuPy's arrays, or not in silence"
        )


_PLAIN_METHODS = """
    all any argmax argmin argsort astype choose clip compress conj conjugate copy cumprod cumsum diagonal dot fill
    flatten max mean min nonzero partition prod put ravel repeat reshape round searchsorted sort squeeze std sum
    swapaxes take trace transpose var view
"""
PLAIN_METHODS = frozenset(_PLAIN_METHODS.split())


def _refusing(name: str) -> Any:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise Refused(f"{name}: a conversion in silence of an array on a GPU")

    return refuse


for _name in ("array", "float", "int", "bool", "complex", "index"):
    setattr(StrictArray, f"__{_name}__", _refusing(_name))


def _operator(name: str, ufunc: Any) -> None:
    def forth(self: Any, other: Any) -> Any:
        if not isinstance(other, (StrictArray, *SCALARS)):
            return refused_operand(other)
        return ufunc(self, other)

    def back(self: Any, other: Any) -> Any:
        if not isinstance(other, (StrictArray, *SCALARS)):
            return refused_operand(other)
        return ufunc(other, self)

    def inplace(self: Any, other: Any) -> Any:
        if not isinstance(other, (StrictArray, *SCALARS)):
            return refused_operand(other)
        return ufunc(self, other, out=self)

    setattr(StrictArray, f"__{name}__", forth)
    if name not in ("eq", "ne", "lt", "le", "gt", "ge"):
        setattr(StrictArray, f"__r{name}__", back)
        setattr(StrictArray, f"__i{name}__", inplace)


def refused_operand(other: Any) -> Any:
    """Leaves an operator to the other side; an array of NumPy's is refused."""
    if isinstance(other, np.ndarray):
        raise Refused("an array of NumPy's beside one on a GPU")
    return NotImplemented


for _name, _ufunc in {
    **dict(add=np.add, sub=np.subtract, mul=np.multiply, truediv=np.true_divide, floordiv=np.floor_divide),
    **dict(mod=np.remainder, pow=np.power, matmul=np.matmul, lshift=np.left_shift, rshift=np.right_shift),
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    **dict(eq=np.equal, ne=np.not_equal, lt=np.less, le=np.less_equal, gt=np.greater, ge=np.greater_equal),
}.items():
    _operator(_name, _ufunc)
for _name, _ufunc in dict(neg=np.negative, pos=np.positive, abs=np.absolute, invert=np.invert).items():
    setattr(StrictArray, f"__{_name}__", lambda self, ufunc=_ufunc: ufunc(self))


def parts_of(index: Any) -> tuple[Any, ...]:
    """The parts of an index."""
    return index if isinstance(index, tuple) else (index,)


def bare_index(index: Any) -> Any:
    """An index of NumPy's; arrays on the CPU in it are refused, of which CuPy makes copies."""
    for part in parts_of(index):
        if isinstance(part, np.ndarray | list):
            raise Refused("an index of NumPy's, or a list, for an array on a GPU")
    return bare(index)


def bare(value: Any) -> Any:
    """NumPy's array in the place of ours, in lists, tuples and dicts too."""
    if isinstance(value, StrictArray):
        return value._array
    if isinstance(value, np.ndarray):
        raise Refused(f"an array of NumPy's of shape {value.shape} beside one on a GPU")
    if type(value) in (list, tuple):
        return type(value)([bare(each) for each in value])
    return value


def arrays_in(values: Any) -> list[StrictArray]:
    """Our arrays among arguments."""
    found: list[StrictArray] = []
    for value in values:
        if isinstance(value, StrictArray):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += arrays_in(value)
    return found


def shown(found: Any, given: Any) -> Any:
    """What NumPy has returned, in arrays of ours; views of arguments know their base."""
    if isinstance(found, tuple | list):
        return tuple([shown(each, given) for each in found])
    if isinstance(found, np.generic):
        return StrictArray(np.asarray(found))
    if not isinstance(found, np.ndarray):
        return found
    owner: Any = found
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    for array in arrays_in(given):
        first = array if array.base is None else array.base
        root: Any = first._array
        while isinstance(root.base, np.ndarray):
            root = root.base
        if root is owner and found is not array._array:
            return view(found, array)
    return StrictArray(found)


def view(found: Any, of: StrictArray) -> StrictArray:
    """An array that NumPy has made from the memory of ours, or a copy of elements."""
    if not isinstance(found, np.ndarray):
        return StrictArray(np.asarray(found))
    if not np.may_share_memory(found, of._array):
        return StrictArray(found if found.flags.writeable else found.copy())
    with warnings.catch_warnings():  # of `broadcast_arrays` NumPy warns that they will not be writable
        warnings.simplefilter("ignore", FutureWarning)
        found = found.view() if found.flags.writeable else writable(found)
    return StrictArray(found, of if of.base is None else of.base)


def writable(found: np.ndarray) -> np.ndarray:
    """The same memory to write to: CuPy's arrays are never read-only."""
    owner: Any = found
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if not found.size:
        return np.empty(found.shape, found.dtype)
    if not owner.flags.writeable:
        return found
    flat = (
        np.ndarray(owner.size, owner.dtype, owner.data)
        if owner.flags.c_contiguous and owner.dtype == found.dtype
        else None
    )
    if flat is None:
        return found
    offset = found.ctypes.data - flat.ctypes.data
    return np.ndarray(found.shape, found.dtype, owner.data, offset, found.strides)


def _rebuilt(array: np.ndarray) -> StrictArray:
    return StrictArray(array)


# -- the module of the device's arrays ------------------------------------------------------------------

ndarray = StrictArray


def asarray(value: Any, dtype: Any = None, order: Any = None) -> StrictArray:
    """An array with the data; from the CPU it is a copy, which counts."""
    if isinstance(value, StrictArray):
        return value if dtype is None else value.astype(dtype, copy=False)
    transfers["asarray"] += 1
    return StrictArray(np.array(value, dtype=dtype))


def array(value: Any, dtype: Any = None, copy: bool = True, order: str = "K") -> StrictArray:
    """An array with a copy of the data."""
    return (
        asarray(value).astype(dtype or value.dtype, copy=copy)
        if isinstance(value, StrictArray)
        else asarray(value, dtype)
    )


def ascontiguousarray(value: Any, dtype: Any = None) -> StrictArray:
    """The array in row-major order."""
    made = np.ascontiguousarray(asarray(value, dtype)._array)
    return value if isinstance(value, StrictArray) and made is value._array else StrictArray(made)


def _made(name: str) -> Any:
    def make(*args: Any, **kwargs: Any) -> StrictArray:
        return StrictArray(getattr(np, name)(*[bare(each) for each in args], **kwargs))

    return make


for _name in ("empty", "zeros", "ones", "full", "arange", "eye", "identity", "linspace", "logspace", "tri", "indices"):
    globals()[_name] = _made(_name)


def asnumpy(value: StrictArray) -> np.ndarray:
    """The elements in an array of NumPy's."""
    return value.get()


class lib:
    """`cupy.lib`."""

    class stride_tricks:
        """`cupy.lib.stride_tricks`."""

        @staticmethod
        def as_strided(x: StrictArray, shape: Any = None, strides: Any = None) -> StrictArray:
            """A view with other steps."""
            return view(np.lib.stride_tricks.as_strided(x._array, shape, strides), x)


DRAWN = "random standard_normal integers exponential gamma beta binomial poisson uniform"


class random:
    """`cupy.random`: generators whose numbers lie on the device."""

    class Philox4x3210:
        """A source of bits."""

        def __init__(self, seed: Any = None):
            self.seed = seed

    class Generator:
        """The methods that CuPy's has."""

        def __init__(self, bits: Any):
            self._rng = np.random.default_rng(bits.seed)

        def __getattr__(self, name: str) -> Any:
            if name not in DRAWN.split():
                raise AttributeError(f"cupy.random.Generator has no {name!r}")
            method = getattr(self._rng, name)
            return lambda *args, **kwargs: StrictArray(
                np.asarray(method(*[bare(each) for each in args], **{key: bare(each) for key, each in kwargs.items()}))
            )


def __getattr__(name: str) -> Any:
    """NumPy's functions, which find ours by NumPy's protocols."""
    if name.startswith("__") or name in MISSING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(np, name)


class special:
    """`cupyx.scipy.special`: what is no ufunc in SciPy."""

    @staticmethod
    def polygamma(n: int, x: StrictArray) -> StrictArray:
        """Derivatives of digamma."""
        import scipy.special

        return StrictArray(scipy.special.polygamma(n, x._array))

    @staticmethod
    def zeta(x: StrictArray, q: StrictArray) -> StrictArray:
        """Hurwitz's zeta function."""
        import scipy.special

        return StrictArray(scipy.special.zeta(bare(x), bare(q)))


def install() -> None:
    """Makes the device "strict" one that tensors can live on."""
    from tinygrad_dl.core.device import ARRAY_MODULES, array_module

    ARRAY_MODULES["strict"] = __name__
    sys.modules[f"{__name__}x.scipy.special"] = special  # type: ignore[assignment]
    assert array_module("strict") is sys.modules[__name__]
