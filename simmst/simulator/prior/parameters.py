"""The parameters of a world: their names, and the values that each may ever have, in whatever prior."""

from __future__ import annotations

from typing import Literal

from simmst.errors import ConfigError
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

# The domains of a city's parameters.
CITY_DOMAINS: dict[str, Domain] = {
    # Layout. Squares are 0.235 km wide in a city (the Milano grid) and 1 km outside it (rural).
    "rural": SWITCH,
    # Up to 8 km: sites further apart serve squares from beyond 5 km, where the formulas of path loss end. From
    # 0.05 km (and 0.2 km): the sites of a world grow with the inverse square.
    "isd_km": Domain(0.05, 8.0),
    "rural_isd_km": Domain(0.2, 8.0),
    "site_jitter": SHARE,  # of the distance between sites
    # Radio. UMa, UMi, RMa.
    "environment": Domain(0.0, 2.0, whole=True),
    # The formulas hold from 0.5 to 100 GHz, and to 30 GHz in RMa (TR 38.901, Table 7.4.1-1, note 2).
    "frequency_ghz": Domain(0.5, 30.0),
    # At 0 dB the scale of a square's shares would be 0 (`serving_shares` divides by it).
    "shadow_sigma_db": Domain(0.5, 20.0),
    "shadow_correlation_m": Domain(1.0, 1000.0),
    "indoor_share": SHARE,
    "power_jitter_db": Domain(0.0, 10.0),
    "map_softness_db": Domain(0.01, 50.0),
    "load_coupled": SWITCH,
    "peak_load": Domain(0.01, 10.0),
    # Demand in space.
    "field_sigma": Domain(0.0, 2.5),
    "field_length_km": Domain(0.05, 100.0),
    "monocentric": SWITCH,
    "city_radius_km": Domain(1.0, 1000.0),
    # Of this part of the city.
    "centre_distance_km": Domain(0.0, 100.0),
    "nugget": Domain(0.0, 1.0),
    "land_use_sharpness": Domain(0.0, 20.0),
    # Weekly profile.
    "base": SHARE,
    "sharpness": Domain(0.0, 10.0),
    "hour_jitter": Domain(0.0, 12.0),
    "saturday_ratio": RATIO,
    "weekend_strength": Domain(0.0, 3.0),
    "texture": NOISE,
    "night_depth": SHARE,
    "weekend.residential": RATIO,
    "weekend.business": RATIO,
    "weekend.night": RATIO,
    "weekend.transit": RATIO,
    "weekend.shop": RATIO,
    "holiday.residential": RATIO,
    "holiday.business": RATIO,
    "holiday.night": RATIO,
    "holiday.transit": RATIO,
    "holiday.shop": RATIO,
    "holiday_rate": SHARE,  # that begin, a day
    "holiday_days": Domain(1.0, 365.0),  # mean length, geometric
    "clock_shift_h": Domain(-12.0, 12.0, whole=True),
    # Of the week; 0 is Monday's first.
    "start_hour": Domain(0.0, 167.0, whole=True),
    # Residual of the logarithm; one factor on all of its parts.
    "residual_scale": Domain(0.0, 2.5),
    "residual_city": NOISE,
    "residual_region": NOISE,
    "residual_site": NOISE,
    "residual_service": Domain(0.0, 1.0),
    # Between the autocorrelations of the shortest and the longest part of the noise (`noise_weights`).
    "residual_acf1": Domain(0.44, 0.97),
    "pattern": NOISE,
    "pattern_days": Domain(0.1, 365.0),
    "day_factor": NOISE,
    "drift": Domain(0.0, 0.2),  # a day
    # Rare things.
    "event_rate": Domain(0.0, 5.0),  # a day and 10 km2
    "event_size": Domain(0.0, 3.0),
    "outage_rate": Domain(0.0, 0.1),  # a site and hour
    "missing_share": Domain(0.0, 0.9),  # so that something is left
    # Breaks: weeks off of 1 to 8 days.
    "break_rate": SHARE,  # that begin, a day
    "break_days": Domain(1.0, 8.0),  # mean length
    "break_strength": SHARE,  # 0: as usual; 1: as on a holiday
    "break_spread": NOISE,  # between its days and land uses
    "run_up_days": Domain(0.0, 14.0, whole=True),
    "run_up": Domain(-1.0, 1.0),  # log change on the last day before
    # Changes of the level, a site and day: steps and ramps for good, regimes of 1 to 13 days.
    "step_rate": Domain(0.0, 0.1),
    "step_size": Domain(0.0, 0.7),  # deviation of the logarithm
    "ramp_days": Domain(0.0, 60.0),  # the longest ramp; half of the steps are sudden
    "regime_rate": Domain(0.0, 0.2),
    "regime_size": Domain(0.0, 0.7),  # deviation of the logarithm
    "regime_mix": SHARE,  # the most that another daily shape takes
    "common_share": SHARE,  # of the changes that a site sees, those of all sites
    # Cells that are born or die, a site and day.
    "birth_rate": Domain(0.0, 0.1),
    "death_rate": Domain(0.0, 0.1),
    # Counters that saturate: their share of sites and services, and the ceiling relative to the 99 % point.
    "capped_share": SHARE,
    "cap_level": Domain(0.05, 5.0),
    # Nodes: cells rather than squares of a map; few users, and how many a site and hour.
    "cells": SWITCH,
    "small_nodes": SWITCH,
    "users": Domain(0.1, 1e9),
    # How evenly an hour's traffic falls into its quarters (concentration of a Dirichlet distribution).
    "fine_dispersion": Domain(1.0, 1e6),
    # On the memory of the noise.
    "memory_factor": Domain(0.25, 4.0),
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
    "break_factor": RATIO,  # of its level in a break
    "burst": Domain(0.05, 1000.0),  # squared coefficient of variation of what a user takes in an hour, plus 1
}

# A NEW PARAMETER MOVES NO DRAW if its name stands here: it is drawn from a stream of its own. The others share one
# stream, in the order of the tables, the city's first, then each service's (those of all kinds before its own).
OWN_STREAM = frozenset(list(CITY_DOMAINS)[list(CITY_DOMAINS).index("break_rate") :]) | {"break_factor", "burst"}


def has_own_stream(name: str) -> bool:
    """Whether a parameter, named as in `domain`, is drawn from a stream of its own."""
    return name in OWN_STREAM or name.rpartition(".")[2] in OWN_STREAM


def domain(name: str) -> Domain:
    """
    Values that a parameter may have in any prior.

    Parameters
    ----------
    name
        Of a city's parameter, or of a service's, with or without the service in front ("call.lag_h").
    """
    if name in CITY_DOMAINS:
        return CITY_DOMAINS[name]
    own = name.rpartition(".")[2]
    if own not in SERVICE_DOMAINS:
        raise ConfigError(f"unknown parameter {name}; see simmst.simulator.prior.parameters")
    return SERVICE_DOMAINS[own]
