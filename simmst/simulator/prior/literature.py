"""The literature prior: ranges from publications and plain reasoning alone, wide where these leave much open."""

from __future__ import annotations

from simmst.simulator.prior.distributions import Choice, Distribution, LogUniform, Normal, Uniform
from simmst.simulator.prior.parameters import Kind
from simmst.simulator.prior.scenario import Prior

# No number here was set with statistics of Milano or Jinan, nor widened until one of them lay inside. Each line
# names its source; docs/simulator.md gives the references and how far each was read. [R] is reasoning: what a
# quantity can be at all, or what holds in any country. The order is that of the draws (`Prior.sample`).
CITY: dict[str, Distribution] = {
    # Layout: in TR 38.901, Tables 7.2-1 and 7.2-3, sites are 200 m (UMi), 500 m (UMa), 1,732 m or 5,000 m (RMa)
    # apart. From 300 m here: the work grows with the inverse square.
    "rural": Choice((0.0, 1.0), (0.7, 0.3), 0.0),  # [R] cities first, since most traffic is theirs
    "isd_km": LogUniform(0.3, 1.732, 0.5),
    "rural_isd_km": LogUniform(1.732, 5.0, 1.732),
    # Real layouts lie between a lattice and Poisson points (Zhou et al. 2015): 0 is a lattice, 0.6 nearly Poisson.
    "site_jitter": Uniform(0.0, 0.6, 0.3, floor=0.0),
    # Radio: TR 38.901. Its three environments alike; the bands that operators use (TS 38.104).
    "environment": Choice((0.0, 1.0, 2.0), (0.34, 0.33, 0.33), 0.0),
    "frequency_ghz": Choice((0.7, 0.8, 0.9, 1.8, 2.1, 2.6, 3.5), (0.16, 0.14, 0.14, 0.14, 0.14, 0.14, 0.14), 2.1),
    "shadow_sigma_db": Uniform(4.0, 8.0, 6.0, floor=1.0),  # Table 7.4.1-1
    "shadow_correlation_m": LogUniform(7.0, 120.0, 50.0),  # Table 7.5-6
    "indoor_share": Uniform(0.4, 0.9, 0.8, floor=0.0, ceiling=1.0),  # Tables 7.2-1 and 7.2-3: 50 % and 80 %
    "power_jitter_db": Uniform(0.0, 6.0, 3.0, floor=0.0),  # TR 36.814: macro sites of 43 to 49 dBm
    "map_softness_db": LogUniform(0.1, 10.0, 1.0),  # [R] from best-server maps to blurred ones
    "load_coupled": Choice((0.0, 1.0), (0.5, 0.5), 0.0),  # [R]
    "peak_load": Uniform(0.1, 1.5, 0.6, floor=0.05),  # [R] from empty to overbooked
    # Demand in space: log-normal (Lee et al. 2014). That 10 % of sites carry 50 to 60 % of traffic (Paul et al.
    # 2011) asks for 1.28 to 1.53, as the top tenth of a log-normal has the share 1 - Phi(1.28 - sigma).
    "field_sigma": Uniform(0.5, 2.0, 1.4, floor=0.1),
    "field_length_km": LogUniform(0.3, 10.0, 2.0),  # [R] a block to a district
    "monocentric": Choice((0.0, 1.0), (0.5, 0.5), 1.0),
    "city_radius_km": LogUniform(2.0, 20.0, 6.0),  # Clark 1951: densities fall by e within some kilometres
    "centre_distance_km": Uniform(0.0, 20.0, 5.0, floor=0.0),  # [R]
    "nugget": Uniform(0.0, 0.6, 0.2, floor=0.0),  # [R]
    "land_use_sharpness": Uniform(0.5, 4.0, 2.0, floor=0.0),  # Wang, H. et al. 2015: mixtures of few components
    # Weekly profile: two humps by land use (Wang, H. et al. 2015), three main frequencies (Wang, S. et al. 2015).
    "base": LogUniform(0.02, 0.6, 0.1, ceiling=0.9),  # [R] of the peak at night: machines and sleepless people
    "sharpness": LogUniform(0.2, 2.0, 0.7),  # [R] peaks of 2 to 8 hours
    "hour_jitter": Uniform(0.2, 2.0, 0.7, floor=0.0),  # [R] countries dine and open shops hours apart
    "saturday_ratio": LogUniform(0.5, 1.5, 0.9),  # [R]
    "weekend_strength": LogUniform(0.05, 1.2, 0.5, ceiling=1.5),  # [R] from six-day weeks to two full days off
    "texture": LogUniform(0.005, 0.15, 0.03),  # [R]
    "night_depth": Uniform(0.0, 0.95, 0.5, floor=0.0, ceiling=0.98),  # [R]
    # Weekends empty offices and lines and fill homes and places to go (Wang, H. et al. 2015); ends [R].
    "weekend.residential": LogUniform(0.6, 1.6, 1.0),
    "weekend.business": LogUniform(0.2, 1.0, 0.5),
    "weekend.night": LogUniform(0.6, 2.0, 1.1),
    "weekend.transit": LogUniform(0.3, 1.1, 0.6),
    "weekend.shop": LogUniform(0.4, 2.0, 1.0),
    # When all stay away, an inner city's traffic fell by 58 % and commuter towns' grew (EE 2020); ends [R].
    "holiday.residential": Uniform(0.3, 2.0, 0.9, floor=0.1),
    "holiday.business": Uniform(0.1, 0.9, 0.42, floor=0.05),
    "holiday.night": Uniform(0.2, 1.6, 0.8, floor=0.1),
    "holiday.transit": Uniform(0.15, 1.2, 0.5, floor=0.05),
    "holiday.shop": LogUniform(0.08, 1.6, 0.5),
    "holiday_rate": LogUniform(0.015, 0.06, 0.03),  # [R] 6 to 20 public holidays a year by country
    "holiday_days": Uniform(1.0, 2.0, 1.2, floor=1.0),  # [R]
    "clock_shift_h": Choice((-1.0, 0.0, 1.0), (0.05, 0.9, 0.05), 0.0),  # [R] a clock change that nobody recorded
    "start_hour": Choice(tuple(float(h) for h in range(168)), (1 / 168,) * 168, 0.0),
    # Residual of the logarithm: aggregates are predictable, single stations vary (Paul et al. 2011). From some
    # percent of a whole city to several tenths of a cell [R].
    "residual_scale": LogUniform(0.1, 2.0, 0.5, ceiling=2.0),
    "residual_city": LogUniform(0.01, 0.15, 0.04),
    "residual_region": LogUniform(0.01, 0.2, 0.05),
    "residual_site": LogUniform(0.01, 0.3, 0.06, ceiling=0.5),
    "residual_service": LogUniform(0.03, 0.6, 0.13, ceiling=0.8),
    # Long memory: Hurst exponents of .7 to .9 in cellular traffic (Kalden and Ibrahim 2004).
    "residual_acf1": Uniform(0.46, 0.95, 0.7, floor=0.44, ceiling=0.965),
    "pattern": LogUniform(0.01, 0.15, 0.04),  # [R] school terms, seasons, timetables
    "pattern_days": LogUniform(1.0, 14.0, 4.0),  # [R]
    "day_factor": LogUniform(0.01, 0.12, 0.035),  # [R] weather, matches
    "drift": LogUniform(0.001, 0.05, 0.007),  # [R] growth of 20 to 50 % a year is .001 a day; sites move more
    # Rare things.
    "event_rate": LogUniform(0.001, 0.1, 0.01),  # [R]
    "event_size": Uniform(0.2, 1.6, 0.8, floor=0.05),  # [R] a full stadium has five times its usual traffic
    "outage_rate": LogUniform(1e-6, 3e-4, 1e-5),  # [R] 6 h each: availability of 99.8 to 99.999 %
    "missing_share": LogUniform(1e-6, 1e-2, 1e-4),  # [R]
    # Breaks [R]: golden weeks, Christmas, spring festivals, school holidays: one or two in 42 days at the most.
    "break_rate": LogUniform(0.001, 0.03, 0.008),
    "break_days": Uniform(1.0, 8.0, 4.0, floor=1.0, ceiling=8.0),
    "break_strength": Uniform(0.1, 1.0, 0.7, floor=0.0, ceiling=1.0),
    "break_spread": LogUniform(0.02, 0.3, 0.08, ceiling=0.5),
    "run_up_days": Choice((0.0, 1.0, 2.0, 3.0, 5.0), (0.2, 0.2, 0.2, 0.2, 0.2), 2.0),
    "run_up": Uniform(-0.25, 0.25, 0.0),
    # Levels [R]: neighbours rebuilt, tariffs, students who come and go. Regimes: when people stayed away, places
    # changed by -58 to +120 % (EE 2020), logarithms of -.87 and .79; these are the ends, not the usual.
    "step_rate": LogUniform(0.0002, 0.01, 0.002),
    "step_size": Uniform(0.05, 0.55, 0.25, floor=0.0),
    "ramp_days": Uniform(1.0, 20.0, 5.0, floor=0.0),
    "regime_rate": LogUniform(0.001, 0.03, 0.006),
    "regime_size": Uniform(0.15, 0.55, 0.35, floor=0.0),
    "regime_mix": Uniform(0.0, 1.0, 0.5, floor=0.0, ceiling=1.0),
    "common_share": Uniform(0.0, 0.8, 0.4, floor=0.0),
    "birth_rate": LogUniform(5e-5, 3e-3, 4e-4),  # [R] .15 to 9 % a month
    "death_rate": LogUniform(5e-5, 3e-3, 4e-4),
    "capped_share": LogUniform(0.001, 0.2, 0.01),  # [R]
    "cap_level": Uniform(0.4, 1.1, 0.85),  # [R]
    # Nodes [R]: public data have squares, sectors, sites, streets and towns; a cell serves from a few users up.
    "cells": Choice((0.0, 1.0), (0.8, 0.2), 0.0),
    "small_nodes": Choice((0.0, 1.0), (0.7, 0.3), 0.0),
    "users": LogUniform(3.0, 100000.0, 300.0),
    "fine_dispersion": LogUniform(10.0, 10000.0, 300.0),  # [R]
    "memory_factor": LogUniform(0.5, 3.0, 1.0, ceiling=4.0),  # [R] shortest memories of some 40 minutes to 4 hours
}

