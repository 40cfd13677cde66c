"""The operations that `ops.py` measures: for each chapter, expressions of both libraries, and what stands in them.

A name in an expression is an argument, which is made in the three sizes of `ARGUMENTS`, or one of `NAMESPACES` of the
library. An argument of floating or complex numbers requires a gradient, unless its row says `fixed`.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SIZES = ("small", "middle", "large")
NAMESPACES = {"lib": "", "F": "nn.functional", "linalg": "linalg", "fft": "fft", "special": "special"}
NAMESPACES["windows"] = "signal.windows"
Shape = tuple[int, ...]
Fill = Callable[[np.random.Generator, Shape], Any]


class Argument(NamedTuple):
    """What fills an argument, or the layer that it is, and its shape, or that layer's arguments, at each size."""

    fill: Fill | str
    small: Shape
    middle: Shape
    large: Shape
    fixed: bool = False

    def made(self, lib: Any, size: str, seed: int) -> Any:
        """A tensor, a layer, or a shape or number."""
        shape = getattr(self, size)
        if isinstance(self.fill, str):
            return getattr(lib.nn, self.fill)(*shape)
        value = self.fill(np.random.default_rng(seed), shape)
        if not isinstance(value, np.ndarray):
            return value
        return lib.from_numpy(value).requires_grad_(value.dtype.kind in "fc" and not self.fixed)


def normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def uniform(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Between 0.05 and 0.95, so that logarithms, inverse sines and probabilities are far from their ends."""
    return (rng.random(shape, dtype=np.float32) * 0.9 + 0.05).astype(np.float32)


def complex_normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return (normal(rng, shape) + 1j * normal(rng, shape)).astype(np.complex64)


def below(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Integers below the first number, of the shape that the others are."""
    return rng.integers(0, shape[0], shape[1:])


def chance(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.random(shape) < 0.5


def ascending(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return np.sort(normal(rng, shape), -1)


def positive_definite(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    a = normal(rng, shape)
    return (a @ np.swapaxes(a, -1, -2) / shape[-1] + np.eye(shape[-1])).astype(np.float32)


def kernel(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return normal(rng, shape) / np.float32(np.sqrt(np.prod(shape[1:])))


def as_it_is(rng: np.random.Generator, shape: Shape) -> Any:
    return shape if len(shape) > 1 else shape[0]


MATRIX = ((10, 10), (128, 256), (1024, 1024))
LINE = ((100,), (32768,), (1048576,))
IMAGES = ((1, 2, 8, 8), (4, 8, 32, 32), (16, 16, 64, 64))
ARGUMENTS = {
    "x": Argument(normal, *MATRIX),
    "y": Argument(normal, *MATRIX),
    "z": Argument(normal, *MATRIX),
    "u": Argument(uniform, *MATRIX),
    "w": Argument(uniform, *MATRIX),
    "t": Argument(uniform, *MATRIX, fixed=True),
    "c": Argument(complex_normal, *MATRIX),
    "row": Argument(normal, (10,), (256,), (1024,)),
    "mask": Argument(chance, *MATRIX),
    "n": Argument(below, *((1000, *shape) for shape in MATRIX)),
    "k": Argument(below, *((1000, *shape) for shape in MATRIX)),
    "spots": Argument(below, *((shape[0], *shape) for shape in MATRIX)),
    "rows": Argument(below, (10, 10), (128, 128), (1024, 1024)),
    "target": Argument(below, (10, 10), (256, 128), (1024, 1024)),
    "line": Argument(normal, *LINE),
    "other": Argument(normal, *LINE),
    "places": Argument(below, (100, 100), (32768, 32768), (1048576, 1048576)),
    "few": Argument(below, (10, 100), (100, 32768), (1000, 1048576)),
    "edges": Argument(ascending, (10,), (100,), (1000,), fixed=True),
    "shape": Argument(as_it_is, *MATRIX),
    "count": Argument(as_it_is, *LINE),
    "side": Argument(as_it_is, (10,), (181,), (1024,)),
    "a": Argument(normal, (10, 10), (128, 128), (1024, 1024)),
    "b": Argument(normal, (10, 10), (128, 128), (1024, 1024)),
    "d": Argument(normal, (10, 10), (64, 64), (256, 256)),
    "s": Argument(positive_definite, (10, 10), (64, 64), (256, 256)),
    "many": Argument(normal, (2, 7, 7), (64, 16, 16), (1024, 32, 32)),
    "others": Argument(normal, (2, 7, 7), (64, 16, 16), (1024, 32, 32)),
    "definite": Argument(positive_definite, (2, 7, 7), (64, 16, 16), (1024, 32, 32)),
    "vectors": Argument(normal, (33, 3), (4096, 3), (262144, 3)),
    "points": Argument(normal, (10, 4), (128, 16), (1024, 64)),
    "centres": Argument(normal, (10, 4), (128, 16), (1024, 64)),
    "images": Argument(normal, *IMAGES),
    "norms": Argument(normal, (2,), (8,), (16,)),
    "volumes": Argument(normal, (1, 2, 4, 4, 4), (2, 4, 8, 16, 16), (4, 16, 16, 32, 32)),
    "signals": Argument(normal, (1, 2, 50), (8, 16, 256), (32, 32, 1024)),
    "maps": Argument(normal, (1, 4, 6, 6), (4, 16, 20, 20), (16, 64, 32, 32)),
    "kernel1": Argument(kernel, (2, 2, 3), (16, 16, 3), (32, 32, 3)),
    "kernel2": Argument(kernel, (2, 2, 3, 3), (8, 8, 3, 3), (16, 16, 3, 3)),
    "kernel3": Argument(kernel, (2, 2, 3, 3, 3), (4, 4, 3, 3, 3), (16, 16, 3, 3, 3)),
    "depthwise": Argument(kernel, (2, 1, 3, 3), (8, 1, 3, 3), (16, 1, 3, 3)),
    "grid": Argument(uniform, (1, 8, 8, 2), (4, 32, 32, 2), (16, 64, 64, 2)),
    "heads": Argument(normal, (1, 2, 7, 8), (4, 4, 64, 32), (4, 8, 512, 64)),
    "keys": Argument(normal, (1, 2, 7, 8), (4, 4, 64, 32), (4, 8, 512, 64)),
    "values": Argument(normal, (1, 2, 7, 8), (4, 4, 64, 32), (4, 8, 512, 64)),
    "table": Argument(normal, (20, 8), (1000, 32), (10000, 128)),
    "words": Argument(below, (20, 12), (1000, 16, 64), (10000, 64, 128)),
    "waves": Argument(normal, (1, 100), (4, 8192), (16, 65536)),
    "spectra": Argument(complex_normal, (1, 33, 4), (4, 129, 65), (16, 257, 257)),
    "window": Argument(uniform, (64,), (256,), (512,), fixed=True),
    "steps": Argument(normal, (4, 2, 12), (16, 16, 64), (64, 32, 256)),
    "scores": Argument(normal, (8, 2, 6), (50, 8, 32), (200, 32, 128)),
    "mixing": Argument(kernel, (4, 4, 4), (8, 16, 16), (16, 64, 64)),
    "rnn": Argument("RNN", (12, 12), (64, 64), (256, 256)),
    "lstm": Argument("LSTM", (12, 12), (64, 64), (256, 256)),
    "gru": Argument("GRU", (12, 12), (64, 64), (256, 256)),
    "cell": Argument("GRUCell", (12, 12), (64, 64), (256, 256)),
    "attention": Argument("MultiheadAttention", (12, 2), (64, 4), (256, 8)),
    "texts": Argument(lambda rng, shape: below(rng, (5, *shape)) + 1, (2, 3), (8, 12), (32, 40)),
}

ROWS = {
    "pointwise": """
        x + y; x - row; x * y; x / w; x + 1.0; -x; x.abs(); x.sign(); x.square(); u.sqrt(); u.rsqrt(); u.reciprocal()
        x ** 2; x ** 3; u ** w; x.exp(); x.exp2(); x.expm1(); u.log(); u.log2(); u.log10(); u.log1p(); x.sin(); x.cos()
        x.tan(); u.asin(); u.acos(); x.atan(); x.sinh(); x.cosh(); x.tanh(); x.asinh(); (w + 1).acosh(); u.atanh()
        x.erf(); x.erfc(); u.erfinv(); u.lgamma(); u.digamma(); x.sigmoid(); u.logit(); x.sinc(); x.round(); x.floor()
        x.trunc(); x.frac(); x.clamp(-1.0, 1.0); x.maximum(y); x.fmin(y); x.atan2(y); x.hypot(y); x.remainder(w)
        x.fmod(w); t.floor_divide(0.3); x.lerp(y, 0.3); lib.addcmul(x, y, z); lib.addcdiv(x, y, w); x.logaddexp(y)
        lib.xlogy(x, u); x.copysign(y); x.nan_to_num(); lib.where(mask, x, y); n + k; n * k; n // 7; n & k; ~n
        lib.gcd(n, k); c * c; c.abs(); c.exp(); c.conj() * c; lib.polar(w, x); lib.complex(x, y); x.ldexp(y)
        lib.deg2rad(x); x.float_power(2); lib.heaviside(t, t); lib.nextafter(x, y)
    """,
    "comparison": """
        x < y; x == y; n == k; x.isnan(); x.isfinite(); mask & mask; ~mask; lib.logical_xor(mask, mask)
        lib.isclose(x, y); lib.equal(x, x); lib.allclose(x, x)
    """,
    "reduction": """
        x.sum(); x.sum(0); x.sum(1); x.mean(1); x.nansum(1); u.prod(1); x.std(1); x.var(0); lib.var_mean(x, 1)
        x.norm(); x.norm(dim=1); x.amax(1); x.max(1); x.min(0); x.max(); x.argmax(1); x.aminmax(dim=1); x.logsumexp(1)
        mask.any(1); mask.all(); x.count_nonzero(); n.sum(1); x.cumsum(1); x.cumsum(0); line.cumsum(0); n.cumsum(1)
        u.cumprod(1); u.cumprod(0); x.cummax(1); x.cummax(0); x.cummin(1); x.logcumsumexp(1); x.logcumsumexp(0)
        x.median(); x.median(1); x.nanmedian(1); n.mode(1); x.quantile(0.3, 1); x.nanquantile(0.3, 1); x.diff()
        lib.trapezoid(x); lib.cumulative_trapezoid(x); line.histc(100); lib.histogram(line.detach(), 100)
        x.cov(); x.corrcoef(); x.renorm(2, 0, 1.0); c.sum(1)
    """,
    "sorting": """
        x.sort(1); x.sort(0); line.sort(); x.sort(1, descending=True); n.sort(1); x.argsort(1); x.argsort(0)
        line.argsort(); x.msort(); x.topk(5); x.topk(5, 0); line.topk(20); x.kthvalue(5); line.kthvalue(50)
        few.unique(); line.detach().unique(); few.unique(return_inverse=True, return_counts=True)
        few.unique_consecutive(); few.bincount(); lib.bincount(few, other.detach()); lib.searchsorted(edges, x)
        lib.bucketize(x, edges); lib.isin(few, rows)
    """,
    "indexing": """
        x[3:]; x[:, 2]; x[:, ::2]; x[rows]; x[:, rows]; x[rows, rows]; x[mask]; line[places]; x.gather(1, spots)
        x.gather(0, spots); x.take(places); x.take_along_dim(spots, 0); x.index_select(0, rows)
        x.index_select(1, rows); x.scatter(0, spots, y); x.scatter_add(0, spots, y); x.scatter_add(1, spots, y)
        line.scatter_add(0, places, other); line.scatter_add(0, few, other); x.scatter_reduce(0, spots, y, "sum")
        x.scatter_reduce(0, spots, y, "amax"); x.scatter_reduce(0, spots, y, "mean"); x.index_add(0, rows, y)
        line.index_add(0, places, other); line.index_add(0, few, other); x.index_copy(0, rows, y)
        x.index_fill(0, rows, 1.0); lib.index_put(x, (rows, target), x.diagonal()); x.masked_fill(mask, 0.0)
        x.masked_select(mask); mask.nonzero(); x.diagonal(); x.diag(); row.diag(); x.tril(); x.triu(1)
        lib.tril_indices(side, side); x.select(0, 3); x.narrow(0, 2, 5); x.select_scatter(row, 0, 3)
        x.index_reduce(0, rows, y, "amax"); x.masked_scatter(mask, y)
    """,
    "shape": """
        x.reshape(-1); x.view(-1); x.flatten(); x.T; x.transpose(0, 1); x.permute(1, 0); x.unsqueeze(0)
        x.squeeze(); row.expand(shape); x.T.contiguous(); x.clone(); x.repeat(2, 1); x.tile(1, 2)
        x.repeat_interleave(2, 0); lib.cat((x, y)); lib.cat((x, y), 1); lib.stack((x, y)); lib.stack((x, y), 1)
        lib.hstack((x, y)); x.split(5); x.chunk(2); x.chunk(2, 1); row.unbind(); x.flip(0); x.flip(1); x.roll(3, 1)
        x.roll(3, 0); x.rot90(); x.unfold(1, 4, 2); lib.meshgrid(row, row, indexing="ij"); x.movedim(0, 1)
        lib.broadcast_to(row, shape); lib.block_diag(x, y); lib.cartesian_prod(row, row); x.unflatten(1, (2, -1))
        x.tensor_split(3, 1); lib.column_stack((x, y))
    """,
    "tensor": """
        lib.zeros(shape); lib.ones(shape); lib.full(shape, 2.0); lib.empty(shape); lib.arange(count)
        lib.linspace(0, 1, count); lib.eye(side); lib.zeros_like(x); x.double(); x.half(); x.to(lib.bfloat16); x.int()
        n.float(); lib.rand(shape); lib.randn(shape); lib.randint(0, 100, shape); lib.randperm(count); t.bernoulli()
        t.multinomial(5); lib.normal(t, t); lib.empty_like(t).exponential_(); lib.empty_like(t).uniform_()
        lib.empty_like(t).normal_(); t.add_(1.0); t.mul_(1.0); t.fill_(0.5); t.clamp_(0.1, 0.9); t.copy_(t.flip(0))
    """,
    "linear": """
        F.linear(points, centres); F.linear(x, y); F.bilinear(points, centres, mixing)
    """,
    "linalg": """
        a @ b; a.mm(b); a.mv(a[0]); row.dot(row); many.bmm(others); many @ others; lib.outer(row, row)
        lib.addmm(a, b, a); lib.baddbmm(many, others, many); lib.kron(points[:8], centres[:8])
        lib.tensordot(a, b, dims=([1], [0])); lib.einsum("ij,jk->ik", a, b); lib.einsum("bij,bjk->bik", many, others)
        lib.einsum("ij,ij->i", x, y); lib.einsum("i,j->ij", row, row); lib.einsum("ij->ji", x); lib.einsum("ii->i", a)
        lib.einsum("bhqd,bhkd->bhqk", heads, keys); lib.einsum("bij,bij->b", many, others)
        lib.einsum("ij,jk,kl->il", a, b, a); lib.einsum("i,ij,j->", a[0], a, b[0])
        linalg.cholesky(s); linalg.cholesky(definite); linalg.solve(s, d); linalg.solve(definite, many)
        linalg.inv(s); linalg.inv(definite); linalg.det(s); linalg.slogdet(definite); linalg.qr(d); linalg.qr(many)
        linalg.svd(d); linalg.svd(many); linalg.svdvals(d); linalg.eigh(s); linalg.eigh(definite); linalg.eigvalsh(s)
        linalg.eigvals(d); linalg.lu(d); linalg.lu_factor(d); linalg.pinv(d); linalg.lstsq(s, d).solution
        linalg.solve_triangular(s, d, upper=False); linalg.matrix_power(s, 3); linalg.matrix_exp(s / 10)
        linalg.norm(a); linalg.matrix_norm(d, 2); linalg.vector_norm(x, dim=1); linalg.multi_dot((a, b, a))
        linalg.cross(vectors, vectors.flip(1)); linalg.vecdot(x, y); a.trace()
        lib.cdist(points, centres); lib.cdist(points, centres, 1.0)
    """,
    "fft": """
        fft.fft(c); fft.fft(c, dim=0); fft.fft(x); fft.ifft(c); fft.rfft(x); fft.irfft(c); fft.hfft(c); fft.fft2(c)
        fft.ifft2(c); fft.rfft2(x); fft.fftn(c); fft.irfft2(c); fft.fftshift(x); fft.fftfreq(side); fft.fft(line)
        fft.rfft(line)
    """,
    "spectral": """
        lib.stft(waves, len(window), window=window, return_complex=True)
        lib.istft(spectra, 2 * spectra.shape[1] - 2, window=lib.ones(2 * spectra.shape[1] - 2))
        lib.hann_window(count); lib.kaiser_window(side); windows.gaussian(count); windows.hamming(side)
    """,
    "special": """
        special.i0(x); special.i0e(x); special.i1(x); special.entr(u); special.ndtr(x); special.ndtri(u)
        special.log_ndtr(x); special.erfcx(x); special.bessel_j0(t); special.bessel_j1(t); special.gammaln(u)
        special.psi(u); special.polygamma(1, u); special.xlog1py(x, u); special.zeta(t + 1.5, t)
        special.expit(x); special.gammainc(t, t); special.chebyshev_polynomial_t(t, 5); special.log_softmax(x, 1)
    """,
    "activation": """
        F.relu(x); F.relu6(x); F.leaky_relu(x); F.elu(x); F.selu(x); F.celu(x); F.gelu(x)
        F.gelu(x, approximate="tanh"); F.silu(x); F.mish(x); F.softplus(x); F.softsign(x); F.logsigmoid(x)
        F.hardtanh(x); F.hardswish(x); F.hardsigmoid(x); F.hardshrink(x); F.softshrink(x); F.tanhshrink(x)
        F.threshold(x, 0.1, 0.0); F.glu(x); F.softmax(x, 1); F.softmax(x, 0); F.log_softmax(x, 1); F.softmin(x, 1)
        F.prelu(images, norms); F.rrelu(x); F.gumbel_softmax(x)
    """,
    "loss": """
        F.mse_loss(x, t); F.l1_loss(x, t); F.smooth_l1_loss(x, t); F.huber_loss(x, t); F.cross_entropy(x, target)
        F.cross_entropy(x, target, label_smoothing=0.1); F.cross_entropy(x, t); F.nll_loss(x, target)
        F.binary_cross_entropy(u, t); F.binary_cross_entropy_with_logits(x, t); F.kl_div(x, t, reduction="batchmean")
        F.poisson_nll_loss(x, t); F.gaussian_nll_loss(x, t, w); F.hinge_embedding_loss(x, t)
        F.margin_ranking_loss(x, y, t); F.soft_margin_loss(x, t); F.multi_margin_loss(x, target)
        F.multilabel_soft_margin_loss(x, t); F.triplet_margin_loss(x, y, z)
        F.cosine_embedding_loss(x, y, lib.ones(len(x))); F.mse_loss(x, t, reduction="none")
        F.ctc_loss(F.log_softmax(scores, 2), texts, [len(scores)] * len(texts), [texts.shape[1]] * len(texts))
    """,
    "normalization": """
        F.layer_norm(x, row.shape, row, row); F.rms_norm(x, row.shape, row)
        F.batch_norm(x, None, None, row, row, True); F.batch_norm(images, None, None, norms, norms, True)
        F.batch_norm(images, norms.detach(), norms.detach() ** 2, norms, norms)
        F.group_norm(images, 2, norms, norms); F.instance_norm(images); F.normalize(x)
        F.local_response_norm(images, 3)
    """,
    "pooling": """
        F.max_pool1d(signals, 2); F.max_pool2d(images, 2); F.max_pool2d(images, 3, 2, 1); F.max_pool3d(volumes, 2)
        F.avg_pool1d(signals, 2); F.avg_pool2d(images, 2); F.avg_pool2d(images, 3, 1, 1); F.avg_pool3d(volumes, 2)
        F.adaptive_avg_pool2d(images, 1); F.adaptive_avg_pool2d(images, 5); F.adaptive_max_pool2d(images, 4)
        F.lp_pool2d(images, 2.0, 2); F.max_unpool2d(*F.max_pool2d(images, 2, return_indices=True), 2)
    """,
    "convolution": """
        F.conv1d(signals, kernel1); F.conv2d(images, kernel2, padding=1); F.conv2d(images, kernel2, stride=2)
        F.conv2d(images, depthwise, groups=len(depthwise)); F.conv3d(volumes, kernel3); F.unfold(images, 3)
        F.conv_transpose1d(signals, kernel1); F.conv_transpose2d(images, kernel2, stride=2)
        F.fold(F.unfold(images, 2, stride=2), images.shape[2:], 2, stride=2)
    """,
    "distance": """
        F.cosine_similarity(x, y); F.pairwise_distance(x, y); F.pdist(points); lib.dist(x, y)
    """,
    "embedding": """
        F.embedding(words, table); F.embedding_bag(words.reshape(-1, 4), table); F.one_hot(target)
    """,
    "vision": """
        F.interpolate(images, scale_factor=2); F.interpolate(images, scale_factor=2, mode="bilinear")
        F.interpolate(images, scale_factor=0.5, mode="area"); F.interpolate(images, scale_factor=2, mode="bicubic")
        F.grid_sample(images, grid, align_corners=False); F.pixel_shuffle(maps, 2); F.pixel_unshuffle(maps, 2)
        F.channel_shuffle(images, 2); F.affine_grid(lib.ones(2, 2, 3), (2, 3, side, side), align_corners=False)
    """,
    "padding": """
        F.pad(x, (1, 1)); F.pad(x, (1, 1, 2, 2), value=1.0); F.pad(images, (1, 1, 1, 1), mode="reflect")
        F.pad(images, (1, 1, 1, 1), mode="replicate"); F.pad(images, (1, 1, 1, 1), mode="circular")
    """,
    "dropout": """
        F.dropout(x); F.dropout2d(images); F.alpha_dropout(x, 0.5, True); F.feature_alpha_dropout(images, 0.5, True)
    """,
    "attention": """
        F.scaled_dot_product_attention(heads, keys, values)
        F.scaled_dot_product_attention(heads, keys, values, is_causal=True)
        attention(steps, steps, steps, need_weights=False)[0]
    """,
    "recurrent": """
        rnn(steps)[0]; lstm(steps)[0]; gru(steps)[0]; cell(steps[0])
    """,
}

NAMED = {
    *("sort", "argsort", "msort", "topk", "kthvalue", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"),
    *("scatter", "scatter_add", "scatter_reduce", "index_add", "gather", "einsum", "median", "quantile", "cdist"),
    *("fft", "ifft", "rfft", "irfft", "fft2", "unique", "searchsorted", "histc", "bincount"),
    *("cholesky", "solve", "svd", "eigh", "qr", "inv"),
}


def expressions(chapter: str) -> list[str]:
    """The chapter's rows."""
    return [ast.unparse(statement) for statement in ast.parse(textwrap.dedent(ROWS[chapter])).body]


def names(expression: str) -> list[str]:
    """The arguments that an expression reads."""
    return sorted({node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)} & {*ARGUMENTS})


def operation(expression: str) -> str:
    """The name of the function that an expression calls last."""
    root: Any = ast.parse(expression, mode="eval").body
    function = getattr(root, "func", root)
    return str(getattr(function, "attr", ""))
