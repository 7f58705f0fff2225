"""A series' own fit: against NumPy's least squares, known processes, and by hand."""

import numpy as np
import pytest
import torch
from scipy.linalg import solve_toeplitz

from simmst.pretraining.own_fit import OwnFit, OwnPast, memory
from simmst.pretraining.reading import HOURS


def autoregression(phi: float, seed: int, count: int) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal((HOURS, count))
    out = np.zeros_like(white)
    for hour in range(1, HOURS):
        out[hour] = phi * out[hour - 1] + white[hour]
    return out.T


def daily(departures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy((departures + 3 * np.sin(2 * np.pi * np.arange(HOURS) / 24)).astype(np.float32))


def fitted(values: torch.Tensor, known: torch.Tensor, hour: int = 0, block: int = 0) -> OwnFit:
    past = OwnPast.of(values * known, known, torch.full((len(values),), hour))
    return past.fit(torch.full((len(values),), block))


def departures(fit: OwnFit) -> tuple[torch.Tensor, torch.Tensor]:
    return (fit.truth - fit.usual)[:, :-1], fit.counts[:, :-1]


@pytest.mark.parametrize("block", [0, 3])
@pytest.mark.parametrize("hour", [0, 100])
def test_usual_days_and_the_fit_are_those_of_a_plain_loop(block, hour):
    rng = np.random.default_rng(block + hour)
    values = daily(rng.standard_normal((1, HOURS)))
    known = torch.ones(1, HOURS)
    known[0, :200] = 0
    known[0, 400:410] = 0
    found = fitted(values, known, hour, block)
    z, seen = values[0].double().numpy(), known[0].numpy() > 0
    at = (hour + np.arange(-HOURS, 168)) % 168

    def mean(hours, otherwise):
        hours = [h for h in hours if 0 <= h < HOURS and seen[h]]
        return z[hours].mean() if hours else otherwise

    def kind(day, h, u):
        everything = mean([24 * d + h for d in range(u)], 0.0)
        alike = [d for d in range(u) if (at[24 * d + h] >= 120) == (at[24 * day + h] >= 120)]
        return mean([24 * d + h for d in alike], everything)

    rows, usual = np.zeros((22, 24, 8)), np.zeros((22, 24))
    for k, u in enumerate(range(7, 29)):
        for h in range(24):
            everything = mean([24 * d + h for d in range(u)], 0.0)
            week = mean([24 * d + h for d in range(u - 7, u)], everything)
            three = mean([24 * d + h for d in range(u - 3, u)], week)
            usual[k, h] = kind(u + block, h, u)
            weekday = mean([24 * d + h for d in range(u + block - 7, -1, -7)], usual[k, h])
            rows[k, h] = [mean([24 * (u - 1) + h], three), three, week, everything, 0, 0,
                          mean([24 * (u + block - 7) + h], week), weekday]  # fmt: skip
    kinds = np.array([[kind(u, h, u) for h in range(24)] for u in range(7, 29)])
    away = rows[:, :, 0] - np.concatenate([kinds[:1], kinds[:-1]])
    rows[:, :, [0, 1, 2, 3, 6, 7]] -= usual[:, :, None]
    rows[:, :, 4], rows[:, :, 5] = away.mean(1)[:, None], away[:, -6:].mean(1)[:, None]
    assert np.allclose(found.usual[0], usual, atol=1e-4)
    # ridge regression as least squares with rows of its own
    targets = [(k, h) for k in range(22) for h in range(24)
               if 24 * (k + 7 + block) + h < HOURS and seen[24 * (k + 7 + block) + h]
               and seen[np.arange(k + 7) * 24 + h].sum() >= 3]  # fmt: skip
    x = np.array([rows[k, h] for k, h in targets])
    y = np.array([z[24 * (k + 7 + block) + h] - usual[k, h] for k, h in targets])
    ridge = np.sqrt(0.02 * (len(targets) + 24)) * np.eye(8)
    weights = np.linalg.lstsq(np.vstack([x, ridge]), np.concatenate([y, np.zeros(8)]), rcond=None)[0]
    assert int(found.counts.sum()) == len(targets)
    assert np.allclose(found.fitted[0], usual + rows @ weights, atol=2e-3)


def test_a_series_that_follows_its_last_day_is_forecast_so():
    # each day another level: yesterday is right, and means over days are not
    level = np.cumsum(np.random.default_rng(0).standard_normal((30, 28)), axis=1).repeat(24, axis=1)
    found = fitted(daily(level), torch.ones(30, HOURS))
    last = found.truth[:, -2]
    assert (found.fitted[:, -1] - last).abs().mean() < 0.35 * (found.usual[:, -1] - last).abs().mean()


@pytest.mark.parametrize("phi", [0.0, 0.4, 0.8])
def test_a_series_that_remembers_is_continued_as_it_does(phi):
    noise = autoregression(phi, seed=1, count=40)
    found = memory(*departures(fitted(daily(noise), torch.ones(40, HOURS))))
    wanted = noise[:, -1:] * phi ** np.arange(1, 7)
    assert np.abs(found.ahead[:, :6].numpy() - wanted).mean() < 0.25 * noise.std()
    assert float(found.read[:, 1].mean()) == pytest.approx(phi, abs=0.12)


def test_the_normal_equations_are_those_of_an_independent_solver():
    away, counts = departures(fitted(daily(autoregression(0.7, seed=2, count=4)), torch.ones(4, HOURS)))
    found = memory(away, counts)
    for series, ahead in zip(away.flatten(1).double().numpy(), found.ahead.numpy(), strict=True):
        covariance = [(series[lag:] * series[: len(series) - lag]).mean() * (len(series) - lag) / len(series)
                      for lag in range(32)]  # fmt: skip
        first = np.array(covariance[:8])
        first[0] += covariance[0] * (0.05 + 20 / len(series)) + 1e-6
        for lead in (1, 5, 24):
            wanted = solve_toeplitz(first, covariance[lead : lead + 8]) @ series[-8:][::-1]
            assert ahead[lead - 1] == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("days", [1, 2, 3])
def test_with_few_days_the_fit_is_the_usual_day_and_nothing_is_expected(days):
    known = torch.zeros(2, HOURS)
    known[:, HOURS - 24 * days :] = 1
    found = fitted(daily(autoregression(0.7, seed=3, count=2)), known)
    assert torch.equal(found.fitted[:, -1], found.usual[:, -1]) and not found.counts.any()
    said = memory(*departures(found))
    assert not said.ahead.any() and not said.read.any()


def test_what_is_unknown_is_not_read():
    values = daily(autoregression(0.7, seed=4, count=2))
    known = torch.ones_like(values)
    known[:, -5:-2] = 0
    found, other = fitted(values, known), fitted(torch.where(known > 0, values, 1e3), known)
    assert torch.equal(found.fitted, other.fitted)
    assert torch.equal(memory(*departures(found)).ahead, memory(*departures(other)).ahead)
