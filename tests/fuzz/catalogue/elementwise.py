"""Functions of one, two or three tensors, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz.catalogue.table import draws
from fuzz.drawing import NotNow, Writer
from fuzz.programs import Attribute, Name
from fuzz.running import torch

# -- one tensor --------------------------------------------------------------------------------------------------------


def between(low: float, high: float) -> Callable[[Any], bool]:
    """Whether all elements are real and lie between these bounds or on them."""

    def inside(v: Any) -> bool:
        return not v.is_complex() and bool(((v >= low) & (v <= high)).all())

    return inside


def not_0(v: Any) -> bool:
    """Whether no element is 0."""
    return bool((v != 0).all())


def unary(kinds: str, low: float = -3.0, high: float = 3.0) -> Any:
    """One tensor of these kinds, of values in this range: most of the time, so that not all becomes nan."""

    def draw(w: Writer) -> Any:
        if (low, high) == (-3.0, 3.0) or w.chance(0.1):
            return (w.tensor(kinds),)
        return (w.tensor(kinds, where=between(low, high), low=low, high=high),)

    return draw


draws("sin cos tanh sinh cosh exp expm1 sigmoid square reciprocal atan arctan asinh arcsinh tan")(unary("fcib"))
draws("sgn isreal")(unary("fci"))
draws("abs absolute", {"abs": ""})(unary("fcib"))
draws("neg negative positive", {"neg": "u-", "positive": "u+"})(unary("fci"))
draws("log log2 log10 sqrt", {})(unary("fcib", 0.1, 4.0))
draws("rsqrt log1p")(unary("fcib", 0.1, 4.0))
draws("acos arccos asin arcsin atanh arctanh")(unary("fcib", -0.9, 0.9))
draws("acosh arccosh")(unary("fcib", 1.1, 4.0))
draws("deg2rad rad2deg sinc i0 isneginf isposinf")(unary("fib"))
draws("erf erfc exp2 relu frac fix trunc floor ceil sign isnan isinf isfinite")(unary("fib"))
draws("signbit")(unary("ib"))
draws("relu6 selu silu mish softsign tanhshrink logsigmoid hardsigmoid hardswish")(unary("fi"))
draws("conj conj_physical resolve_conj resolve_neg real imag", {"real": "@real", "imag": "@imag"})(unary("fc"))
draws("logical_not")(unary("fcib"))
draws("bitwise_not", {"bitwise_not": "~"})(unary("ib"))
draws("clone detach contiguous", {"detach": ".data"[:0]})(unary("fcib"))


@draws("round")
def decimals(w: Writer) -> Any:
    return w.tensor("fi"), w.options(decimals=lambda: w.int(-1, 3))


@draws("lgamma digamma")
def gamma(w: Writer) -> Any:
    return (w.tensor("f", where=lambda v: bool((v > 0).all()), low=0.2, high=9.0),)


@draws("erfinv")
def erfinv(w: Writer) -> Any:
    return (w.tensor("f", where=lambda v: bool((abs(v) < 1).all()), low=-0.95, high=0.95),)


@draws("polygamma", only="T.polygamma")
def polygamma(w: Writer) -> Any:
    return w.choice((0, 1, 2)), w.tensor("f", where=lambda v: bool((v > 0).all()), low=0.2, high=9.0)


@draws("logit")
def logit(w: Writer) -> Any:
    x = w.tensor("f", where=lambda v: bool(((v > 0) & (v < 1)).all()), low=0.05, high=0.95)
    return (x, w.choice((0.1, 0.3, 1e-6))) if w.chance(0.4) else (x,)


@draws("nan_to_num")
def nan_to_num(w: Writer) -> Any:
    return w.tensor("fi"), w.options(nan=1.5, posinf=7.0, neginf=-7.0)


@draws("clamp clip")
def clamp(w: Writer) -> Any:
    x = w.tensor("fib")
    way = w.int(0, 3)
    if way == 0:
        return x, w.broadcast(x, "fi"), w.broadcast(x, "fi")
    if way == 1:
        return x, {"min": w.scalar("fi")} if w.bool() else {"max": w.scalar("fi")}
    if way == 2:
        return x, {"min": w.broadcast(x, "fi")} if w.bool() else {"max": w.broadcast(x, "fi")}
    return x, w.scalar("fi"), w.scalar("fi")


@draws("clamp_min clamp_max")
def clamp_one(w: Writer) -> Any:
    x = w.tensor("fi")
    return x, w.scalar("fi") if w.bool() else w.broadcast(x, "fi")


@draws("gelu")
def gelu(w: Writer) -> Any:
    return w.tensor("f"), {"approximate": w.choice(("none", "tanh"))}


@draws("elu celu")
def elu(w: Writer) -> Any:
    return (w.tensor("f"), w.choice((0.5, 1.0, 2.0))) if w.bool() else (w.tensor("f"),)


@draws("leaky_relu hardshrink softshrink")
def with_slope(w: Writer) -> Any:
    return (w.tensor("f"), w.choice((0.1, 0.5, 1.0))) if w.bool() else (w.tensor("f"),)


@draws("hardtanh")
def hardtanh(w: Writer) -> Any:
    return w.tensor("fi"), w.choice((-1.5, -0.5, 0.0)), w.choice((0.5, 2.0))


@draws("softplus")
def softplus(w: Writer) -> Any:
    return w.tensor("f"), w.options(beta=2.0, threshold=lambda: w.choice((1, 3.0)))


@draws("threshold")
def threshold(w: Writer) -> Any:
    return w.tensor("fi"), w.scalar("fi"), w.scalar("fi")


@draws("prelu")
def prelu(w: Writer) -> Any:
    x = w.tensor("f", least=1)
    channels = w.shape(x)[1] if w.ndim(x) > 1 else 1
    return x, w.tensor("f", shape=(channels if w.bool() else 1,), dtype=w.dtype(x))


@draws("one_hot")
def one_hot(w: Writer) -> Any:
    index = w.indices(w.new_shape(0, 2), 4)
    return (index, 5) if w.bool() else (index,)


# -- two tensors, or a tensor and a number -----------------------------------------------------------------------------


def other(w: Writer, x: Name, kinds: str, numbers: str = "fib") -> Any:
    """What goes with x: a tensor, or a number."""
    return w.scalar(numbers) if w.chance(0.3) else w.broadcast(x, kinds)


def turned(w: Writer, pair: tuple[Any, ...]) -> tuple[Any, ...]:
    """Perhaps the other way round."""
    return (pair[1], pair[0], *pair[2:]) if w.chance(0.25) else pair


@draws("add sub subtract", {"add": "+ + + +=", "sub": "- - - -="}, weight=2)
def added(w: Writer) -> Any:
    x = w.tensor("fcib")
    pair = turned(w, (x, other(w, x, "fcib", "fibc" if w.kind(x) == "c" else "fib")))
    return (*pair, {"alpha": w.choice((2, 0.5, -1))}) if w.chance(0.15) else pair


@draws("mul multiply", {"mul": "* * * *="}, weight=2)
def multiplied(w: Writer) -> Any:
    x = w.tensor("fcib")
    return turned(w, (x, other(w, x, "fcib", "fibc" if w.kind(x) == "c" else "fib")))


@draws("div divide true_divide", {"div": "/ / /="}, weight=1.5)
def divided(w: Writer) -> Any:
    x = w.tensor("fcib")
    pair = turned(w, (x, other(w, x, "fcib")))
    return pair


@draws("floor_divide remainder fmod", {"floor_divide": "// //=", "remainder": "% %="})
def whole_division(w: Writer) -> Any:
    x = w.tensor("fi")
    y = w.choice((2, 3, -2, 1.5, -0.7)) if w.chance(0.4) else w.broadcast(x, "fi", where=not_0, low=1, high=4)
    return (w.choice((7, 2.5, -3)), y) if isinstance(y, Name) and w.chance(0.15) else (x, y)


@draws("pow", {"pow": "** ** **="}, weight=1.5)
def power(w: Writer) -> Any:
    x = w.tensor(
        "fcib", where=None if w.chance(0.3) else lambda v: v.is_complex() or bool((v > 0).all()), low=0.2, high=3.0
    )
    way = w.int(0, 4)
    if way == 0:
        return x, w.choice((2, 3, 0, 1, -1, -2, 0.5, -0.5, 1.5, 2.0, 1.0, 0.0))
    if way == 1:
        return w.choice((2, 0.5, 1, 0, 3.0)), x
    return x, w.broadcast(x, "fci" if way == 2 else "f", low=-2, high=3)


@draws("maximum minimum fmax fmin")
def extremes(w: Writer) -> Any:
    x = w.tensor("fib")
    return x, w.broadcast(x, "fib")


@draws("atan2 arctan2 hypot logaddexp copysign")
def pairs(w: Writer) -> Any:
    x = w.tensor("fi")
    return x, w.broadcast(x, "fi")


@draws("xlogy")
def xlogy(w: Writer) -> Any:
    x = w.tensor("fi", low=0.0, high=3.0)
    return turned(w, (x, w.scalar("f") if w.chance(0.2) else w.broadcast(x, "fi", low=0.1)))


@draws(
    "eq ne lt le gt ge greater less greater_equal less_equal not_equal",
    {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="},
    weight=0.7,
)
def compared(w: Writer) -> Any:
    kinds = "fcib" if w.chance(0.1) else "fib"
    x = w.tensor(kinds)
    return x, other(w, x, kinds)


def alike(w: Writer) -> tuple[Name, Name]:
    x = w.tensor("fcib")
    return x, x if w.chance(0.3) else w.tensor(shape=w.shape(x), dtype=w.dtype(x))


draws("equal")(alike)


@draws("isin")
def isin(w: Writer) -> Any:
    return w.tensor("fib"), w.tensor("fib"), w.options(invert=w.bool)


@draws("isclose allclose")
def close(w: Writer) -> Any:
    return *alike(w), w.options(rtol=0.5, atol=lambda: w.choice((0.0, 1.0)), equal_nan=w.bool)


@draws("logical_and logical_or logical_xor", weight=0.6)
def logical(w: Writer) -> Any:
    x = w.tensor("fcib")
    return x, w.broadcast(x, "fcib")


@draws(
    "bitwise_and bitwise_or bitwise_xor",
    {"bitwise_and": "& &=", "bitwise_or": "| |=", "bitwise_xor": "^ ^="},
    weight=0.7,
)
def bitwise(w: Writer) -> Any:
    x = w.tensor("ib")
    return turned(w, (x, other(w, x, "ib", "ib")))


@draws("bitwise_left_shift bitwise_right_shift", {"bitwise_left_shift": "<< <<=", "bitwise_right_shift": ">> >>="})
def shifts(w: Writer) -> Any:
    x = w.tensor("i")
    return x, w.broadcast(x, "i", dtype=w.dtype(x), low=0, high=5)


@draws("gcd lcm")
def divisors(w: Writer) -> Any:
    x = w.tensor("i")
    return x, w.broadcast(x, "i")


@draws("ldexp")
def scaled(w: Writer) -> Any:
    x = w.tensor("fi")
    return x, w.broadcast(x, "fi")


@draws("nextafter heaviside logaddexp2")
def of_one_dtype(w: Writer) -> Any:
    x = w.tensor("f")
    return x, w.broadcast(x, "f", dtype=w.dtype(x))


draws("frexp")(unary("f"))


@draws("rsub", only="T.rsub")
def rsub(w: Writer) -> Any:
    x = w.tensor("fci")
    return x, other(w, x, "fci"), w.options(alpha=lambda: w.choice((2, 3)))


@draws("float_power")
def float_power(w: Writer) -> Any:
    return w.tensor("fi", where=between(0.3, 3.0), low=0.3), w.choice((2, -1, 0.5))


@draws("mvlgamma")
def mvlgamma(w: Writer) -> Any:
    return w.tensor("f", where=lambda v: bool((v > 1.2).all()), low=1.3, high=9.0), w.choice((1, 2, 3))


@draws("complex")
def complex_of(w: Writer) -> Any:
    x = w.tensor("f")
    return x, w.broadcast(x, "f", dtype=w.dtype(x))


# -- three -------------------------------------------------------------------------------------------------------------


@draws("where", weight=2)
def where(w: Writer) -> Any:
    x = w.tensor("fcib")
    condition = w.broadcast(x, "b")
    if w.chance(0.05):
        return (condition,)
    return condition, *turned(w, (x, other(w, x, "fcib")))


@draws("lerp")
def lerp(w: Writer) -> Any:
    x = w.tensor("fc")
    end = w.broadcast(x, dtype=w.dtype(x))
    return x, end, w.choice((0.3, 0.7, 2.0)) if w.bool() else w.broadcast(x, dtype=w.dtype(x))


@draws("addcmul addcdiv")
def addc(w: Writer) -> Any:
    x = w.tensor("fc")
    low = 0.5 if w.bool() else -3.0
    one, two = w.broadcast(x, dtype=w.dtype(x)), w.broadcast(x, dtype=w.dtype(x), low=low)
    return x, one, two, w.options(value=lambda: w.choice((2, 0.5, -1)))


@draws("masked_fill", weight=2)
def masked_fill(w: Writer) -> Any:
    x = w.tensor("fcib")
    value = w.scalar("fib") if w.chance(0.8) else w.tensor("fib", shape=())
    return x, w.broadcast(x, "b"), value


# -- dtypes ------------------------------------------------------------------------------------------------------------


def fits_in(w: Writer, x: Name, dtype: str) -> bool:
    """Whether all values can be this dtype's, so that C says what casting them gives."""
    value = w.value(x).detach()
    if dtype in ("bool", "float64", "complex128") or dtype.startswith(("float", "complex")) or not value.numel():
        return True
    if value.is_complex():
        value = value.real
    low = 0 if dtype == "uint8" else -(2.0**30)
    high = 255 if dtype == "uint8" else 2.0**30
    whole = value.to(torch.float64)
    return bool((torch.isfinite(whole) & (whole >= low) & (whole <= high)).all())


@draws("to type", weight=1.5)
def cast(w: Writer) -> Any:
    x, dtype = w.tensor("fcib"), w.new_dtype("fcib")
    if not fits_in(w, x, dtype):
        raise NotNow
    return x, Attribute(f"T.{dtype}")


NAMED = {"double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32", "byte": "uint8"}
NAMED |= {"bool": "bool", "cfloat": "complex64", "cdouble": "complex128", "short": "int16", "char": "int8"}


def named_cast(name: str) -> Any:
    def draw(w: Writer) -> Any:
        x = w.tensor("fcib")
        dtype = NAMED[name]
        if not fits_in(w, x, "uint8" if dtype in ("int16", "int8") else dtype) or (
            name == "char" and not fits_small(w, x)
        ):
            raise NotNow
        return (x,)

    return draw


def fits_small(w: Writer, x: Name) -> bool:
    return bool((w.value(x).detach().abs() <= 127).all())


for method in NAMED:
    draws(method, weight=0.3)(named_cast(method))


@draws("type_as")
def type_as(w: Writer) -> Any:
    x, like = w.tensor("fcib"), w.tensor("fcib")
    if not fits_in(w, x, w.dtype(like)):
        raise NotNow
    return x, like
