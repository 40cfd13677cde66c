"""Keeps freed memory for the next arrays, instead of handing it back to the system after every step.

A training step allocates the same large arrays again and again. By default the C library of Linux returns them to
the system when they are freed, and the system hands out each page anew, cleared, on first touch: measured on an
MLP 784-512-512-10, that was 40 % of a step. Two documented options of `malloc` change it: memory of up to KEEP bytes
stays with the process, and arrays of up to LARGEST come from there.

Set the environment variable TINYGRAD_DL_MALLOC=0 to leave `malloc` alone; so does any MALLOC_... variable of
your own. Elsewhere than on Linux with glibc nothing is done.
"""

from __future__ import annotations

import os
import sys

KEEP = 512 * 2**20  # bytes of freed memory, at most
LARGEST = 32 * 2**20  # the most that glibc takes for this option
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>


def keep_freed_memory() -> bool:
    """Sets the two options; returns whether they were set."""
    own = any(name.startswith("MALLOC_") for name in os.environ)
    if not sys.platform.startswith("linux") or own or os.environ.get("TINYGRAD_DL_MALLOC") == "0":
        return False
    import ctypes  # NumPy has imported it already

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST)) and bool(mallopt(M_TRIM_THRESHOLD, KEEP))


def release_freed_memory() -> None:
    """Hands freed memory back to the system, if the C library can (glibc)."""
    import ctypes

    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows has none by this name
        return
    trim(0)
