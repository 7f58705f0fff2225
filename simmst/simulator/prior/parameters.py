"""The parameters of a world: for each the distribution of the default prior, and the values it may ever have."""

from __future__ import annotations

from typing import Literal

from simmst.errors import ConfigError
from simmst.simulator.prior.distributions import Choice, Distribution, LogUniform, Normal, Uniform
from simmst.simulator.prior.domain import Domain

Kind = Literal["call", "sms", "internet", "volume"]
LAND_USES = ("residential", "business", "night", "transit", "shop")

# Domains hold for every prior, so they are wider than the ranges. Their ends are where a number loses its
# meaning, where a formula ends, or, where nothing else says stop, well beyond any city that we know of: all of
# them at their ends at once, with all noise at five deviations, still make traffic that float32 can hold.
SWITCH = Domain(0.0, 1.0, whole=True)
SHARE = Domain(0.0, 1.0)
RATIO = Domain(0.01, 20.0)  # of a weekend's or a holiday's traffic
NOISE = Domain(0.0, 0.5)  # a deviation of the logarithm

# A NEW PARAMETER MOVES DRAWS. `Prior.sample` draws from one stream in the order of these tables, the city's first,
# then each service's (those of `EVERY_SERVICE` before its own): a new line moves what is drawn after it, all
# services' numbers included, and with them each published figure that rests on a seed.

