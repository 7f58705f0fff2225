"""The compiled reading of lines agrees with Python's own reading of numbers, whatever the text."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.traffic.telecom._kernels import add_lines
from simmst.traffic.telecom._words import MARGIN, separators

NUMBER = re.compile(rb"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
untimed = settings(deadline=None)  # the first call compiles
DIGITS = st.text("0123456789", max_size=20)


def read(line: bytes) -> tuple[int, np.ndarray]:
    """Read one line; return the lines taken and the sums of square 3 at step 1."""
    text = np.frombuffer(line + b"7" * MARGIN, dtype=np.uint8)
    places = np.zeros(len(text) + MARGIN, dtype=np.int32)
    places = places[: separators(text, len(line), places)]
    sums, seen = np.zeros((5, 2, 3)), np.zeros((5, 2, 3), dtype=bool)
    end, lines = add_lines(text, places, 0, 0, 0, sums, seen, np.zeros(5, dtype=bool))
    assert end == (len(line) if lines else 0)
    assert lines or not sums.any()
    return lines, sums[3, 1]


@untimed
@given(st.binary(max_size=300))
def test_separators_are_the_tabs_and_newlines(line: bytes) -> None:
    text = np.frombuffer(line + b"\t" * MARGIN, dtype=np.uint8)
    places = np.zeros(len(text) + MARGIN, dtype=np.int32)
    found = separators(text, len(line), places)
    expected = [k for k, letter in enumerate(line) if letter in b"\t\n"]
    assert places[:found].tolist() == expected


@untimed
@given(
    DIGITS, st.booleans(), DIGITS, st.one_of(st.just(""), st.from_regex(r"[eE][-+]?[0-9]{1,3}", fullmatch=True))
)
def test_a_decimal_number_is_read_as_python_reads_it(whole: str, point: bool, places: str, exponent: str) -> None:
    amount = (whole + "." * point + places * point + exponent).encode()
    lines, sums = read(b"3\t600000\t39\t\t\t\t\t" + amount + b"\n")
    if not NUMBER.fullmatch(amount):
        assert lines == (amount == b"")
        return
    expected = float(amount)
    assert lines == (expected <= 1e12)
    if lines:
        # Places beyond the sixteenth may be passed over; next to the smallest float digits are lost anyway.
        assert math.isclose(sums[2], expected, rel_tol=1e-12, abs_tol=1e-300)


@untimed
@given(st.integers(0, 10**15 - 1), st.integers(0, 15))
def test_up_to_fifteen_digits_the_nearest_float_or_its_neighbour_is_found(value: int, places: int) -> None:
    text = f"{value:0{places + 1}d}"
    amount = text[: len(text) - places] + "." + text[len(text) - places :]
    lines, sums = read(f"3\t600000\t39\t\t\t\t\t{amount}\r\n".encode())
    assert lines == (float(amount) <= 1e12)
    if lines:
        assert abs(sums[2] - float(amount)) <= np.spacing(float(amount))


@untimed
@given(st.lists(st.floats(0, 1e6), min_size=5, max_size=5))
def test_in_and_out_are_summed(amounts: list[float]) -> None:
    fields = "\t".join(repr(amount) for amount in amounts)
    lines, sums = read(f"3\t600000\t\t{fields}\n".encode())
    assert lines == 1
    sms, call = amounts[0] + amounts[1], amounts[2] + amounts[3]
    np.testing.assert_allclose(sums, [call, sms, amounts[4]], rtol=1e-12, atol=1e-300)


@untimed
@given(st.binary(max_size=80))
def test_whatever_the_bytes_a_line_is_taken_whole_or_not_at_all(line: bytes) -> None:
    read(line.replace(b"\n", b"") + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"3\t600001\t39\t1\t1\t1\t1\t1\n",
        b"3\t1200000\t39\t1\t1\t1\t1\t1\n",
        b"9\t600000\t39\t1\t1\t1\t1\t1\n",
        b"0\t600000\t39\t1\t1\t1\t1\t1\n",
        b"\t600000\t39\t1\t1\t1\t1\t1\n",
        b"3\t\t39\t1\t1\t1\t1\t1\n",
        b"3\t600000\tx\t1\t1\t1\t1\t1\n",
        b"3\t600000\t39\t1\t1\t1\t1\n",
        b"3\t600000\t39\t1\t1\t1\t1\t1\t\n",
        b"3\t600000\t39\t1\t1\t1\t-1\t1\n",
        b"3\t600000\t39\t1\t1\t1\t0x1\t1\n",
        b"3\t600000\t39\t1\t1\t1\t.\t1\n",
        b"3\t600000\t39\t1\t1\t1\t1\r\t1\n",
        b"00000000000000003\t600000\t39\t1\t1\t1\t1\t1\n",
        b"\n",
    ],
)
def test_a_malformed_line_is_not_taken(line: bytes) -> None:
    assert read(line)[0] == 0
