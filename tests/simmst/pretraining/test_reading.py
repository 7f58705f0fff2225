"""Readings of a series: any unit, rows beside, known days repeated."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.pretraining.reading import DAYS, HOURS, Scale, departures, repeated, rows


def series(seed: int, count: int = 3) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    wave = 2 + np.sin(2 * np.pi * np.arange(HOURS) / 24)
    return torch.from_numpy((wave * np.exp(rng.normal(0, 0.2, (count, HOURS)))).astype(np.float32))


def last(hours: int, count: int = 3) -> torch.Tensor:
    known = torch.zeros(count, HOURS)
    known[:, HOURS - hours :] = 1
    return known


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-9, 1e9), st.integers(24, HOURS), st.integers(0, 99))
def test_a_scale_is_of_known_hours_and_follows_the_unit(factor, hours, seed):
    traffic, known = series(seed), last(hours)
    scale, other = Scale.of(traffic, known), Scale.of(traffic * factor, known)
    seen = traffic[:, HOURS - hours :].double()
    assert torch.allclose(scale.unit.double(), seen.mean(1), rtol=1e-5)
    logs = torch.log(0.05 + seen / seen.mean(1, keepdim=True))
    assert torch.allclose(scale.centre.double(), logs.mean(1), atol=1e-5)
    assert torch.allclose(scale.spread.double(), logs.std(1, correction=0).clamp(min=0.1), atol=1e-5)
    assert torch.allclose(other.unit, factor * scale.unit, rtol=1e-5)
    assert torch.allclose(other.scaled(traffic * factor), scale.scaled(traffic), atol=1e-4)


def test_relative_undoes_scaled():
    traffic = series(0)
    scale = Scale.of(traffic, last(HOURS))
    back = scale.relative(scale.scaled(traffic)) * scale.unit[:, None]
    assert torch.allclose(back, traffic, rtol=1e-4)


def test_rows_are_what_they_are_called():
    # day d, hour h has the value 100 d + h
    values = (100 * torch.arange(DAYS)[:, None] + torch.arange(24)).float().reshape(1, HOURS)
    hour = torch.arange(24).float()
    for block in (0, 3, 6):
        found = rows(values, torch.ones(1, HOURS), torch.tensor([block]))[0]
        same = [21 + block, 14 + block, 7 + block, block]  # the same weekday, of 28 days before
        # the last day, 27, was 7 above the day a week before it, and 14 above the mean of three
        days = [27, same[0], 26, 24, 13.5, sum(same) / 4, same[0] + 7, sum(same) / 4 + 14]
        assert torch.allclose(found, 100 * torch.tensor(days)[:, None] + hour)


def test_rows_of_what_is_not_known_are_plainer_rows():
    values = (100 * torch.arange(DAYS)[:, None] + torch.arange(24)).float().reshape(1, HOURS)
    known = last(48, 1)
    found = rows(values * known, known, torch.tensor([2]))[0]
    assert torch.allclose(found[0], 2700 + torch.arange(24).float())
    assert torch.allclose(found[1:], (2650 + torch.arange(24).float()).expand(7, 24))


def test_departures_of_the_last_hours_by_hand():
    values = (100 * torch.arange(DAYS)[:, None] + torch.arange(24)).float().reshape(1, HOURS)
    values[0, -1] += 24
    found = departures(values, torch.ones(1, HOURS))[0]
    assert torch.allclose(found, torch.tensor([701, 704, 724, 1401, 1404, 1424, 401, 404, 424.0]))
    assert (departures(values * last(24, 1), last(24, 1)) == 0).all()


@pytest.mark.parametrize(("days", "period"), [(1, 1), (3, 3), (6, 6), (7, 7), (10, 7), (20, 14)])
def test_known_days_are_repeated_in_a_cycle_of_whole_weeks_where_there_is_one(days, period):
    values = torch.arange(DAYS).float().repeat_interleave(24).reshape(1, HOURS)
    found = repeated(values * last(24 * days, 1), last(24 * days, 1)).view(DAYS, 24)
    for day in range(DAYS):
        wanted = day
        while wanted < DAYS - period and day < DAYS - days:
            wanted += period
        assert (found[day] == wanted).all()


def test_a_part_day_is_used_for_its_hours_and_a_hole_filled_by_the_same_hour():
    values = torch.arange(DAYS).float().repeat_interleave(24).reshape(1, HOURS)
    known = last(30, 1)
    known[0, -2] = 0
    found = repeated(values * known, known).view(DAYS, 24)
    assert (found[:26, :18] == 27).all() and found[27, 22] == 26 and (found[26, 18:] == 26).all()
    assert found[25, 22] == 26 and found[25, 23] == 27 and found[24, 23] == 26


def test_an_hour_of_the_day_that_was_never_seen_takes_the_mean():
    values, known = torch.ones(1, HOURS), torch.zeros(1, HOURS)
    known[0, -20:-10] = 1
    assert (repeated(3 * values * known, known) == 3).all()
