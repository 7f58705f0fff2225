"""Domains: the default prior lies inside, any prior inside simulates, and what lies outside is refused by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.simulator.city import draw_world
from simmst.simulator.prior.distributions import Choice, LogUniform, Normal, Uniform
from simmst.simulator.prior.domain import Domain
from simmst.simulator.prior.file import load_prior
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.literature import literature_prior
from simmst.simulator.prior.parameters import CITY_DOMAINS, OWN_STREAM, SERVICE_DOMAINS, domain
from simmst.simulator.prior.scenario import Prior

DEFAULT = informed_prior()
PRIORS = [informed_prior(), literature_prior()]
SERVICES = ("call", "internet", "5g_down")


def every(prior):
    return prior.city | {f"{kind}.{name}": d for kind, own in prior.service.items() for name, d in own.items()}


@st.composite
def distributions(draw, of: Domain):
    """Anything that a prior may say of a parameter; often at an end of its domain."""
    value = st.integers(int(of.low), int(of.high)).map(float) if of.whole else st.floats(of.low, of.high)
    low, high = sorted(draw(st.tuples(value, value)))
    if of.whole or high - low < 1e-9 or draw(st.booleans()):
        return Choice((low, high), (0.25, 0.75), high)
    nominal = draw(st.sampled_from([low, high]))
    return LogUniform(low, high, nominal) if low > 1e-20 and draw(st.booleans()) else Uniform(low, high, nominal)


@st.composite
def priors(draw):
    city = {name: draw(distributions(domain(name))) for name in DEFAULT.city}
    service = {
        kind: {name: draw(distributions(domain(f"{kind}.{name}"))) for name in own}
        for kind, own in DEFAULT.service.items()
        if kind != "sms"
    }
    return Prior(city, service, (0.4, 0.2, 0.4))


@given(priors(), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_any_prior_inside_the_domains_simulates(prior, seed):
    world = draw_world(prior, 30, SERVICES, seed, 0, side=1)
    for traffic in (world.sites, world.traffic().values):
        assert np.isfinite(traffic).all() and (traffic >= 0).all()
    margin = 1 + 1e-12  # exp(log(x)) may miss x by a rounding error
    for name, value in world.scenario.values.items():
        assert value in domain(name) or value / margin in domain(name) or value * margin in domain(name)


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.base)
def test_every_parameter_has_a_domain_and_both_priors_lie_inside(prior):
    assert list(prior.city) == list(CITY_DOMAINS)  # the order of the draws, too
    assert {name for own in prior.service.values() for name in own} == set(SERVICE_DOMAINS)
    assert not set(CITY_DOMAINS) & {f"{kind}.{name}" for kind in prior.service for name in SERVICE_DOMAINS}
    for name, d in every(prior).items():
        domain(name).check(name, d)
        assert d.nominal in domain(name)
        assert domain(name).limit(d.wide()) == d.wide(), name  # so that domains change no draw of it


@pytest.mark.parametrize("side", ["below", "above", "between"])
def test_a_value_outside_is_refused_by_name(side):
    for name in every(DEFAULT):
        of = domain(name)
        if side == "between" and not of.whole:
            continue
        odd = {"below": of.low - 1e-3, "above": of.high + 1e-3, "between": of.low + 0.5}[side]
        kind, _, own = name.partition(".") if name not in CITY_DOMAINS else ("", "", "")
        outside = Choice((odd,), (1.0,), odd)
        with pytest.raises(ConfigError) as caught:
            if kind:
                Prior({}, {kind: {own: outside}})
            else:
                Prior({name: outside}, {})
        assert str(caught.value).startswith(f"{name}: {odd:g} is outside") and str(of) in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("environment: {choice: [7.0], weights: [1.0], nominal: 7.0}", "7 is outside .* a whole number, 0 to 2"),
        ("rural: {choice: [0.5], weights: [1.0], nominal: 0.5}", "0.5 is outside .* a whole number, 0 or 1"),
        ("indoor_share: {uniform: [0.5, 3], nominal: 0.5}", r"3 is outside .* in \[0, 1\]"),
        ("isd_km: {log_uniform: [1.0e-4, 1], nominal: 0.5}", r"0.0001 is outside .* in \[0.05, 8\]"),
        ("frequency_ghz: {choice: [2.1, 300], weights: [0.5, 0.5], nominal: 2.1}", r"300 .* in \[0.5, 30\]"),
        ("field_sigma: {normal: 1.0, nominal: 1.2}", r"-7.8 \(six widened deviations from 1.2\) is outside"),
        ("start_hour: {uniform: [0, 100], nominal: 50}", "a whole number, 0 to 167, so .* a choice"),
        ("base: {uniform: [0.1, 0.9], nominal: 0.5, floor: 0.6}", "floor=0.6.* must not cut into the range"),
    ],
)
def test_a_file_with_a_value_outside_is_refused_by_file_and_name(tmp_path, entry, message):
    (tmp_path / "prior.yaml").write_text(f"city:\n  {entry}\n")
    with pytest.raises(ConfigError, match=rf"prior\.yaml: {entry.partition(':')[0]}: .*{message}"):
        load_prior(tmp_path / "prior.yaml")


def test_a_widened_range_ends_with_the_domain():
    prior = Prior({**DEFAULT.city, "missing_share": Uniform(0.0, 0.8, 0.1)}, DEFAULT.service, (0.0, 0.0, 1.0))
    drawn = [prior.sample(seed, SERVICES)["missing_share"] for seed in range(200)]
    assert 0.0 <= min(drawn) < 0.05 and 0.8 < max(drawn) <= 0.9
    at_end = prior.nominal(SERVICES).with_values(missing_share=0.9)
    assert np.isfinite(prior.log_prob(at_end))


def test_what_no_simulator_reads_is_refused():
    with pytest.raises(ConfigError, match="unknown parameter isd"):
        Prior({"isd": Uniform(0, 1, 0.5)}, {})
    with pytest.raises(ConfigError, match="peak_load: 11 is outside its domain"):
        DEFAULT.nominal(SERVICES).with_values(peak_load=11.0)


def test_a_nominal_value_may_lie_at_the_end_of_its_range():
    for x in np.linspace(0.1, 3, 200):
        for d in (LogUniform(x, 2 * x, x), LogUniform(x / 2, x, x, ceiling=x)):
            assert d.near().low <= d.nominal <= d.near().high
            assert d.wide().low <= d.nominal <= d.wide().high


def test_a_normal_distribution_keeps_away_from_the_ends():
    of = Domain(0.0, 18.0)
    of.check("x", Normal(9.0, 0.99))
    with pytest.raises(ConfigError, match=r"x: .*six widened deviations from 9"):
        of.check("x", Normal(9.0, 1.01))


@pytest.mark.parametrize("d", [LogUniform(1e-320, 0.5, 0.1), Uniform(0.5, np.nextafter(0.5, 1), 0.5)])
def test_a_range_without_a_nearer_or_a_wider_one_is_refused(d):
    with pytest.raises(ConfigError, match="night_depth: its range cannot be narrowed and widened"):
        Prior({"night_depth": d}, {})


def test_draws_at_a_seed_stay():
    # Published figures rest on them: whoever moves a parameter of the shared stream learns it here.
    scenario = DEFAULT.sample(3, SERVICES)
    expected = {
        "rural_isd_km": 2.241281830272281,
        "missing_share": 6.700745615224396e-06,
        "call.field_exponent": 1.018542915619267,
        "5g_down.dispersion": 519.851801093465,
    }
    assert {name: scenario[name] for name in expected} == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 2**32), st.sampled_from(sorted(OWN_STREAM & set(DEFAULT.city))))
@settings(max_examples=20, deadline=None)
def test_a_parameter_with_a_stream_of_its_own_moves_no_other(seed, name):
    value = domain(name).low
    other = Prior({**DEFAULT.city, name: Choice((value,), (1.0,), value)}, DEFAULT.service)
    before, after = (prior.sample(seed, SERVICES).values for prior in (DEFAULT, other))
    assert {**before, name: after[name]} == after
