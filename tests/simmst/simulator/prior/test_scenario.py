"""The prior: what is drawn lies in it, its density is a density, and a target lies beyond it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.simulator.prior.distributions import Choice, LogUniform, Normal, Uniform
from simmst.simulator.prior.informed import CITY, informed_prior
from simmst.simulator.prior.scenario import Prior, service_kind

SERVICES = ("call", "sms", "internet")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("call", "call"),
        ("Call-in", "call"),
        ("voice_minutes", "call"),
        ("SMS", "sms"),
        ("sms-out", "sms"),
        ("internet", "internet"),
        ("5g_down", "volume"),
        ("4g_up", "volume"),
        ("DL traffic", "volume"),
        ("upstairs", "internet"),
    ],
)
def test_kind_of_a_service_follows_the_rule(name, kind):
    assert service_kind(name) == kind


@given(st.integers(0, 2**32))
def test_a_draw_is_a_function_of_its_seed_and_lies_in_the_prior(seed):
    prior = informed_prior()
    a, b = prior.sample(seed, SERVICES), prior.sample(seed, SERVICES)
    assert a == b
    assert math.isfinite(prior.log_prob(a))


def test_every_service_has_numbers_of_its_own():
    scenario = informed_prior().sample(0, ("5g_down", "5g_up"))
    assert scenario["5g_down.ln_mean"] != scenario["5g_up.ln_mean"]
    assert scenario.of_services("ln_mean").shape == (2,)
    assert np.isinf(informed_prior().nominal(SERVICES).of_services("dispersion")).tolist() == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "d",
    [
        Uniform(-1, 3, 0.5),
        LogUniform(0.1, 5, 1),
        Normal(2, 0.7),
        Choice((0.0, 1.0, 4.0), (0.2, 0.5, 0.3), 1.0),
    ],
)
def test_densities_integrate_to_one_in_all_three_parts(d):
    for part in (d, d.near(), d.wide()):
        if isinstance(part, Choice):
            total = sum(math.exp(part.log_prob(x)) for x in part.values)
        else:
            x = np.linspace(-12, 16, 400_001)
            x = x[x > 0] if isinstance(part, LogUniform) else x
            total = np.trapezoid([math.exp(part.log_prob(value)) for value in x], x)
        assert total == pytest.approx(1, abs=2e-3)
        rng = np.random.default_rng(0)
        assert all(math.isfinite(part.log_prob(part.sample(rng))) for _ in range(100))


def test_near_is_inside_and_wide_is_outside():
    for d in CITY.values():
        if isinstance(d, (Uniform, LogUniform)):
            near, wide = d.near(), d.wide()
            assert wide.low <= d.low <= near.low <= d.nominal <= near.high <= d.high <= wide.high
            assert near.high - near.low < d.high - d.low < wide.high - wide.low


def test_log_prob_is_that_of_the_mixture():
    prior = Prior({"isd_km": Uniform(1, 2, 1.5)}, {"internet": {"lag_h": Uniform(0, 2, 1.0)}})
    inside = prior.nominal(("internet",))
    # At the nominal point all three parts have mass: 1/2, 4/1 * 4/2, 1/1.5 * 1/3.
    assert math.exp(prior.log_prob(inside)) == pytest.approx(0.7 / 2 + 0.2 * 8 + 0.1 / 4.5)
    assert math.exp(prior.log_prob(inside.with_values(isd_km=2.2))) == pytest.approx(0.1 / 4.5)
    assert prior.log_prob(inside.with_values(isd_km=2.3)) == -math.inf


@given(st.integers(0, 2**32))
def test_a_target_lies_beyond_what_most_worlds_come_from(seed):
    prior = informed_prior()
    target = prior.sample_beyond(seed, SERVICES)
    assert math.isfinite(prior.log_prob(target))
    core = Prior(prior.city, prior.service, (0.8, 0.2, 0.0))
    assert core.log_prob(target) == -math.inf


def test_wrong_settings_are_named():
    with pytest.raises(ConfigError, match="low=2"):
        Uniform(2, 1, 1)
    with pytest.raises(ConfigError, match="nominal=5"):
        Uniform(0, 1, 5)
    with pytest.raises(ConfigError, match="positive"):
        LogUniform(0, 1, 1)
    with pytest.raises(ConfigError, match="sum to one"):
        Choice((1.0, 2.0), (0.5, 0.6), 1.0)
    with pytest.raises(ConfigError, match="mixture"):
        Prior(CITY, {}, (0.5, 0.1, 0.1))
    prior = informed_prior()
    with pytest.raises(ConfigError, match="different names"):
        prior.sample(0, ("sms", "sms"))
    with pytest.raises(ConfigError, match="unknown parameter wether"):
        prior.nominal(SERVICES).with_values(wether=1.0)
    with pytest.raises(ConfigError, match=r"only.*|.*sms\.lag_h"):
        short = prior.nominal(SERVICES)
        prior.log_prob(type(short)(SERVICES, {k: v for k, v in short.values.items() if k != "sms.lag_h"}))
