"""Checks at the door: what comes in from a caller becomes a finite float array of a known shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutplane.errors import InputError

Array = NDArray[Any]


def _real(value: Any) -> Array:
    out = np.asarray(value)
    if np.iscomplexobj(out):
        raise TypeError("it holds complex numbers")
    return out


def positive(value: Any, name: str) -> float:
    """Return `value` as a float; raise `InputError` naming it unless it is a finite number above 0."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not (np.isfinite(number) and number > 0):
        raise InputError(f"{name} must be a positive finite number, not {value!r}")
    return number


def vector(value: Any, name: str, size: int | None = None, finite: bool = True) -> Array:
    """Return `value` as a 1-D float array (float32 stays float32); raise `InputError` naming it."""
    try:
        out = np.atleast_1d(_real(value))
        if out.dtype not in (np.float32, np.float64):
            out = out.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not an array of numbers: {error}") from None
    if out.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, its shape is {out.shape}")
    if size is not None and out.size != size:
        raise InputError(f"{name} has {out.size} entries, {size} were expected")
    if finite and not np.isfinite(out).all():
        raise InputError(f"{name}[{int(np.argmax(~np.isfinite(out)))}] is not finite")
    return out


def matrix(value: Any, name: str, columns: int | None = None) -> Array:
    """Return `value` as a finite 2-D float64 array; raise `InputError` naming it."""
    try:
        out = np.atleast_2d(_real(value).astype(np.float64))
    except (TypeError, ValueError) as error:
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
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not a number or a vector of numbers: {error}") from None
    if out.ndim > 1:
        raise InputError(f"{name} must be a number or a vector, its shape is {out.shape}")
    if np.isnan(out).any():
        raise InputError(f"{name} holds NaN")
    return out
