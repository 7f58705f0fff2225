"""Compiled reading of the Telecom Italia lines: no library reads and sums them fast enough."""

from __future__ import annotations

import numpy as np
from numba import njit

from simmst.traffic.telecom._words import byte, digit_bits, digits, lowest_bit, point_bits, sixteen_places, word

_MAX_AMOUNT = 1e12
_STEP_MS = 600_000
_TAB, _NEWLINE, _RETURN, _POINT, _MINUS, _PLUS, _E = (ord(c) for c in "\t\n\r.-+e")
# The powers of ten that a float holds exactly: dividing by one rounds once.
_FLOAT_TENS = 10.0 ** np.arange(23)


@njit(cache=True, nogil=True, inline="always")
def _whole(start, stop):  # type: ignore[no-untyped-def]
    """Read a whole number of 0 to 16 digits; also return what is not 0 if it is none."""
    eight = np.uint64(8)
    count = stop - start
    if count <= eight:
        return digits(word(start), count)
    if count > np.uint64(16):
        return np.uint64(0), np.uint64(1)
    high, wrong_high = digits(word(start), count - eight)
    low, wrong_low = digits(word(stop - eight), eight)
    return high * np.uint64(10**8) + low, wrong_high | wrong_low


@njit(cache=True, nogil=True)
def _general_amount(start, stop):  # type: ignore[no-untyped-def]
    """Read any decimal number from 0 to 1e12, byte by byte; -1 if it is none."""
    value, places, used = np.int64(0), np.int64(0), 0
    behind = False
    at = start
    while at < stop:
        digit = np.int64(byte(at)) - 48
        if 0 <= digit <= 9:
            used += 1
            # Digits beyond the 17 that tell floats apart only count.
            if value < 10**16:
                value = value * 10 + digit
                places += behind
            else:
                places -= not behind
        elif byte(at) == _POINT and not behind:
            behind = True
        else:
            break
        at += np.uint64(1)
    if used == 0:
        return -1.0
    if at < stop:
        if byte(at) | 32 != _E:
            return -1.0
        at += np.uint64(1)
        down = byte(at) == _MINUS
        if down or byte(at) == _PLUS:
            at += np.uint64(1)
        exponent = np.int64(0)
        if at == stop:
            return -1.0
        while at < stop:
            digit = np.int64(byte(at)) - 48
            if digit < 0 or digit > 9:
                return -1.0
            exponent = min(exponent * 10 + digit, np.int64(1_000_000_000))
            at += np.uint64(1)
        places += exponent if down else -exponent
    if value == 0:
        return 0.0  # 0 times the overflow of 0e999 would be no number
    amount = float(value)
    if 0 <= places < len(_FLOAT_TENS):
        amount /= _FLOAT_TENS[places]
    else:
        amount *= 10.0 ** float(-places)
    return amount if amount <= _MAX_AMOUNT else -1.0


@njit(cache=True, nogil=True, inline="always")
def _amount(start, stop):  # type: ignore[no-untyped-def]
    """Read a decimal number from 0 to 1e12, 0 if it is empty; -1 if it is none."""
    one = np.uint64(1)
    if stop <= start:
        return 0.0
    # No number of 32 bytes is plain; the bits of longer ones need not be right.
    length = min(stop - start, np.uint64(32))
    before = lowest_bit(point_bits(start) | (one << length))
    behind = length - min(before + one, length)
    # All bytes are digits but for the first point.
    other = (digit_bits(start) ^ (one << before)) ^ ((one << length) - one)
    other &= (one << length) - one
    whole, _ = digits(word(start), min(before, np.uint64(8)))
    places = sixteen_places(start + before + one, behind)
    plain = (other == 0) & (length < 32) & (before <= 8) & (before + behind > 0)
    # Below 0.0001, the places that are not used would be missed; above, they are less than 1e-12 of the number.
    if not plain or (behind > 16 and places < 10**12):
        return _general_amount(start, stop)
    return float(np.int64(whole)) + float(np.int64(places)) / 1e16


@njit(cache=True, nogil=True)
def add_lines(text, places, first, start, first_ms, sums, seen, named):  # type: ignore[no-untyped-def]
    """Add the records of lines to running sums, up to the first malformed line.

    Parameters
    ----------
    text : uint8 array
        Whole lines, the last of which ends in a newline, and `MARGIN` bytes behind them.
    places : int32 array
        Places of their tabs and newlines, as `separators` finds them.
    first, start : int
        Index in `places`, and byte of the text, where to begin: the begin of a line.
    first_ms : int
        Time of step 0.
    sums : float64 array `[squares + 1, steps, 3]`
        Traffic: call, sms, internet.
    seen : bool array `[squares + 1, steps, 3]`
        Whether there is any record.
    named : bool array `[squares + 1]`
        Squares that have a line.

    Returns
    -------
    tuple
        Byte where the malformed line begins, or where the last line ends; and the number of lines taken.
    """
    one, eight = np.uint64(1), np.uint64(8)
    at, k = np.uint64(start), np.uint64(first)
    base = np.uint64(text.ctypes.data)
    lines = 0
    while k + eight <= len(places):
        # Written out, because arrays of edges and amounts would live in memory. Field i ends at e<i>.
        e0, e1 = np.uint64(places[k]), np.uint64(places[k + one])
        e2, e3 = np.uint64(places[k + np.uint64(2)]), np.uint64(places[k + np.uint64(3)])
        e4, e5 = np.uint64(places[k + np.uint64(4)]), np.uint64(places[k + np.uint64(5)])
        e6, end = np.uint64(places[k + np.uint64(6)]), np.uint64(places[k + np.uint64(7)])
        # Each is a tab (9) or a newline (10).
        if text[e0] + text[e1] + text[e2] + text[e3] + text[e4] + text[e5] + text[e6] != 7 * _TAB:
            break
        if text[end] != _NEWLINE:
            break
        e7 = end - np.uint64(text[end - one] == _RETURN)
        square, wrong_square = _whole(base + at, base + e0)
        time, wrong_time = _whole(base + e0 + one, base + e1)
        _, wrong_country = _whole(base + e1 + one, base + e2)  # country codes are summed
        step = (np.int64(time) - first_ms) // _STEP_MS
        if wrong_square | wrong_time | wrong_country != 0 or square < 1 or square >= sums.shape[0]:
            break
        if e1 - e0 < 2 or step < 0 or step >= sums.shape[1] or step * _STEP_MS + first_ms != np.int64(time):
            break
        sms_in, sms_out = _amount(base + e2 + one, base + e3), _amount(base + e3 + one, base + e4)
        call_in, call_out = _amount(base + e4 + one, base + e5), _amount(base + e5 + one, base + e6)
        internet = _amount(base + e6 + one, base + e7)
        if min(sms_in, sms_out, call_in, call_out, internet) < 0:
            break
        named[square] = True
        slot = np.uint64(step)
        sums[square, slot, 0] += call_in + call_out
        sums[square, slot, 1] += sms_in + sms_out
        sums[square, slot, 2] += internet
        # Two empty fields are two edges.
        seen[square, slot, 0] |= e6 - e4 > 2
        seen[square, slot, 1] |= e4 - e2 > 2
        seen[square, slot, 2] |= e7 - e6 > 1
        k += eight
        at = end + one
        lines += 1
    return at, lines