# Levels [R]: a node is anything from a cell with few users to a town, in whatever unit. Operators scale records of
# calls and messages before they publish them, by a factor that is not known.
SERVICE: dict[Kind, dict[str, Distribution]] = {
    "call": {
        "ln_mean": Normal(3.0, 2.0),
        "lag_h": Uniform(-1.0, 1.5, 0.0),  # [R]
        "base_factor": LogUniform(0.02, 1.0, 0.2),  # [R] few call at night
        "weekend_factor": LogUniform(0.4, 1.4, 0.8),  # [R]
        "record_scale": LogUniform(0.3, 100.0, 5.0),
    },
    "sms": {
        "ln_mean": Normal(3.0, 2.0),
        "lag_h": Uniform(-1.0, 1.5, 0.3),
        "base_factor": LogUniform(0.05, 1.2, 0.3),
        "weekend_factor": LogUniform(0.5, 1.4, 0.9),
        "record_scale": LogUniform(0.3, 100.0, 5.0),
    },
    # Dispersion: what a session moves has a deviation of the logarithm of some 2.2 (Zanella et al. 2023), so that
    # n sessions an hour have one of n / exp(2.2 ** 2) [D]: 20 to 5,000 for 2,500 to 630,000 of them.
    "internet": {
        "ln_mean": Normal(5.0, 2.0),
        "lag_h": Uniform(-1.0, 2.0, 0.5),
        "base_factor": LogUniform(0.5, 1.6, 1.0),
        "weekend_factor": LogUniform(0.7, 1.4, 1.0),
        "record_scale": Choice((1.0,), (1.0,), 1.0),
        "dispersion": LogUniform(20.0, 5000.0, 300.0),
    },
    "volume": {
        "ln_mean": Normal(4.0, 2.2),
        "lag_h": Uniform(-1.0, 2.0, 0.5),
        "base_factor": LogUniform(0.5, 1.6, 1.0),
        "weekend_factor": LogUniform(0.7, 1.4, 1.0),
        "record_scale": LogUniform(0.5, 500.0, 15.0),
        "dispersion": LogUniform(20.0, 5000.0, 300.0),
    },
}
# Services differ over space by application and generation (NetMob 2023: Martinez-Durive et al.); widths [R].
EVERY_SERVICE: dict[str, Distribution] = {
    "field_exponent": Uniform(0.7, 1.3, 1.0, floor=0.3, ceiling=1.5),
    "field_sigma": Uniform(0.05, 0.9, 0.3, floor=0.0),
    "residual_factor": LogUniform(0.25, 2.5, 0.8, ceiling=2.5),
    "break_factor": LogUniform(0.6, 1.6, 1.0),  # voice rose by 45 % where data fell (EE 2020)
    # A session's own is exp(2.2 ** 2) = 126 (Zanella et al. 2023), less where a user has many in an hour.
    "burst": LogUniform(0.5, 60.0, 4.0),
}


def literature_prior() -> Prior:
    """
    Prior with ranges from publications and reasoning alone, for claims of transfer to any city.

    No number of it was set with statistics of Milano or Jinan; it is wider than `informed_prior`.
    """
    return Prior(CITY, {kind: {**EVERY_SERVICE, **own} for kind, own in SERVICE.items()}, base="literature")
