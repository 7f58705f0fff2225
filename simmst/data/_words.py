"""Compiled text search and arithmetic on many bytes at once, under the reading of the Telecom Italia lines."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

#: Bytes behind the end of a text that these functions may look at, whatever they hold.
MARGIN = 64
_TAB, _NEWLINE, _POINT = (ord(c) for c in "\t\n.")
_EACH = 0x0101010101010101
_HIGH = 0x80 * _EACH
# An intrinsic is called without the typing context that its definition has; the checker cannot know.
_intrinsic = cast(Any, intrinsic)


@_intrinsic  # type: ignore[untyped-decorator]
def _separators_here(typing: Any, text: Any, at: Any) -> Any:
    """Look at 64 bytes at once; bit k is set if byte k is a tab or a newline."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        block = ir.VectorType(ir.IntType(8), 64)
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), block.as_pointer())
        loaded = builder.load(place)
        loaded.align = 1
        found = [builder.icmp_unsigned("==", loaded, ir.Constant(block, [c] * 64)) for c in (_TAB, _NEWLINE)]
        return builder.bitcast(builder.or_(*found), ir.IntType(64))

    return types.uint64(text, at), codegen


@_intrinsic  # type: ignore[untyped-decorator]
def _lowest_bit(typing: Any, bits: Any) -> Any:
    """Place of the lowest set bit; anything if there is none."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), codegen


@_intrinsic  # type: ignore[untyped-decorator]
def _bit_count(typing: Any, bits: Any) -> Any:
    """Number of set bits."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), codegen


@njit(cache=True, nogil=True)
def separators(text, length, places):  # type: ignore[no-untyped-def]
    """
    Find the tabs and newlines in the first `length` bytes.

    Parameters
    ----------
    text
        The text, uint8, with `MARGIN` bytes behind its `length`.
    length
        Bytes to search.
    places
        Where to write their places, ascending, int32 `[length + MARGIN]`.

    Returns
    -------
    int
        How many there are.
    """
    one = np.uint64(1)
    found = np.uint64(0)
    for at in range(np.uint64(0), np.uint64(length), np.uint64(64)):
        bits = _separators_here(text, at)
        left = np.uint64(length) - at
        if left < 64:
            bits &= (one << left) - one
        after = found + _bit_count(bits)
        # Eight at once, whether there are as many or not: a branch for each would be guessed wrongly.
        while found < after:
            for k in range(8):
                places[found + np.uint64(k)] = at + _lowest_bit(bits)
                bits &= bits - one
            found += np.uint64(8)
        found = after
    return found


@njit(cache=True, nogil=True, inline="always")
def word(text, at):  # type: ignore[no-untyped-def]
    """Eight bytes as one number, the first one lowest; compiled to a single load."""
    value = np.uint64(text[at])
    for k in range(1, 8):
        value |= np.uint64(text[at + np.uint64(k)]) << np.uint64(8 * k)
    return value


@njit(cache=True, nogil=True, inline="always")
def point_place(letters):  # type: ignore[no-untyped-def]
    """Place of the first point in a word, 8 if there is none."""
    # A byte that equals the point becomes 0, which alone borrows into its highest bit (below the first borrow).
    letters = letters ^ np.uint64(_POINT * _EACH)
    points = (letters - np.uint64(_EACH)) & ~letters & np.uint64(_HIGH)
    return np.uint64(8) if points == 0 else _lowest_bit(points) >> np.uint64(3)


@njit(cache=True, nogil=True, inline="always")
def digits(letters, count):  # type: ignore[no-untyped-def]
    """Read the first 0 to 8 bytes of a word as a whole number; also return what is not 0 if one is no digit."""
    # Twice half the shift, because none by 64 exists; what comes in from below are leading zeros.
    half = np.uint64(32) - np.uint64(4) * count
    value = ((letters ^ np.uint64(0x30 * _EACH)) << half) << half
    wrong = ((value + np.uint64(0x76 * _EACH)) | value) & np.uint64(_HIGH)
    # Neighbours are put together: eight digits, four pairs, two fours, one number.
    value = (value * np.uint64(10) + (value >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    value = (value * np.uint64(100) + (value >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    value = (value * np.uint64(10_000) + (value >> np.uint64(32))) & np.uint64(0x00000000FFFFFFFF)
    return value, wrong
