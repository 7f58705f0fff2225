"""Checks at the door: what comes in from a caller becomes a finite float array of a known shape."""

import math
import sys
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from cutplane.errors import InputError

Array = NDArray[Any]


_MOST_DENSE = 1 << 31
"""Bytes that a sparse matrix may come to when it is written out."""
_TINY = 1e-140
"""Length below which the squares of a vector's entries lose digits."""
_WRONG = (TypeError, ValueError, OverflowError, RuntimeError)
"""What NumPy, and tensors that stand for arrays, raise over what is no array of real numbers."""


def _real(value: Any) -> Array:
    """Return `value` as an array, of numbers or of objects that may yet be numbers."""
    if "scipy.sparse" in sys.modules and scipy.sparse.issparse(value):  # before that nothing is one
        size = 8 * math.prod(value.shape)
        if size > _MOST_DENSE:
            raise ValueError(
                f"a sparse one of shape {value.shape} is worked on as a dense one, which would take "
                f"{size / 2**30:.1f} GiB, and {_MOST_DENSE >> 30} GiB are the most; leave rows out"
            )
        value = value.toarray()
    if np.ma.is_masked(value):
        raise ValueError("some of its entries are masked")
    out = np.asarray(value)
    if np.iscomplexobj(out):
        raise TypeError("it holds complex numbers")
    if out.dtype.kind not in "biufO":
        raise TypeError(f"it holds {'text' if out.dtype.kind in 'US' else out.dtype}")
    return out


def positive(value: Any, name: str) -> float:
    """Return `value` as a float; raise `InputError` naming it unless it is a finite number above 0."""
    try:
        number = float(_real(value)[()])
    except _WRONG:
        number = np.nan
    if not (np.isfinite(number) and number > 0):
        raise InputError(f"{name} must be a positive finite number, not {value!r}")
    return number


def vector(value: Any, name: str, size: int | None = None, finite: bool = True) -> Array:
    """Return a copy of `value` as a 1-D float array (float32 stays float32); raise `InputError` naming it."""
    try:
        out = np.atleast_1d(_real(value))
        out = out.astype(np.float32 if out.dtype == np.float32 else np.float64)
    except _WRONG as error:
        raise InputError(f"{name} is not an array of numbers: {error}") from None
    if out.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, its shape is {out.shape}")
    if size is not None and out.size != size:
        raise InputError(f"{name} has {out.size} entries, {size} were expected")
    if finite and not np.isfinite(out).all():
        raise InputError(f"{name}[{int(np.argmax(~np.isfinite(out)))}] is not finite")
    return out


def matrix(value: Any, name: str, columns: int | None = None) -> Array:
    """Return a copy of `value`, dense or sparse, as a finite 2-D float64 array; raise `InputError` naming it."""
    try:
        out = np.atleast_2d(_real(value).astype(np.float64))
    except _WRONG as error:
        raise InputError(f"{name} is not a matrix of numbers: {error}") from None
    if out.ndim != 2:
        raise InputError(f"{name} must be two-dimensional, its shape is {out.shape}")
    if columns is not None and out.shape[1] != columns:
        raise InputError(f"{name} has {out.shape[1]} columns, {columns} were expected")
    if not np.isfinite(out).all():
        raise InputError(f"{name} holds a non-finite entry")
    return out


def scalar_or_vector(value: Any, name: str) -> Array:
    """Return `value` as a float64 array of 0 or 1 dimensions; infinities are allowed, NaN is not."""
    try:
        out: Array = _real(value).astype(np.float64)
    except _WRONG as error:
        raise InputError(f"{name} is not a number or a vector of numbers: {error}") from None
    if out.ndim > 1:
        raise InputError(f"{name} must be a number or a vector, its shape is {out.shape}")
    if np.isnan(out).any():
        raise InputError(f"{name} holds NaN")
    return out


def direction(v: Array) -> tuple[Array, float]:
    """Return (v / ‖v‖, ‖v‖), whose squares neither overflow nor vanish; (v, 0) for zeros."""
    largest = float(np.abs(v).max(initial=0.0))
    if largest == 0.0:
        return v, 0.0
    v = v / largest
    length = float(np.linalg.norm(v))
    return v / length, largest * length


def row_lengths(A: Array) -> Array:
    """Return the Euclidean length of each row, and 1 for rows of zeros."""
    with np.errstate(over="ignore"):
        lengths: Array = np.linalg.norm(A, axis=1)
    for row in np.flatnonzero((lengths < _TINY) | (lengths == np.inf)):  # squares that vanish or overflow
        lengths[row] = direction(A[row])[1] or 1.0
    return lengths
