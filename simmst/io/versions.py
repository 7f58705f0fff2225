"""Versions of what computes."""

from __future__ import annotations

import platform
from importlib.metadata import version

_PACKAGES = ("cutplane", "torch", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide figures; `simmst` has that of `cutplane`."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
