"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from fuzz.catalogue.table import draws
from fuzz.drawing import NotNow, Writer
from fuzz.programs import Name


def product_dtype(w: Writer, x: Name) -> str | None:
    """The other operand's dtype: almost always the same, which is all that PyTorch takes."""
    return None if w.chance(0.03) else w.dtype(x)


def factor(w: Writer, least: int = 1, most: int = 3) -> Name:
    return w.tensor("fci", least=least, most=most, size=100)


@draws("matmul", {"matmul": "@ @"}, weight=3)
def matmul(w: Writer) -> Any:
    x = factor(w, 1, 4)
    shape = w.shape(x)
    inner = shape[-1] if not w.chance(0.02) else shape[-1] + 1
    way = w.int(0, 3)
    if way == 0:
        return x, w.tensor(shape=(inner,), dtype=product_dtype(w, x))
    if way == 1 or len(shape) < 3:
        return x, w.tensor(shape=(inner, w.int(0, 4)), dtype=product_dtype(w, x))
    batch = tuple(1 if w.chance(0.3) else n for n in shape[:-2])
    return x, w.tensor(shape=(*batch, inner, w.int(0, 3)), dtype=product_dtype(w, x))


@draws("mm")
def mm(w: Writer) -> Any:
    x = factor(w, 2, 2)
    return x, w.tensor(shape=(w.shape(x)[1], w.int(0, 4)), dtype=product_dtype(w, x))


@draws("mv")
def mv(w: Writer) -> Any:
    x = factor(w, 2, 2)
    return x, w.tensor(shape=w.shape(x)[1:], dtype=product_dtype(w, x))


@draws("dot vdot")
def dot(w: Writer) -> Any:
    x = factor(w, 1, 1)
    return x, w.tensor(shape=w.shape(x), dtype=product_dtype(w, x))


@draws("inner")
def inner(w: Writer) -> Any:
    x = factor(w, 0, 2)
    last = w.shape(x)[-1:]
    return x, w.tensor(shape=(w.int(1, 3), *last) if last and w.bool() else last, dtype=product_dtype(w, x))


@draws("outer kron")
def outer(w: Writer) -> Any:
    x = w.tensor("fci", least=1, most=1, size=12)
    return x, w.tensor("fci", shape=(w.int(0, 4),), dtype=product_dtype(w, x))


@draws("bmm")
def bmm(w: Writer) -> Any:
    x = factor(w, 3, 3)
    n, _, k = w.shape(x)
    return x, w.tensor(shape=(n, k, w.int(0, 3)), dtype=product_dtype(w, x))


@draws("addmm")
def addmm(w: Writer) -> Any:
    x = factor(w, 2, 2)
    n, k = w.shape(x)
    m = w.int(0, 3)
    y = w.tensor(shape=(k, m), dtype=product_dtype(w, x))
    start = w.tensor(shape=w.choice(((n, m), (m,), (1, m), ())), dtype=w.dtype(x))
    return start, x, y, w.options(beta=lambda: w.choice((0, 2)), alpha=lambda: w.choice((2, -1)))


@draws("baddbmm")
def baddbmm(w: Writer) -> Any:
    x = factor(w, 3, 3)
    b, n, k = w.shape(x)
    m = w.int(0, 3)
    y = w.tensor(shape=(b, k, m), dtype=product_dtype(w, x))
    return w.tensor(shape=w.choice(((b, n, m), (m,), (1, n, m))), dtype=w.dtype(x)), x, y, w.options(beta=2, alpha=-1)


@draws("addmv")
def addmv(w: Writer) -> Any:
    x = factor(w, 2, 2)
    n, k = w.shape(x)
    start = w.tensor(shape=w.choice(((n,), (1,), ())), dtype=w.dtype(x))
    return start, x, w.tensor(shape=(k,), dtype=w.dtype(x)), w.options(beta=lambda: w.choice((0, 2)), alpha=2)


@draws("addr")
def addr(w: Writer) -> Any:
    x = factor(w, 1, 1)
    y = w.tensor(shape=(w.int(0, 3),), dtype=w.dtype(x))
    start = w.tensor(shape=w.choice(((*w.shape(x), *w.shape(y)), w.shape(y), ())), dtype=w.dtype(x))
    return start, x, y, w.options(beta=lambda: w.choice((0, 2)), alpha=2)


