"""Memory for hot loops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from bpcore.activations import Array

# A cache line, which is also the widest vector of today's processors.
LINE = 64


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Return zeros that begin on a cache line.

    NumPy aligns to 16 bytes, so that every wide vector of a large array straddles two lines: simple
    elementwise operations take twice as long. Measured in benchmarks/stack.py.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(dtype).reshape(shape)


def copy(array: Array) -> Array:
    """Return a copy, in C order, that begins on a cache line."""
    out = zeros(array.shape, array.dtype)
    out[...] = array
    return out
