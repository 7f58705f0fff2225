"""A prior survives its file, a file may name only changes, and what is wrong in it is named."""

import pytest

from simmst.errors import ConfigError
from simmst.simulator.prior.distributions import LogUniform, Normal
from simmst.simulator.prior.file import PRIORS, load_prior, save_prior
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.literature import literature_prior


@pytest.mark.parametrize("name", PRIORS)
def test_a_prior_comes_back_equal(tmp_path, name):
    save_prior(PRIORS[name](), tmp_path / "prior.yaml")
    assert load_prior(tmp_path / "prior.yaml") == PRIORS[name]()
    assert [p.name for p in tmp_path.iterdir()] == ["prior.yaml"]


def test_a_file_says_which_prior_it_starts_from(tmp_path):
    path = tmp_path / "prior.yaml"
    path.write_text("base: literature\ncity:\n  isd_km: {log_uniform: [0.2, 0.6], nominal: 0.3}\n")
    prior, base = load_prior(path), literature_prior()
    assert prior.base == "literature" and prior.service == base.service
    assert prior.city == {**base.city, "isd_km": LogUniform(0.2, 0.6, 0.3)}
    path.write_text("city: {}")
    assert load_prior(path) == informed_prior() != base


def test_a_file_may_name_only_what_it_changes(tmp_path):
    path = tmp_path / "prior.yaml"
    path.write_text(
        "city:\n  isd_km: {log_uniform: [0.2, 0.6], nominal: 0.3}\n"
        "service:\n  call:\n    ln_mean: {normal: 0.5, nominal: 2}\n"
    )
    prior, base = load_prior(path), informed_prior()
    assert prior.city["isd_km"] == LogUniform(0.2, 0.6, 0.3)
    assert prior.service["call"]["ln_mean"] == Normal(2.0, 0.5)
    assert prior.service["sms"] == base.service["sms"] and prior.mixture == base.mixture
    assert {k: v for k, v in prior.city.items() if k != "isd_km"} == {
        k: v for k, v in base.city.items() if k != "isd_km"
    }
    path.write_text("")
    assert load_prior(path) == base


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("city: [1, 2]", "city: must be a mapping"),
        ("towns: {}", "the file: unknown towns; known: base, city, mixture, service"),
        ("city: {isd: {uniform: [0, 1], nominal: 0.5}}", "city: unknown isd"),
        ("service: {fax: {}}", "service: unknown fax"),
        ("city: {isd_km: {uniform: [0, 1]}}", "isd_km: needs nominal"),
        ("city: {isd_km: {uniform: [0, 1], normal: 2, nominal: 0.5}}", "isd_km: needs nominal and one of"),
        ("city: {isd_km: {uniform: [2, 1], nominal: 1}}", "isd_km: low=2.0"),
        ("city: {isd_km: {uniform: [2, .nan], nominal: 1}}", "isd_km: must be 2 finite numbers"),
        ("city: {isd_km: {uniform: 3, nominal: 1}}", "isd_km: must be 2 finite numbers"),
        ("city: {isd_km: {normal: yes, nominal: 1}}", "isd_km: must be 1 finite numbers"),
        ("city: {isd_km: {choice: [1, 2], nominal: 1}}", "weights of isd_km"),
        ("city: {isd_km: {normal: 1, nominal: 1, floor: 0}}", "isd_km: normal has no floor"),
        ("mixture: [1, 1, 1]", "mixture"),
        ("base: jinan", "base: must be one of informed, literature, not 'jinan'"),
        ("base: [1]", "base: must be one of informed, literature"),
        ("city: {isd_km: [", "not YAML, line 1"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, message):
    path = tmp_path / "prior.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_prior(path)
    assert "prior.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load_prior(tmp_path / "none.yaml")
