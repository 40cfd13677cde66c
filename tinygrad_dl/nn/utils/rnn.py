"""Sequences of different lengths in one batch: padded, or packed without the padding."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.ops.shape.joining import cat

# fmt: off
__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence",
    "pad_sequence", "unpack_sequence", "unpad_sequence",
]
# fmt: on


class PackedSequence_(NamedTuple):
    """The fields of a `PackedSequence`."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


def casting(name: str) -> Callable[[Any], Any]:
    """A method that converts the data as the tensors' method of this name does."""

    def method(self: Any) -> Any:
        return self._with(getattr(self.data, name)())

    method.__name__, method.__doc__ = (
        name,
        f"With its data converted as `Tensor.{name}` does; itself if it is so already.",
    )
    return method


class PackedSequence(PackedSequence_):
    """A batch of sequences of different lengths: the first elements of all, then the second of those that have one, ...

    Args:
        data: (sum of the lengths, ...).
        batch_sizes: how many sequences have a first element, a second, ... (int64).
        sorted_indices: the order, by falling length, in which the sequences are; None if they came in it.
        unsorted_indices: the order that undoes it; found from the other one if it is not given.

    Made by `pack_padded_sequence`; `nn.RNN`, `nn.LSTM` and `nn.GRU` take and return it.

    >>> packed = td.nn.utils.rnn.pack_sequence([td.tensor([1, 2, 3]), td.tensor([7])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 7, 2, 3]), tensor([2, 1, 1]))
    >>> packed.float().data
    tensor([1., 7., 2., 3.])
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with(self, data: Tensor) -> Self:
        return self if data is self.data else type(self)(data, *self[1:])

    @property
    def is_cuda(self) -> bool:
        """Whether the data lies on a GPU: False."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether its memory is locked, for copies to a GPU: False."""
        return self.data.is_pinned()

    def pin_memory(self) -> Self:
        """Itself: there is no GPU to copy to."""
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """With its data converted as `Tensor.to` does; itself if it is so already."""
        return self._with(self.data.to(*args, **kwargs))

    def cpu(self, *args: Any, **kwargs: Any) -> Self:
        """With its data on the CPU; itself if it lives there."""
        return self.to(*args, device="cpu", **kwargs)

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """With its data on a GPU. ValueError: CuPy is not installed."""
        return self._with(self.data.cuda(*args, **kwargs))

    double, float, half = casting("double"), casting("float"), casting("half")
    long, int, short = casting("long"), casting("int"), casting("short")
    char, byte = casting("char"), casting("byte")


