"""Units of several services in one text."""

from __future__ import annotations

from collections.abc import Mapping

from simmst.errors import ConfigError


def joined_units(units: Mapping[str, str]) -> str:
    """Return units of services as one text: "MB" where all have it, else "dl=MB, users=users".

    Raises
    ------
    ConfigError
        If they differ, and one holds a mark that such a text is taken apart by.
    """
    if len(set(units.values())) == 1:
        return next(iter(units.values()))
    bad = [unit for unit in units.values() if "," in unit or "=" in unit]
    if bad:
        raise ConfigError(f"units: {bad[0]!r} must hold neither a comma nor an equals sign")
    return ", ".join(f"{service}={unit}" for service, unit in units.items())


def by_service(units: str, services: tuple[str, ...]) -> dict[str, str]:
    """Take a text of `joined_units` apart; empty where it is one unit for all."""
    # Names may hold the marks, so those that are known are looked for, from the end on.
    found: dict[str, str] = {}
    for service in reversed(services):
        rest, mark, unit = units.rpartition(f"{service}=")
        if not mark or "," in unit or "=" in unit or (rest and not rest.endswith(", ")):
            return {}
        found[service], units = unit, rest.removesuffix(", ")
    return {} if units else found
