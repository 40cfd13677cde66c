"""Random numbers: one generator for all, `manual_seed`, and `Generator` for one of your own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Unpack

import numpy as np

from tinygrad_dl.backends.arrays import array_from, at_hand, truth
from tinygrad_dl.backends.arrays import like as like_array
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.device import CPU, check_device, device, device_of
from tinygrad_dl.core.dtypes import as_dtype
from tinygrad_dl.core.layout import preserve_format
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.promotion import INT64, default, is_floating
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import Lifted, drawn_inside, is_known, stack
from tinygrad_dl.creation import Options, creation, finish, like, sizes

# fmt: off
__all__ = [
    "Generator", "bernoulli", "get_rng_state", "initial_seed", "manual_seed", "multinomial", "normal", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "set_rng_state",
]
# fmt: on


def __dir__() -> list[str]:
    return __all__


class Generator:
    """A source of random numbers with a state of its own; pass it as `generator=`.

    >>> a = td.rand(2, generator=td.Generator().manual_seed(1))
    >>> b = td.rand(2, generator=td.Generator().manual_seed(1))
    >>> (a == b).all().item()
    True
    """

    def __init__(self, device: Any = "cpu"):
        check_device(device)
        self._rng: np.random.Generator | None = None
        self._seed = 0

    @property
    def device(self) -> device:
        """Where its numbers are made: the CPU."""
        return CPU

    @property
    def rng(self) -> np.random.Generator:
        """NumPy's generator behind it. Made at first use: importing numpy.random takes time."""
        if self._rng is None:
            self.seed()
        assert self._rng is not None
        return self._rng

    def manual_seed(self, seed: int) -> Generator:
        """Starts the sequence that belongs to `seed`; returns itself."""
        self._seed = int(seed)
        self._rng = np.random.Generator(np.random.SFC64(self._seed % 2**64))
        return self

    def seed(self) -> int:
        """Starts from a seed that the operating system gives, and returns it."""
        self.manual_seed(int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> 1))
        return self._seed

    def initial_seed(self) -> int:
        """The seed that it was started with."""
        return self._seed

    def get_state(self) -> Any:
        """The state, to be given to `set_state`."""
        return self.rng.bit_generator.state

    def set_state(self, state: Any) -> Generator:
        """Goes on from a state that `get_state` returned.

        Raises:
            ValueError: it is no such state. Nothing is changed then.
        """
        probe = np.random.SFC64(0)
        try:
            probe.state = state
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise ValueError(
                f"Generator.set_state: got {state!r:.60}, expected what get_state returned ({error})"
            ) from error
        self.rng.bit_generator.state = probe.state
        return self


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seeds the generator that is used when no other is given: the same seed gives the same numbers.

    >>> generator = td.manual_seed(1)
    >>> first = td.rand(3)
    >>> generator = td.manual_seed(1)
    >>> td.equal(first, td.rand(3))
    True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seeds the default generator with a number that the operating system gives, and returns it.

    >>> td.seed() == td.initial_seed()
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.seed.html
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    >>> generator = td.manual_seed(7)
    >>> td.initial_seed()
    7
    """
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The state of the default generator.

    >>> state = td.get_rng_state()
    >>> first = td.rand(3)
    >>> td.set_rng_state(state)
    >>> td.equal(first, td.rand(3))
    True
    """
    return default_generator.get_state()


def set_rng_state(state: Any) -> None:
    """Puts the default generator into a state that `get_rng_state` returned.

    >>> state = td.get_rng_state()
    >>> td.set_rng_state(state)
    """
    default_generator.set_state(state)


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, device_type: str | None = None) -> Iterator[None]:
    """Gives the default generator the state back afterwards that it had before.

    Args:
        devices: accepted; there is the CPU's generator alone.
        enabled: False changes nothing.
        device_type: accepted.

    >>> import tinygrad_dl as td
    >>> with td.random.fork_rng():
    ...     first = td.rand(3)
    >>> td.equal(first, td.rand(3))
    True

    Source: https://docs.pytorch.org/docs/stable/random.html#torch.random.fork_rng
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)


def rng_of(generator: Generator | None) -> np.random.Generator:
    """NumPy's generator behind the given one, or behind the default."""
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(
            f"got generator={type(generator).__name__} object, expected a tinygrad_dl.Generator or None; make one with "
            f"td.Generator().manual_seed(0)"
        )
    return (generator or default_generator).rng