# Ranges from published figures and an earlier prototype unless a comment says otherwise (docs/simulator.md).
# [own]: chosen here, where they give none.
CITY: dict[str, tuple[Distribution, Domain]] = {
    # Layout. Squares are 0.235 km wide in a city (the Milano grid) and 1 km outside it (rural).
    "rural": (Choice((0.0, 1.0), (0.85, 0.15), 0.0), SWITCH),
    # Up to 8 km: sites further apart serve squares from beyond 5 km, where the formulas of path loss end. From
    # 0.05 km (and 0.2 km): the sites of a world grow with the inverse square.
    "isd_km": (LogUniform(0.35, 1.2, 0.5), Domain(0.05, 8.0)),
    "rural_isd_km": (LogUniform(1.0, 4.0, 2.0), Domain(0.2, 8.0)),
    "site_jitter": (Uniform(0.05, 0.4, 0.2, floor=0.0), SHARE),  # [own] of the distance between sites
    # Radio.
    # UMa, UMi, RMa; weights [own].
    "environment": (Choice((0.0, 1.0, 2.0), (0.6, 0.25, 0.15), 0.0), Domain(0.0, 2.0, whole=True)),
    # The formulas hold from 0.5 to 100 GHz, and to 30 GHz in RMa (TR 38.901, Table 7.4.1-1, note 2).
    "frequency_ghz": (Choice((0.8, 1.8, 2.1, 2.6, 3.5), (0.2,) * 5, 2.1), Domain(0.5, 30.0)),
    # At 0 dB the scale of a square's shares would be 0 (`serving_shares` divides by it).
    "shadow_sigma_db": (Uniform(4.0, 9.0, 6.0, floor=1.0), Domain(0.5, 20.0)),
    "shadow_correlation_m": (LogUniform(30.0, 120.0, 50.0), Domain(1.0, 1000.0)),
    "indoor_share": (Uniform(0.3, 0.9, 0.7, floor=0.0, ceiling=1.0), SHARE),
    "power_jitter_db": (Uniform(2.0, 4.0, 3.0), Domain(0.0, 10.0)),  # the prototype fixed 3
    # [own] How sharp the operator's coverage map is.
    "map_softness_db": (LogUniform(0.3, 8.0, 1.5), Domain(0.01, 50.0)),
    "load_coupled": (Choice((0.0, 1.0), (0.7, 0.3), 0.0), SWITCH),
    "peak_load": (Uniform(0.2, 1.2, 0.6, floor=0.05), Domain(0.01, 10.0)),
    # Demand in space.
    # To 1.4 in the prototype; what sites and their coverage smooth away is put on top here.
    "field_sigma": (Uniform(0.6, 1.8, 1.2, floor=0.1), Domain(0.0, 2.5)),
    "field_length_km": (LogUniform(1.0, 7.0, 4.0), Domain(0.05, 100.0)),
    "monocentric": (Choice((0.0, 1.0), (0.3, 0.7), 1.0), SWITCH),
    "city_radius_km": (LogUniform(3.0, 15.0, 5.0), Domain(1.0, 1000.0)),
    # [own] Of this part of the city.
    "centre_distance_km": (Uniform(0.0, 12.0, 4.0, floor=0.0), Domain(0.0, 100.0)),
    "nugget": (Uniform(0.0, 0.4, 0.1, floor=0.0), Domain(0.0, 1.0)),
    "land_use_sharpness": (Uniform(1.0, 3.0, 2.0, floor=0.0), Domain(0.0, 20.0)),
    # Weekly profile.
    "base": (LogUniform(0.03, 0.35, 0.1, ceiling=0.9), SHARE),
    # From 0.35 in the prototype; Milano's squares are flatter.
    "sharpness": (LogUniform(0.2, 1.6, 0.7), Domain(0.0, 10.0)),
    "hour_jitter": (Uniform(0.2, 1.0, 0.4, floor=0.0), Domain(0.0, 12.0)),
    "saturday_ratio": (LogUniform(0.6, 1.3, 0.85), RATIO),
    # [own] Cities differ in whether there is a weekend at all (Milano has one, Jinan hardly), and in how
    # deep the night is between broad days (Jinan: peak/mean 1.6 with peak/trough 9, which bumps alone miss).
    "weekend_strength": (LogUniform(0.05, 1.0, 0.5), Domain(0.0, 3.0)),
    "texture": (LogUniform(0.01, 0.1, 0.03), NOISE),  # [own] fine structure of a day, the same every week
    "night_depth": (Uniform(0.0, 0.9, 0.4, floor=0.0, ceiling=0.97), SHARE),
    # The prototype had one weekend ratio in (0.35, 1.8); split by land use here after its three squares.
    "weekend.residential": (LogUniform(0.6, 1.4, 1.0), RATIO),
    "weekend.business": (LogUniform(0.35, 0.9, 0.55), RATIO),
    "weekend.night": (LogUniform(0.7, 1.5, 1.1), RATIO),
    "weekend.transit": (LogUniform(0.4, 1.1, 0.7), RATIO),
    "weekend.shop": (LogUniform(0.5, 1.8, 1.1), RATIO),
    "holiday.residential": (Uniform(0.35, 1.1, 0.7, floor=0.1), RATIO),
    "holiday.business": (Uniform(0.2, 0.55, 0.35, floor=0.05), RATIO),
    "holiday.night": (Uniform(0.35, 1.1, 0.6, floor=0.1), RATIO),
    "holiday.transit": (Uniform(0.3, 0.9, 0.6, floor=0.05), RATIO),  # [own]
    "holiday.shop": (LogUniform(0.1, 1.3, 0.6), RATIO),
    "holiday_rate": (LogUniform(0.001, 0.03, 0.01), SHARE),  # [own] holidays that begin, a day
    "holiday_days": (Uniform(1.0, 3.0, 1.5, floor=1.0), Domain(1.0, 365.0)),  # [own] mean length, geometric
    "clock_shift_h": (Choice((-1.0, 0.0, 1.0), (0.025, 0.95, 0.025), 0.0), Domain(-12.0, 12.0, whole=True)),
    # Of the week; 0 is Monday's first.
    "start_hour": (
        Choice(tuple(float(h) for h in range(168)), (1 / 168,) * 168, 0.0),
        Domain(0.0, 167.0, whole=True),
    ),
    # Residual of the logarithm. Wider to the quiet side than the prototype, which saw three busy squares: in
    # Jinan services are nearly independent (0.1 to 0.45) and the noise is short (0.45 at 1 h).
    # [own] One factor on all of the parts, since large nodes are quieter than small ones. To 1.2 at first: the
    # differences from a week before in 100 Milano squares (training days) were larger and not white.
    "residual_scale": (LogUniform(0.2, 2.0, 0.6, ceiling=2.0), Domain(0.0, 2.5)),
    "residual_city": (LogUniform(0.01, 0.10, 0.03), NOISE),
    "residual_region": (LogUniform(0.01, 0.12, 0.05), NOISE),
    "residual_site": (LogUniform(0.01, 0.12, 0.05), NOISE),
    "residual_service": (LogUniform(0.03, 0.6, 0.12, ceiling=0.6), Domain(0.0, 1.0)),
    # Between the autocorrelations of the shortest and the longest part of the noise (`noise_weights`).
    "residual_acf1": (Uniform(0.46, 0.9, 0.6, floor=0.44, ceiling=0.96), Domain(0.44, 0.97)),
    # [own] Slow change of the daily shape, which makes the residual's ACF at 24 h, and its memory.
    "pattern": (LogUniform(0.01, 0.12, 0.04), NOISE),
    "pattern_days": (LogUniform(1.5, 10.0, 4.0), Domain(0.1, 365.0)),
    "day_factor": (LogUniform(0.005, 0.1, 0.03), NOISE),
    "drift": (LogUniform(0.002, 0.04, 0.012), Domain(0.0, 0.2)),  # a day
    # Rare things. Published sets have their gaps filled, so few records are missing (prototype: U(0, .02)).
    "event_rate": (LogUniform(0.002, 0.05, 0.01), Domain(0.0, 5.0)),  # a day and 10 km2
    "event_size": (Uniform(0.3, 1.5, 0.8, floor=0.05), Domain(0.0, 3.0)),
    "outage_rate": (LogUniform(1e-6, 1e-4, 1e-5), Domain(0.0, 0.1)),  # [own] a site and hour
    "missing_share": (LogUniform(1e-6, 1e-3, 1e-4), Domain(0.0, 0.9)),  # to 0.9, so that something is left
}

