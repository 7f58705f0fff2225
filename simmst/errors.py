"""The errors a user sees: one clear line that names the argument and the mend."""

import reprlib
from typing import Any

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60


def short(value: Any) -> str:
    """Return a value as a message may show it, however long it is."""
    return _short.repr(value)


class SimmstError(ValueError):
    """Base of every error that simmst raises on purpose; the command line prints it and exits with 2."""


class DataError(SimmstError):
    """Traffic data that cannot be used as they are: a file, a shape, a value, an unknown name."""


class ConfigError(SimmstError):
    """A setting that has no meaning, or that contradicts another one."""
