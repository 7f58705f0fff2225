"""Units of hourly traffic in words, for axes and tables."""

from __future__ import annotations

from simmst.traffic.dataset import TrafficData

_NAMED = {"unknown": "units of the file", "simulated": "simulated units"}


def hourly_units(data: TrafficData, service: str | None = None) -> str:
    """Units of one service, or of all: "MB per hour", and "users" of what is averaged."""
    if service is None:
        every = {name: hourly_units(data, name) for name in data.services}
        if len(set(every.values())) == 1:
            return every[data.services[0]]
        return ", ".join(f"{name}: {unit}" for name, unit in every.items())
    unit = data.unit_of(service)
    return _NAMED.get(unit, unit) + ("" if service in data.averaged else " per hour")