def draw(
    make: Callable[..., Any], shape: Any, generator: Generator | None, *options: Any, depends: tuple[Any, ...] = ()
) -> Any:
    """The array `make(rng, shape, *options)`; inside of vmap as its `randomness` says, which may be a tensor.

    Everything that draws numbers does it here. `depends` are the parameters of the distribution, if they are tensors.
    """
    rng = rng_of(generator)
    if not stack.levels:
        return make(rng, shape, *options)
    return drawn_inside(lambda whole: make(rng, whole, *options), shape, depends)


def beside(numbers: Any, tensor: Any) -> Any:
    """What `draw` gave, on the device of a tensor.

    Numbers are drawn on the CPU, whatever is done with them: so a seed gives the same numbers on every device, and one
    state says where all of them go on.
    """
    return numbers if isinstance(numbers, Tensor) else like_array(numbers, tensor)


def converted(numbers: Any, dtype: Any) -> Any:
    """What `draw` gave, in this dtype."""
    return numbers.to(dtype) if isinstance(numbers, Tensor) else array_from(numbers).astype(dtype, copy=False)


def uniform(shape: Any, dtype: Any, generator: Generator | None, *depends: Any) -> Any:
    """Uniform numbers in [0, 1), of complex ones each part; half precision from multiples of a power of 2."""
    return draw(_uniform_numbers, shape, generator, as_dtype(dtype), depends=depends)


def _uniform_numbers(rng: np.random.Generator, shape: Any, dtype: np.dtype[Any]) -> np.ndarray:
    if dtype.kind == "c":
        real = np.float32 if dtype.itemsize == 8 else np.float64
        return rng.random((*shape, 2), dtype=real).view(dtype)[..., 0]
    if dtype.kind == "f" and dtype.itemsize >= 4:
        return np.asarray(rng.random(shape, dtype=dtype.type))
    steps = np.float32(2 ** significant_bits(dtype))  # multiples of 1 / steps, as rounding would make some of them 1
    return np.asarray(np.floor(rng.random(shape, dtype=np.float32) * steps) / steps, dtype)


def significant_bits(dtype: np.dtype[Any]) -> int:
    """How many bits a number of this floating dtype has: integers up to 2**bits are exact."""
    return {2: 11, 4: 24, 8: 53}[dtype.itemsize] if dtype.kind == "f" else 8


def gaussian(shape: Any, dtype: Any, generator: Generator | None, *depends: Any) -> Any:
    """Standard normal numbers; complex ones have a variance of 1/2 in each part."""
    return draw(_gaussian_numbers, shape, generator, as_dtype(dtype), depends=depends)


def _gaussian_numbers(rng: np.random.Generator, shape: Any, dtype: np.dtype[Any]) -> np.ndarray:
    if dtype.kind == "c":
        real = np.float32 if dtype.itemsize == 8 else np.float64
        pair = rng.standard_normal((*shape, 2), dtype=real) * real(0.5**0.5)
        return (pair[..., 0] + 1j * pair[..., 1]).astype(dtype)
    kind = dtype if dtype.itemsize >= 4 and dtype.kind == "f" else np.dtype(np.float32)
    return np.asarray(rng.standard_normal(shape, dtype=kind.type), dtype)


def _like(what: str, make: Callable[..., Tensor], input: Tensor, memory_format: Any, **options: Any) -> Tensor:
    """`like` of random numbers, of which `draw` knows what they are inside of vmap."""
    if isinstance(input, Lifted):
        return make(input.shape, **options)
    return like(what, make, input, memory_format, **options)


def _floating(dtype: Any, what: str) -> np.dtype[Any]:
    found = default.dtype if dtype is None else as_dtype(dtype)
    if not is_floating(found) and found.kind != "c":
        raise TypeError(f"{what}: expected a floating dtype, got {found}; use td.randint for integers")
    return found


@creation
def rand(
    *shape: Any,
    size: Any = None,
    dtype: Any = None,
    generator: Generator | None = None,
    **options: Unpack[Options],
) -> Tensor:
    """Numbers drawn uniformly from [0, 1), in a tensor of this size.

    >>> x = td.rand(2, 3)
    >>> bool(((x >= 0) & (x < 1)).all())
    True
    """
    return finish(uniform(sizes(shape, "rand", size), _floating(dtype, "rand"), generator), "rand", options)