SERVICE: dict[Kind, dict[str, Distribution]] = {
    "call": {
        "ln_mean": Normal(1.5, 0.8),
        "lag_h": Uniform(-0.5, 1.0, 0.0),
        # Voice all but stops at night (Milano: peak over trough 27 in the city, 60 to 230 in its squares) and
        # rests at weekends; the prototype's 0.25 to 0.5 and 0.35 to 0.7 for messages left too much.
        "base_factor": LogUniform(0.005, 0.5, 0.1),
        "weekend_factor": LogUniform(0.4, 1.0, 0.7),
        "record_scale": LogUniform(0.5, 50.0, 10.0),
    },
    "sms": {
        "ln_mean": Normal(1.9, 0.8),
        "lag_h": Uniform(-0.5, 1.0, 0.3),
        "base_factor": LogUniform(0.02, 0.7, 0.25),
        "weekend_factor": LogUniform(0.6, 1.1, 0.85),
        "record_scale": LogUniform(0.5, 50.0, 10.0),
    },
    "internet": {
        "ln_mean": Normal(5.2, 0.8),
        "lag_h": Uniform(-0.5, 1.0, 0.8),
        "base_factor": LogUniform(0.7, 1.4, 1.0),
        "weekend_factor": LogUniform(0.8, 1.25, 1.0),
        "record_scale": Choice((1.0,), (1.0,), 1.0),
        # LogU(60, 2000) in the prototype: more white noise than the training days of Milano and Jinan have.
        "dispersion": LogUniform(200.0, 5000.0, 1000.0),
    },
    # [own] Bytes of one direction or generation: levels spread over decades, many records in each megabyte.
    "volume": {
        "ln_mean": Normal(3.5, 1.5),
        "lag_h": Uniform(-0.5, 1.0, 0.5),
        "base_factor": LogUniform(0.7, 1.4, 1.0),
        "weekend_factor": LogUniform(0.9, 1.15, 1.0),
        "record_scale": LogUniform(2.0, 500.0, 30.0),
        "field_sigma": Uniform(0.05, 0.9, 0.3, floor=0.0),  # Jinan: correlation over streets of 4G and 5G 0.77
        "dispersion": LogUniform(200.0, 5000.0, 1000.0),
    },
}
# For all kinds that do not say otherwise (as volume does of field_sigma).
EVERY_SERVICE: dict[str, Distribution] = {
    "field_exponent": Uniform(0.85, 1.15, 1.0, floor=0.3),
    "field_sigma": Uniform(0.05, 0.35, 0.2, floor=0.0),
    # [own] Services differ in how noisy they are by themselves (Jinan: 5G downlink least).
    "residual_factor": LogUniform(0.25, 2.5, 0.8, ceiling=2.5),
}

# The domains of a service's parameters, the same for all kinds.
SERVICE_DOMAINS: dict[str, Domain] = {
    "ln_mean": Domain(-20.0, 28.0),  # of a square and hour: from practically nothing to 10^12 units
    "lag_h": Domain(-12.0, 12.0),
    "base_factor": Domain(0.0, 10.0),
    "weekend_factor": RATIO,
    "record_scale": Domain(1e-9, 1e6),
    "dispersion": Domain(0.1, 1e9),
    "field_exponent": Domain(0.0, 1.5),
    "field_sigma": Domain(0.0, 1.5),
    "residual_factor": Domain(0.0, 2.5),
}


def domain(name: str) -> Domain:
    """
    Values that a parameter may have in any prior.

    Parameters
    ----------
    name
        Of a city's parameter, or of a service's, with or without the service in front ("call.lag_h").
    """
    if name in CITY:
        return CITY[name][1]
    own = name.rpartition(".")[2]
    if own not in SERVICE_DOMAINS:
        raise ConfigError(f"unknown parameter {name}; see simmst.simulator.prior.parameters")
    return SERVICE_DOMAINS[own]
