"""Compiled reading of the Telecom Italia lines: no library reads and sums them fast enough."""

from __future__ import annotations

import numpy as np
from numba import njit

# From here on the digits of a number are passed over: it has the 16 that a float holds, or is out of range.
_MANY = 10**16
_MAX_AMOUNT = 1e12
_POWERS = 10.0 ** -np.arange(40)
_STEP_MS = 600_000
_TAB, _NEWLINE, _RETURN, _POINT, _MINUS, _PLUS, _E = (ord(c) for c in "\t\n\r.-+e")


@njit(cache=True, nogil=True)
def _digits(text, at, value):  # type: ignore[no-untyped-def]
    """Append decimal digits to a number; return it, how many were used, and the place of what follows."""
    used = 0
    while True:
        # What is below "0" wraps to a large number. Two digits a turn shorten the chain of multiplications.
        digit = np.uint64(text[at]) - np.uint64(48)
        if digit > 9:
            return value, used, at
        at += np.uint64(1)
        if value < _MANY:
            second = np.uint64(text[at]) - np.uint64(48)
            if second > 9:
                return value * 10 + np.int64(digit), used + 1, at
            value = value * 100 + np.int64(digit * np.uint64(10) + second)
            used += 2
            at += np.uint64(1)


@njit(cache=True, nogil=True)
def _amount(text, at):  # type: ignore[no-untyped-def]
    """Read a decimal number or nothing; return it (-1 if malformed), whether it is there, and what follows."""
    one = np.uint64(1)
    first = at
    value, _, at = _digits(text, at, np.int64(0))
    places = 0
    length = at - first
    if text[at] == _POINT:
        first = at + one
        value, places, at = _digits(text, first, value)
        length += at - first
        if length == 0:
            return -1.0, True, at
    if length == 0:
        return 0.0, False, at
    if text[at] | 32 == _E:
        at += one
        down = text[at] == _MINUS
        if down or text[at] == _PLUS:
            at += one
        first = at
        exponent, _, at = _digits(text, at, np.int64(0))
        if at == first:
            return -1.0, True, at
        places += exponent if down else -exponent
    amount = float(value)
    if value == 0:
        places = 0  # 0 times the overflow of 0e999 would be no number
    if 0 <= places < len(_POWERS):
        amount *= _POWERS[places]
    else:
        amount *= 10.0 ** float(-places)
    return (amount if amount <= _MAX_AMOUNT else -1.0), True, at


@njit(cache=True, nogil=True)
def add_lines(text, start, first_ms, sums, seen, named):  # type: ignore[no-untyped-def]
    """
    Add the records of lines to running sums, up to the first malformed line.

    Parameters
    ----------
    text
        Whole lines, uint8; the last byte is a newline, which stops every scan.
    start
        Where to begin.
    first_ms
        Time of step 0.
    sums, seen
        Traffic and whether there is any record, float64 and bool `[squares + 1, steps, 3]`: call, sms, internet.
    named
        Squares that have a line, bool `[squares + 1]`.

    Returns
    -------
    tuple
        Start of the malformed line, or the length of the text; and the number of lines taken.
    """
    one = np.uint64(1)
    at = np.uint64(start)
    end = np.uint64(len(text))
    lines = 0
    amount = np.zeros(5)
    there = np.zeros(5, dtype=np.bool_)
    while at < end:
        line = at
        square, _, at = _digits(text, at, np.int64(0))
        if text[at] != _TAB or square < 1 or square >= sums.shape[0]:
            return line, lines
        first = at + one
        time, _, at = _digits(text, first, np.int64(0))
        step = (time - first_ms) // _STEP_MS
        if text[at] != _TAB or step < 0 or step >= sums.shape[1] or step * _STEP_MS + first_ms != time:
            return line, lines
        _, _, at = _digits(text, at + one, np.int64(0))  # country codes are summed
        for field in range(5):
            if text[at] != _TAB:
                return line, lines
            amount[field], there[field], at = _amount(text, at + one)
            if amount[field] < 0:
                return line, lines
        if text[at] == _RETURN:
            at += one
        if text[at] != _NEWLINE:
            return line, lines
        at += one
        lines += 1
        named[square] = True
        sms_in, sms_out, call_in, call_out, internet = amount
        sums[square, step, 0] += call_in + call_out
        sums[square, step, 1] += sms_in + sms_out
        sums[square, step, 2] += internet
        seen[square, step, 0] |= there[2] | there[3]
        seen[square, step, 1] |= there[0] | there[1]
        seen[square, step, 2] |= there[4]
    return at, lines