@creation
def randn(
    *shape: Any,
    size: Any = None,
    dtype: Any = None,
    generator: Generator | None = None,
    **options: Unpack[Options],
) -> Tensor:
    """Numbers drawn from the standard normal distribution, in a tensor of this size.

    >>> td.randn(2, 3).shape
    (2, 3)
    """
    return finish(gaussian(sizes(shape, "randn", size), _floating(dtype, "randn"), generator), "randn", options)


@creation
def rand_like(
    input: Tensor,
    *,
    dtype: Any = None,
    generator: Generator | None = None,
    memory_format: Any = preserve_format,
    **options: Unpack[Options],
) -> Tensor:
    """`rand` in the shape and dtype of `input`.

    >>> td.rand_like(td.ones(2, 3)).shape
    (2, 3)
    """
    return _like("rand_like", rand, input, memory_format, dtype=dtype or input.dtype, generator=generator, **options)


@creation
def randn_like(
    input: Tensor,
    *,
    dtype: Any = None,
    generator: Generator | None = None,
    memory_format: Any = preserve_format,
    **options: Unpack[Options],
) -> Tensor:
    """`randn` in the shape and dtype of `input`.

    >>> td.randn_like(td.ones(2, 3)).shape
    (2, 3)
    """
    return _like("randn_like", randn, input, memory_format, dtype=dtype or input.dtype, generator=generator, **options)


@creation
def randint(
    low: int = 0,
    high: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    generator: Generator | None = None,
    **options: Unpack[Options],
) -> Tensor:
    """Integers drawn uniformly from [low, high); `randint(high, size)` and `randint(high, size=size)` start from 0.

    >>> x = td.randint(0, 10, (3,))
    >>> bool(((x >= 0) & (x < 10)).all())
    True
    """
    if size is None:
        high, size = None, high
    if size is None:
        raise TypeError("randint: got no size, expected randint(low, high, size) or randint(high, size)")
    if high is None:
        low, high = 0, low
    if not low < high:
        raise ValueError(f"randint: expected low < high, got low={low} and high={high}")
    found = as_dtype(dtype or INT64)

    def make(rng: np.random.Generator, whole: Any) -> np.ndarray:
        return np.asarray(rng.integers(low, high, whole), found)

    return finish(draw(make, sizes((size,), "randint"), generator), "randint", options)


@creation
def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    dtype: Any = None,
    generator: Generator | None = None,
    memory_format: Any = preserve_format,
    **options: Unpack[Options],
) -> Tensor:
    """`randint` in the shape and dtype of `input`; `randint_like(input, high)` starts from 0.

    >>> x = td.randint_like(td.ones(3), 10)
    >>> x.dtype, bool((x < 10).all())
    (tinygrad_dl.float32, True)
    """
    low, high = (0, low) if high is None else (low, high)

    def drawn(shape: Any, **more: Any) -> Tensor:
        return randint(low, high, shape, **more)

    return _like(
        "randint_like", drawn, input, memory_format, dtype=dtype or input.dtype, generator=generator, **options
    )


@creation
def randperm(n: int, *, dtype: Any = None, generator: Generator | None = None, **options: Unpack[Options]) -> Tensor:
    """The integers 0 to n - 1 in random order.

    >>> td.sort(td.randperm(4)).values
    tensor([0, 1, 2, 3])
    """
    if n < 0:
        raise ValueError(f"randperm: expected n >= 0, got {n}")
    found = as_dtype(dtype or INT64)

    def make(rng: np.random.Generator, whole: Any) -> np.ndarray:
        if whole == (n,):
            return rng.permutation(n).astype(found, copy=False)
        return rng.permuted(np.broadcast_to(np.arange(n, dtype=found), whole), axis=-1)

    return finish(draw(make, (n,), generator), "randperm", options)


@creation
def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    **options: Unpack[Options],
) -> Tensor:
    """Normal numbers with the given means and standard deviations (numbers or tensors).

    >>> td.normal(0.0, 2.0, (2, 3)).shape
    (2, 3)
    """
    means, stds = [each if isinstance(each, Tensor) and not is_known(each) else as_array(each) for each in (mean, std)]
    if is_known(stds) and truth((stds < 0).any()):
        raise ValueError(f"normal: expected std >= 0, got {stds.min()}")
    shape = np.broadcast_shapes(means.shape, stds.shape) if size is None else sizes((size,), "normal")
    own = means.dtype if isinstance(mean, Tensor) else stds.dtype
    found = _floating(dtype, "normal") if dtype is not None else own if is_floating(own) else default.dtype
    place = means if not at_hand(means) else stds
    if options.get("device") is None and not at_hand(place):
        options["device"] = device_of(place)
    numbers = beside(gaussian(shape, found, generator, mean, std), place)
    return finish(converted(numbers * stds + means, found), "normal", options)