@composition
def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The order that undoes an order; None for None.

    >>> td.nn.utils.rnn.invert_permutation(td.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort(stable=True)


def padded(sequence: PackedSequence, value: float = 0.0, length: int | None = None) -> tuple[Tensor, np.ndarray]:
    """(T, B, ...) with `value` as padding, in the order of the packed sequence, and the lengths, (B,)."""
    data, sizes = sequence.data, sequence.batch_sizes._data
    steps = len(sizes) if length is None else length
    lengths = np.count_nonzero(sizes[:, None] > np.arange(sizes[0]), axis=0)
    inside = np.arange(steps)[:, None] < lengths
    places = np.full(inside.shape, len(data))  # one more row, the padding, stands at the end
    places[inside] = np.arange(len(data))
    more = wrap(np.full((1, *data.shape[1:]), value, data.dtype))
    return cat([data, more])[wrap(places)], lengths


def packed(steps: Tensor, like: PackedSequence) -> PackedSequence:
    """(T, B, ...) without its padding, which is where that of another sequence is."""
    inside = np.arange(steps.shape[1]) < like.batch_sizes._data[:, None]
    return PackedSequence(steps[wrap(inside)], *like[1:])


@composition
def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Tensors (L_i, ...) as one, (L, N, ...) or (N, L, ...) if `batch_first`; short ones are filled up.

    Raises:
        ValueError: no sequences, or their dimensions after the first differ.

    >>> td.nn.utils.rnn.pad_sequence([td.tensor([1, 2, 3]), td.tensor([7])], batch_first=True)
    tensor([[1, 2, 3],
            [7, 0, 0]])
    """
    if padding_side not in ("left", "right"):
        raise ValueError(f"pad_sequence: expected padding_side 'left' or 'right', got {padding_side!r}")
    tensors = list(sequences)
    if not tensors:
        raise ValueError("pad_sequence: expected at least one sequence, got none")
    shapes = {tensor.shape[1:] for tensor in tensors}
    if len(shapes) > 1 or not all(tensor.ndim for tensor in tensors):
        raise ValueError(
            f"pad_sequence: expected sequences that differ in their first dimension alone, got the shapes "
            f"{[tensor.shape for tensor in tensors]}"
        )
    lengths = np.array([len(tensor) for tensor in tensors])
    steps, total = int(lengths.max()), int(lengths.sum())
    more = wrap(np.full((1, *tensors[0].shape[1:]), padding_value, tensors[0].dtype))
    times = np.arange(steps)
    inside = times < lengths[:, None] if padding_side == "right" else times >= steps - lengths[:, None]
    places = np.full(inside.shape, total)
    places[inside] = np.arange(total)
    return cat([*tensors, more])[wrap(np.ascontiguousarray(places if batch_first else places.T))]


@composition
def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """A padded batch, (L, N, ...) or (N, L, ...) if `batch_first`, without its padding.

    Args:
        lengths: the length of each sequence, (N,).
        enforce_sorted: the lengths must fall; if False, the sequences are sorted here.

    Raises:
        ValueError: the lengths do not fit the input, or do not fall.

    >>> x = td.tensor([[1, 2, 3], [7, 0, 0]])
    >>> td.nn.utils.rnn.pack_padded_sequence(x, [3, 1], batch_first=True).data
    tensor([1, 7, 2, 3])
    """
    if batch_first:
        input = input.transpose(0, 1)
    given = np.asarray(lengths)
    sizes = given.astype(np.int64) if given.dtype.kind in "iuf" and np.isfinite(given).all() else None
    if sizes is None or sizes.shape != input.shape[1:2] or (sizes != given).any():
        raise ValueError(
            f"pack_padded_sequence: expected {input.shape[1]} whole numbers as lengths, one a sequence, got "
            f"{given.dtype} of shape {given.shape}"
        )
    if sizes.size == 0 or sizes.min() < 1 or sizes.max() > len(input):
        raise ValueError(
            f"pack_padded_sequence: expected lengths from 1 to {len(input)}, the number of steps, got {sizes.tolist()}"
        )
    order = None
    if enforce_sorted:
        if (np.diff(sizes) > 0).any():
            raise ValueError(
                f"pack_padded_sequence: expected lengths that fall, got {sizes.tolist()}; sort the batch, or pass "
                f"enforce_sorted=False"
            )
    else:
        order = wrap(np.argsort(-sizes, kind="stable"))
        input, sizes = input[:, order], sizes[order._data]
    batch_sizes = np.count_nonzero(np.arange(sizes[0])[:, None] < sizes, axis=1).astype(np.int64)
    like = PackedSequence(input, wrap(batch_sizes), order)
    return packed(input[: int(sizes[0])], like)


@composition
def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The padded batch, (L, N, ...) or (N, L, ...) if `batch_first`, and its lengths, (N,).

    Args:
        total_length: the number of steps; that of the longest sequence by default.

    Raises:
        ValueError: `total_length` is less than that.

    >>> rnn = td.nn.utils.rnn
    >>> packed = rnn.pack_sequence([td.tensor([1, 2, 3]), td.tensor([7])])
    >>> rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2, 3],
            [7, 0, 0]]), tensor([3, 1]))
    """
    longest = len(sequence.batch_sizes)
    if total_length is not None and total_length < longest:
        raise ValueError(
            f"pad_packed_sequence: expected total_length >= {longest}, the longest sequence, got {total_length}"
        )
    output, lengths = padded(sequence, padding_value, total_length)
    if sequence.unsorted_indices is not None:
        output, lengths = output[:, sequence.unsorted_indices], lengths[sequence.unsorted_indices._data]
    return output.transpose(0, 1) if batch_first else output, wrap(lengths.astype(np.int64))


@composition
def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Tensors (L_i, ...) as a packed batch.

    >>> td.nn.utils.rnn.pack_sequence([td.tensor([7]), td.tensor([1, 2])], enforce_sorted=False).sorted_indices
    tensor([1, 0])
    """
    lengths = [len(sequence) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


@composition
def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences (L_i, ...) of a padded batch, (L, N, ...) or (N, L, ...) if `batch_first`.

    Args:
        lengths: the length of each sequence, (N,).

    Raises:
        ValueError: as many lengths as sequences are expected.

    >>> td.nn.utils.rnn.unpad_sequence(td.tensor([[1, 2, 3], [7, 0, 0]]), td.tensor([3, 1]), batch_first=True)
    [tensor([1, 2, 3]), tensor([7])]
    """
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    sizes = np.asarray(lengths)
    if sizes.shape != batch.shape[:1]:
        raise ValueError(
            f"unpad_sequence: expected {len(batch)} lengths, one a sequence, got lengths of shape {sizes.shape}"
        )
    return [sequence[: int(size)] for sequence, size in zip(batch, sizes, strict=True)]


@composition
def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences (L_i, ...) of a packed batch, in the order in which they were packed.

    >>> rnn = td.nn.utils.rnn
    >>> rnn.unpack_sequence(rnn.pack_sequence([td.tensor([1, 2, 3]), td.tensor([7])]))
    [tensor([1, 2, 3]), tensor([7])]
    """
    batch, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(batch, lengths, batch_first=True)


public(globals(), "docs/stable/generated/torch.nn.utils.rnn.{}.html")
