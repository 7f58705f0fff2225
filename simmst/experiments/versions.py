"""Versions of what computes, kept with a run: a run that went on with others says so."""

from __future__ import annotations

import platform
from importlib.metadata import version

from simmst.errors import ConfigError
from simmst.experiments.rundir import RunDirectory

VERSIONS = "versions.json"
_PACKAGES = ("cutplane", "torch", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide figures; `simmst` has that of `cutplane`."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def note_versions(directory: RunDirectory) -> tuple[str, ...]:
    """
    Write what computes now into the run directory, beside what computed before.

    Parameters
    ----------
    directory
        Of a run that begins or goes on.

    Returns
    -------
    tuple of str
        A notice where they differ, else nothing.

    Raises
    ------
    ConfigError
        If the file is damaged.
    """
    path, now = directory.path / VERSIONS, versions()
    seen = directory.read_json(VERSIONS).get("computed_by") if path.is_file() else []
    if not isinstance(seen, list) or not all(isinstance(one, dict) for one in seen):
        raise ConfigError(f"{path}: damaged; delete it and resume again")
    if now not in seen:
        seen.append(now)
        directory.write_json(VERSIONS, {"computed_by": seen})
    changed = [
        f"{name} {', then '.join(numbers)}"
        for name in now
        if len(numbers := list(dict.fromkeys(str(one.get(name, "unknown")) for one in seen))) > 1
    ]
    if not changed:
        return ()
    return (
        f"Different versions computed parts of this run ({'; '.join(changed)}): its figures may differ from those "
        "of a run by one of them.",
    )