@composition
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """Ones with the probabilities that `input` holds (or all with `p`), else zeros.

    >>> td.bernoulli(td.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    chance: Any = p if p is not None else input._data if is_known(input) else input.detach()
    require_probabilities(np.asarray(chance) if p is not None else chance, "bernoulli")
    numbers = beside(uniform(input.shape, np.float32, generator, *(() if p is not None else (input,))), input)
    return finish(converted(numbers < chance, input.dtype), "bernoulli", {"device": input.device})


def require_probabilities(chance: Any, what: str) -> None:
    """Raises ValueError for numbers outside of [0, 1]; those of a transform are not known, and not looked at."""
    if is_known(chance) and not truth(((chance >= 0) & (chance <= 1)).all()):
        raise ValueError(f"{what}: got numbers outside of [0, 1], expected probabilities between 0 and 1")


@composition
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Draws positions, each with a probability proportional to the weight there: of a vector, or of each row.

    The weights, of shape (n,) or (rows, n), need not add up to 1; the result is (num_samples,) or (rows, num_samples).
    No position is drawn twice unless `replacement`. A `ValueError` tells of another shape, of weights below 0 or not
    finite, and of fewer weights above 0 than are to be drawn; a `TypeError` of weights that are not floating.

    >>> td.multinomial(td.tensor([0.0, 3.0, 0.0, 1.0]), 2).sort().values
    tensor([1, 3])
    """
    if not is_floating(input.dtype):
        raise TypeError(f"multinomial: expected floating weights, got {input.dtype}; convert them with .float()")
    if input.ndim not in (1, 2) or num_samples < 1:
        raise ValueError(
            f"multinomial: expected weights of shape (n,) or (rows, n) and num_samples >= 1, got shape {input.shape} "
            f"and {num_samples}"
        )
    if not at_hand(input):  # the result is small, and the way to it one row after the other
        drawn: Tensor = multinomial(input.cpu(), num_samples, replacement, generator=generator).to(input.device)
        return drawn
    known = is_known(input)
    if known:
        _require_weights(input._data, num_samples, replacement)
    if not replacement and num_samples > 1:
        # The first to arrive, when the waiting times are exponential with these rates, are a draw without replacement.
        waiting = draw(lambda rng, whole: rng.standard_exponential(whole), input.shape, generator, depends=(input,))
        if not known or isinstance(waiting, Tensor):
            order: Tensor = (waiting / input.detach().double().clamp(1e-300)).argsort(-1)
            return order[..., :num_samples]
        rates = np.maximum(input._data.astype(np.float64), 1e-300)
        return wrap(np.argsort(waiting / rates, -1)[..., :num_samples].astype(np.int64, copy=False))
    # Above 0, for rng.random is below 1: so a weight of 0 is never drawn.
    shares = draw(
        lambda rng, whole: 1 - rng.random(whole), (*input.shape[:-1], num_samples), generator, depends=(input,)
    )
    if not known or isinstance(shares, Tensor):
        bounds = input.detach().double().cumsum(-1)
        positions: Tensor = (bounds.unsqueeze(-2) < (bounds[..., -1:] * shares).unsqueeze(-1)).sum(-1)
        return positions
    below = np.add.accumulate(input._data.astype(np.float64), -1)
    marks = shares * below[..., -1:]
    found = np.empty(marks.shape, np.int64)
    for into, *row in zip(*map(np.atleast_2d, (found, below, marks)), strict=True):
        into[...] = np.searchsorted(*row)
    return wrap(found)


def _require_weights(weights: np.ndarray, num_samples: int, replacement: bool) -> None:
    if not ((weights >= 0) & np.isfinite(weights)).all():
        raise ValueError(
            "multinomial: got weights that are not finite, or below 0, expected finite weights of 0 or more; of "
            "logits, take td.softmax(logits, -1)"
        )
    fewest = int(np.count_nonzero(weights, -1).min(initial=num_samples))
    if fewest < (1 if replacement else num_samples):
        raise ValueError(
            f"multinomial: expected {1 if replacement else num_samples} or more weights above 0 in each row, got "
            f"{fewest}; draw fewer, or with replacement=True"
        )


for method in (bernoulli, multinomial):
    attach(method.__name__, method)
