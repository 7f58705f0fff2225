"""Compiled text search and arithmetic on many bytes at once, under the reading of the Telecom Italia lines."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

#: Bytes behind the end of a text that these functions may look at, whatever they hold.
MARGIN = 64
_TAB, _NEWLINE, _POINT, _ZERO = (ord(c) for c in "\t\n.0")
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
def lowest_bit(typing: Any, bits: Any) -> Any:
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
    """Find the tabs and newlines in the first `length` bytes.

    Parameters
    ----------
    text : uint8 array
        The text, with `MARGIN` bytes behind its `length`.
    length : int
        Bytes to search.
    places : int32 array `[length + MARGIN]`
        Where to write their places, ascending.

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
                places[found + np.uint64(k)] = at + lowest_bit(bits)
                bits &= bits - one
            found += np.uint64(8)
        found = after
    return found


# Compiled callers are kept by the content of their own file: after a change here, touch `_kernels.py` too.
# What follows takes addresses: arrays handed to inlined functions would be counted in and out at every number, by
# atomic operations that take longer than reading the number.


def _loaded(builder: Any, address: Any, lanes: int) -> tuple[Any, Any]:
    """Load bytes from an address that need not be aligned; also return their type."""
    block = ir.VectorType(ir.IntType(8), lanes)
    loaded = builder.load(builder.inttoptr(address, block.as_pointer()))
    loaded.align = 1
    return loaded, block


@_intrinsic  # type: ignore[untyped-decorator]
def byte(typing: Any, address: Any) -> Any:
    """Load the byte at an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()))

    return types.uint8(types.uint64), codegen


@_intrinsic  # type: ignore[untyped-decorator]
def word(typing: Any, address: Any) -> Any:
    """Load eight bytes from an address as one number, the first one lowest."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()))
        loaded.align = 1
        return loaded

    return types.uint64(types.uint64), codegen


@_intrinsic  # type: ignore[untyped-decorator]
def digit_bits(typing: Any, address: Any) -> Any:
    """Look at 32 bytes at once; bit k is set if byte k is a digit."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded, block = _loaded(builder, arguments[0], 32)
        value = builder.sub(loaded, ir.Constant(block, [_ZERO] * 32))
        found = builder.icmp_unsigned("<", value, ir.Constant(block, [10] * 32))
        return builder.zext(builder.bitcast(found, ir.IntType(32)), ir.IntType(64))

    return types.uint64(types.uint64), codegen


@_intrinsic  # type: ignore[untyped-decorator]
def point_bits(typing: Any, address: Any) -> Any:
    """Look at 32 bytes at once; bit k is set if byte k is a point."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded, block = _loaded(builder, arguments[0], 32)
        found = builder.icmp_unsigned("==", loaded, ir.Constant(block, [_POINT] * 32))
        return builder.zext(builder.bitcast(found, ir.IntType(32)), ir.IntType(64))

    return types.uint64(types.uint64), codegen


@_intrinsic  # type: ignore[untyped-decorator]
def sixteen_places(typing: Any, address: Any, count: Any) -> Any:
    """Read the first `count` digits at an address, 16 of them at most, as a number of 16 digits: zeros follow."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded, block = _loaded(builder, arguments[0], 16)
        number, undefined = ir.IntType(32), ir.Constant(block, ir.Undefined)
        count = builder.insert_element(undefined, builder.trunc(arguments[1], ir.IntType(8)), number(0))
        counts = builder.shuffle_vector(count, undefined, ir.Constant(ir.VectorType(number, 16), [0] * 16))
        read = builder.icmp_unsigned("<", ir.Constant(block, list(range(16))), counts)
        digits = builder.sub(loaded, ir.Constant(block, [_ZERO] * 16))
        value = builder.select(read, digits, ir.Constant(block, [0] * 16))
        # Neighbours are put together, the first one being the higher: pairs, fours, eights.
        for bits, tens in ((16, 10), (32, 100), (64, 10_000)):
            lanes = ir.VectorType(ir.IntType(bits), 128 // bits)
            half, factor = (ir.Constant(lanes, [n] * lanes.count) for n in (bits // 2, tens))
            value = builder.bitcast(value, lanes)
            first = builder.and_(value, ir.Constant(lanes, [2 ** (bits // 2) - 1] * lanes.count))
            value = builder.add(builder.mul(first, factor), builder.lshr(value, half))
        high, low = (builder.extract_element(value, number(k)) for k in (0, 1))
        return builder.add(builder.mul(high, ir.IntType(64)(10**8)), low)

    return types.uint64(types.uint64, types.uint64), codegen


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
