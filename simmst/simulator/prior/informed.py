"""The informed prior: ranges that have seen statistics of Milano and Jinan; the default."""

from __future__ import annotations

from simmst.simulator.prior.distributions import Choice, Distribution, LogUniform, Normal, Uniform
from simmst.simulator.prior.parameters import Kind
from simmst.simulator.prior.scenario import Prior

# Ranges from published figures and an earlier prototype unless a comment says otherwise (docs/simulator.md).
# [own]: chosen here, where they give none. The order is that of the draws (`Prior.sample`).
CITY: dict[str, Distribution] = {
    # Layout.
    "rural": Choice((0.0, 1.0), (0.85, 0.15), 0.0),
    "isd_km": LogUniform(0.35, 1.2, 0.5),
    "rural_isd_km": LogUniform(1.0, 4.0, 2.0),
    "site_jitter": Uniform(0.05, 0.4, 0.2, floor=0.0),  # [own]
    # Radio.
    # UMa, UMi, RMa; weights [own].
    "environment": Choice((0.0, 1.0, 2.0), (0.6, 0.25, 0.15), 0.0),
    "frequency_ghz": Choice((0.8, 1.8, 2.1, 2.6, 3.5), (0.2,) * 5, 2.1),
    "shadow_sigma_db": Uniform(4.0, 9.0, 6.0, floor=1.0),
    "shadow_correlation_m": LogUniform(30.0, 120.0, 50.0),
    "indoor_share": Uniform(0.3, 0.9, 0.7, floor=0.0, ceiling=1.0),
    "power_jitter_db": Uniform(2.0, 4.0, 3.0),  # the prototype fixed 3
    # [own] How sharp the operator's coverage map is.
    "map_softness_db": LogUniform(0.3, 8.0, 1.5),
    "load_coupled": Choice((0.0, 1.0), (0.7, 0.3), 0.0),
    "peak_load": Uniform(0.2, 1.2, 0.6, floor=0.05),
    # Demand in space.
    # To 1.4 in the prototype; what sites and their coverage smooth away is put on top here.
    "field_sigma": Uniform(0.6, 1.8, 1.2, floor=0.1),
    "field_length_km": LogUniform(1.0, 7.0, 4.0),
    "monocentric": Choice((0.0, 1.0), (0.3, 0.7), 1.0),
    "city_radius_km": LogUniform(3.0, 15.0, 5.0),
    "centre_distance_km": Uniform(0.0, 12.0, 4.0, floor=0.0),  # [own]
    "nugget": Uniform(0.0, 0.4, 0.1, floor=0.0),
    "land_use_sharpness": Uniform(1.0, 3.0, 2.0, floor=0.0),
    # Weekly profile.
    "base": LogUniform(0.03, 0.35, 0.1, ceiling=0.9),
    # From 0.35 in the prototype; Milano's squares are flatter.
    "sharpness": LogUniform(0.2, 1.6, 0.7),
    "hour_jitter": Uniform(0.2, 1.0, 0.4, floor=0.0),
    "saturday_ratio": LogUniform(0.6, 1.3, 0.85),
    # [own] Cities differ in whether there is a weekend at all (Milano has one, Jinan hardly), and in how
    # deep the night is between broad days (Jinan: peak/mean 1.6 with peak/trough 9, which bumps alone miss).
    "weekend_strength": LogUniform(0.05, 1.0, 0.5),
    "texture": LogUniform(0.01, 0.1, 0.03),  # [own] fine structure of a day, the same every week
    "night_depth": Uniform(0.0, 0.9, 0.4, floor=0.0, ceiling=0.97),
    # The prototype had one weekend ratio in (0.35, 1.8); split by land use here after its three squares.
    "weekend.residential": LogUniform(0.6, 1.4, 1.0),
    "weekend.business": LogUniform(0.35, 0.9, 0.55),
    "weekend.night": LogUniform(0.7, 1.5, 1.1),
    "weekend.transit": LogUniform(0.4, 1.1, 0.7),
    "weekend.shop": LogUniform(0.5, 1.8, 1.1),
    "holiday.residential": Uniform(0.35, 1.1, 0.7, floor=0.1),
    "holiday.business": Uniform(0.2, 0.55, 0.35, floor=0.05),
    "holiday.night": Uniform(0.35, 1.1, 0.6, floor=0.1),
    "holiday.transit": Uniform(0.3, 0.9, 0.6, floor=0.05),  # [own]
    "holiday.shop": LogUniform(0.1, 1.3, 0.6),
    "holiday_rate": LogUniform(0.001, 0.03, 0.01),  # [own]
    "holiday_days": Uniform(1.0, 3.0, 1.5, floor=1.0),  # [own]
    "clock_shift_h": Choice((-1.0, 0.0, 1.0), (0.025, 0.95, 0.025), 0.0),
    "start_hour": Choice(tuple(float(h) for h in range(168)), (1 / 168,) * 168, 0.0),
    # Residual of the logarithm. Wider to the quiet side than the prototype, which saw three busy squares: in
    # Jinan services are nearly independent (0.1 to 0.45) and the noise is short (0.45 at 1 h).
    # [own] One factor on all of the parts, since large nodes are quieter than small ones. To 1.2 at first: the
    # differences from a week before in 100 Milano squares (training days) were larger and not white.
    "residual_scale": LogUniform(0.2, 2.0, 0.6, ceiling=2.0),
    "residual_city": LogUniform(0.01, 0.10, 0.03),
    "residual_region": LogUniform(0.01, 0.12, 0.05),
    "residual_site": LogUniform(0.01, 0.12, 0.05),
    "residual_service": LogUniform(0.03, 0.6, 0.12, ceiling=0.6),
    "residual_acf1": Uniform(0.46, 0.9, 0.6, floor=0.44, ceiling=0.96),
    # [own] Slow change of the daily shape, which makes the residual's ACF at 24 h, and its memory.
    "pattern": LogUniform(0.01, 0.12, 0.04),
    "pattern_days": LogUniform(1.5, 10.0, 4.0),
    "day_factor": LogUniform(0.005, 0.1, 0.03),
    "drift": LogUniform(0.002, 0.04, 0.012),
    # Rare things. Published sets have their gaps filled, so few records are missing (prototype: U(0, .02)).
    "event_rate": LogUniform(0.002, 0.05, 0.01),
    "event_size": Uniform(0.3, 1.5, 0.8, floor=0.05),
    "outage_rate": LogUniform(1e-6, 1e-4, 1e-5),  # [own]
    "missing_share": LogUniform(1e-6, 1e-3, 1e-4),
    # [own] What follows is moderate: in most weeks of most nodes nothing of it happens.
    "break_rate": LogUniform(0.0005, 0.01, 0.003),
    "break_days": Uniform(1.0, 6.0, 3.0, floor=1.0),
    "break_strength": Uniform(0.2, 1.0, 0.7, floor=0.0, ceiling=1.0),
    "break_spread": LogUniform(0.02, 0.2, 0.06),
    "run_up_days": Choice((0.0, 1.0, 2.0, 3.0), (0.4, 0.2, 0.2, 0.2), 0.0),
    "run_up": Uniform(-0.15, 0.15, 0.0),
    "step_rate": LogUniform(0.0001, 0.003, 0.0007),
    "step_size": Uniform(0.05, 0.4, 0.2, floor=0.0),
    "ramp_days": Uniform(1.0, 14.0, 5.0, floor=0.0),
    "regime_rate": LogUniform(0.0005, 0.01, 0.002),
    "regime_size": Uniform(0.2, 0.5, 0.35, floor=0.0),
    "regime_mix": Uniform(0.0, 0.8, 0.4, floor=0.0, ceiling=1.0),
    "common_share": Uniform(0.0, 0.6, 0.3, floor=0.0),
    "birth_rate": LogUniform(2e-5, 1e-3, 2e-4),
    "death_rate": LogUniform(2e-5, 1e-3, 2e-4),
    "capped_share": LogUniform(0.0005, 0.05, 0.005),
    "cap_level": Uniform(0.6, 1.1, 0.9),
    "cells": Choice((0.0, 1.0), (0.9, 0.1), 0.0),
    "small_nodes": Choice((0.0, 1.0), (0.9, 0.1), 0.0),
    "users": LogUniform(10.0, 10000.0, 300.0),
    "fine_dispersion": LogUniform(30.0, 3000.0, 300.0),
    # The noise has the memory that squares of Milano have (`residual.py`).
    "memory_factor": Choice((1.0,), (1.0,), 1.0),
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
    "break_factor": LogUniform(0.7, 1.3, 1.0),
    "burst": LogUniform(0.5, 10.0, 2.0),
}


def informed_prior() -> Prior:
    """
    Prior whose ranges were widened until statistics of Milano and Jinan lay inside.

    Worlds of it say nothing about transfer to these two cities; `literature_prior` does.
    """
    return Prior(CITY, {kind: {**EVERY_SERVICE, **own} for kind, own in SERVICE.items()}, base="informed")
