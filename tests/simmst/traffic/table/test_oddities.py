"""What is odd is said by node and time, and what is not is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.traffic.table.oddities import oddities

START = np.datetime64("2024-03-11T00:00", "m")
NAMES = ("a", "b", "c", "d", "e", "f")


def wave(days=6, seed=0, nodes=6):
    """Days of traffic with their rhythm, about 50."""
    rng = np.random.default_rng(seed)
    shape = 50 + 40 * np.sin(2 * np.pi * np.arange(24 * days) / 24)[:, None, None]
    return (shape * rng.lognormal(0, 0.2, (24 * days, nodes, 2))).astype(np.float32)


def said(raw, step=60):
    return list(oddities(raw, START, step, NAMES[: raw.shape[1]], ("dl", "up")))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.3), st.integers(1, 6))
def test_traffic_with_holes_is_not_odd(seed, holes, nodes):
    raw = wave(seed=seed, nodes=nodes)
    raw[np.random.default_rng(seed).random(raw.shape) < holes] = np.nan
    assert said(raw) == []


def test_a_counter_that_wrapped_is_named_with_its_node_and_time():
    raw = wave()
    raw[30, 2, 0] = 4294967.295
    raw[31, 4, 0] = 1e7
    raw[32, 4, 0] = 2e7
    (line,) = said(raw)
    assert "dl has 3 values more than 10 times" in line and "--max-value" in line
    assert (
        "c: 4294967.5 at 2024-03-12T06:00, where" in line
        and "2^32 - 1 in parts of 1000: a counter that wrapped" in line
    )
    assert "e: 20000000 at 2024-03-12T08:00 and 1 other times" in line


@pytest.mark.parametrize(("value", "width"), [(65535, "2^16 - 1"), (2147483.647, "2^31 - 1 in parts of 1000")])
def test_widths_of_counters_are_known(value, width):
    raw = wave()
    raw[3, 0, 1] = value
    assert f"({width}: a counter that wrapped)" in said(raw)[0]


def test_a_running_total_is_named_with_its_reset():
    raw = wave()
    raw[:, 1, 0] = np.cumsum(raw[:, 1, 0])
    raw[70:, 1, 0] -= raw[70, 1, 0]
    lines = said(raw)
    assert len(lines) == 1 and "dl rises nearly always at 1 nodes" in lines[0]
    assert "b (falls at 2024-03-13T22:00)" in lines[0]


def test_hours_of_all_nodes_at_zero_are_named():
    raw = wave()
    raw[40:43, :, 1] = 0
    raw[41, 3, 1] = np.nan
    assert said(raw) == ["up is 0 at all nodes at 3 steps; was it measured? 2024-03-12T16:00 to 2024-03-12T18:00"]


def test_dead_born_silent_and_renamed_nodes_are_named():
    raw = wave()
    raw[100:, 0] = 0
    raw[70:, 1] = np.nan
    raw[:70, 2] = np.nan
    raw[:, 3] = 0
    raw[-20:, 4] = 0  # less than a day
    assert said(raw) == [
        "1 nodes have no traffic at all: d",
        "2 nodes are dead for a day or more up to the end: a from 2024-03-15T04:00; b from 2024-03-13T22:00",
        "1 nodes begin a day or more after the others: c at 2024-03-13T22:00",
        "one under two names? b ends and c begins at 2024-03-13T22:00",
    ]
    raw[:, 2] *= 5
    assert not any("two names" in line for line in said(raw)), "their levels differ"
    assert said(wave(days=1)) == [], "a day says nothing of lives"


def test_nodes_with_the_same_values_are_named():
    raw = wave()
    raw[:, 5] = raw[:, 0]
    assert said(raw) == ["nodes with the same values at all times: a = f"]
    raw[:, [1, 2]] = 7  # nodes that are always the same say nothing
    assert said(raw) == ["nodes with the same values at all times: a = f"]


def test_many_are_counted():
    raw = wave()
    raw[70:] = np.where(np.arange(6)[None, :, None] < 6, 0, raw[70:])
    assert "6 nodes are dead" in said(raw)[0] and "and 1 more" in said(raw)[0]