@draws("addbmm")
def addbmm(w: Writer) -> Any:
    x = factor(w, 3, 3)
    b, n, k = w.shape(x)
    y = w.tensor(shape=(b, k, w.int(0, 3)), dtype=w.dtype(x))
    return w.tensor(shape=(n, w.shape(y)[2]), dtype=w.dtype(x)), x, y, w.options(beta=2, alpha=-1)


@draws("cross")
def cross(w: Writer) -> Any:
    shape = (*[w.int(0, 2) for _ in range(w.int(0, 2))], 3)
    x = w.tensor("fci", shape=shape)
    return x, w.tensor(shape=shape, dtype=w.dtype(x)), {"dim": -1}


@draws("matrix_power")
def matrix_power(w: Writer) -> Any:
    size = w.int(0, 3)
    return w.tensor("fci", shape=(*[w.int(1, 2) for _ in range(w.int(0, 1))], size, size)), w.int(0, 4)


@draws("vander")
def vander(w: Writer) -> Any:
    x = w.tensor("fci", least=1, most=1, size=4)
    return x, w.options(N=lambda: w.int(0, 4), increasing=True)


@draws("linear")
def linear(w: Writer) -> Any:
    x = w.tensor("fc", least=1, size=100)
    out = w.int(1, 3)
    weight = w.tensor(shape=(out, w.shape(x)[-1]), dtype=product_dtype(w, x))
    return (x, weight, w.tensor(shape=(out,), dtype=w.dtype(x))) if w.bool() else (x, weight)


@draws("tensordot")
def tensordot(w: Writer) -> Any:
    x = factor(w, 1, 3)
    n = w.int(0, min(2, w.ndim(x)))
    shape = w.shape(x)
    if w.bool():
        y = w.tensor(shape=(*shape[len(shape) - n :], w.int(1, 3)), dtype=product_dtype(w, x))
        return x, y, {"dims": n}
    axes = w.rng.sample(range(len(shape)), n)
    y = w.tensor(shape=(w.int(1, 2), *(shape[a] for a in axes)), dtype=product_dtype(w, x))
    return x, y, {"dims": (list(axes), list(range(1, n + 1)))}


@draws("einsum", weight=3)
def einsum(w: Writer) -> Any:
    """An equation over a few labels, whose sizes are those of the first operand where it has them."""
    x = w.tensor("fci", least=0, most=3, size=100)
    labels = [w.choice("ijk") if w.chance(0.1) else "ijklm"[i] for i in range(w.ndim(x))]
    sizes: dict[str, int] = {}
    for label, n in zip(labels, w.shape(x), strict=True):
        sizes.setdefault(label, n)
    terms, operands = ["".join(labels)], [x]
    for _ in range(w.int(0, 2)):
        some = [w.choice("ijkl") for _ in range(w.int(0, 3))]
        if len(set(some)) < len(some) and w.chance(0.7):
            some = list(dict.fromkeys(some))
        shape = []
        for label in some:
            sizes.setdefault(label, w.int(1, 3))
            shape.append(1 if w.chance(0.08) else sizes[label])
        terms.append("".join(some))
        operands.append(w.tensor(shape=tuple(shape), dtype=w.dtype(x)))
    equation = ",".join(terms)
    if w.chance(0.8):
        every = sorted(set("".join(terms)))
        equation += "->" + "".join(w.rng.sample(every, w.int(0, len(every))))
    if len(operands) == 1 and len(set(terms[0])) == len(set(equation.partition("->")[2] or terms[0])):
        raise NotNow  # nothing is summed: PyTorch returns a view, we do not
    return (equation, *operands)


@draws("scaled_dot_product_attention", weight=1.5)
def attention(w: Writer) -> Any:
    batch = w.choice(((), (2,), (1, 2)))
    n, m, d, e = w.int(1, 3), w.int(1, 3), w.int(1, 4), w.int(1, 3)
    dtype = w.choice(("float64", "float32"))
    q, k = w.tensor(shape=(*batch, n, d), dtype=dtype), w.tensor(shape=(*batch, m, d), dtype=dtype)
    v = w.tensor(shape=(*batch, m, e), dtype=dtype)
    options: dict[str, Any] = {}
    if w.chance(0.3):
        options["is_causal"] = True
    elif w.chance(0.4):
        options["attn_mask"] = w.tensor(shape=(n, m), dtype=w.choice((dtype, "bool")))
    if w.chance(0.2):
        options["scale"] = 0.7
    return q, k, v, options
