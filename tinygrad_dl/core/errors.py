"""The classes of what operations refuse: Python's, as NumPy raises them, and RuntimeError, as PyTorch does."""


class ArgumentError(ValueError, RuntimeError):
    """What an operation refuses: a ValueError, as NumPy's errors are, and a RuntimeError, as PyTorch's are.

    >>> try:
    ...     td.ones(2) + td.ones(3)
    ... except RuntimeError as error:
    ...     print(type(error).__name__, isinstance(error, ValueError))
    ArgumentError True
    """

    __module__ = "tinygrad_dl"


class ArgumentTypeError(TypeError, RuntimeError):
    """Arguments of a type or dtype that an operation refuses: a TypeError, and a RuntimeError as PyTorch's are.

    >>> try:
    ...     td.relu(td.tensor([1 + 2j]))
    ... except RuntimeError as error:
    ...     print(type(error).__name__, isinstance(error, TypeError))
    ArgumentTypeError True
    """

    __module__ = "tinygrad_dl"


class ArgumentIndexError(IndexError, ArgumentError):
    """An index or dimension that an operation refuses: an IndexError, and an `ArgumentError`.

    >>> try:
    ...     td.ones(2)[5]
    ... except RuntimeError as error:
    ...     print(type(error).__name__, isinstance(error, IndexError))
    ArgumentIndexError True
    """

    __module__ = "tinygrad_dl"


class ArgumentDivisionError(ZeroDivisionError, ArgumentError):
    """An integer that an operation would divide by zero: a ZeroDivisionError, and an `ArgumentError`.

    >>> try:
    ...     td.tensor(1) // 0
    ... except RuntimeError as error:
    ...     print(type(error).__name__, isinstance(error, ZeroDivisionError))
    ArgumentDivisionError True
    """

    __module__ = "tinygrad_dl"


class ArgumentOverflowError(OverflowError, ArgumentError):
    """A number that is too large for the dtype it is to have: an OverflowError, and an `ArgumentError`.

    >>> try:
    ...     td.full((2,), 300, dtype=td.int8)
    ... except RuntimeError as error:
    ...     print(type(error).__name__, isinstance(error, OverflowError))
    ArgumentOverflowError True
    """

    __module__ = "tinygrad_dl"
