"""A prior as a YAML file: readable, complete when written, and allowed to name only what it changes."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from simmst.errors import ConfigError, short
from simmst.io.atomic import atomic_file
from simmst.simulator.prior.distributions import Choice, Distribution, LogUniform, Normal, Uniform
from simmst.simulator.prior.informed import informed_prior
from simmst.simulator.prior.literature import literature_prior
from simmst.simulator.prior.scenario import Prior

#: The priors that a file can start from, by name.
PRIORS: Mapping[str, Callable[[], Prior]] = {"informed": informed_prior, "literature": literature_prior}

# A prior written in full has some 10,000.
_MOST_LETTERS = 1_000_000
_LARGEST = sys.float_info.max  # a whole number may be larger, and has no float


class _Loader(yaml.SafeLoader):
    """Plain values only; no aliases, with which a few lines stand for billions of values."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node that is not an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Take each key once: of two the last would count, and nobody would know."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for at, key in enumerate(keys):
            if key in keys[:at]:
                raise ConfigError(f"line {node.value[at][0].start_mark.line + 1}: {short(key)} is given twice")
        return super().construct_mapping(node, deep)


def save_prior(prior: Prior, path: str | os.PathLike[str]) -> None:
    """Write a prior in full; the file appears whole or not at all.

    Parameters
    ----------
    prior : Prior
        The prior.
    path : path-like
        The YAML file.
    """
    with atomic_file(Path(path)) as stream:
        stream.write(prior_yaml(prior).encode())


def prior_yaml(prior: Prior) -> str:
    """Text of a prior in full; equal priors have equal texts."""
    content = {
        "base": prior.base,
        "mixture": list(prior.mixture),
        "city": {name: _to_entry(d) for name, d in prior.city.items()},
        "service": {kind: {name: _to_entry(d) for name, d in own.items()} for kind, own in prior.service.items()},
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110)


def load_prior(path: str | os.PathLike[str]) -> Prior:
    """Read a prior; what the file does not name is as in the prior that its `base` names, `informed` without one.

    Each parameter is a mapping with its distribution and nominal value, for example
    `isd_km: {log_uniform: [0.35, 1.2], nominal: 0.5}`; the others are `uniform: [low, high]` and
    `log_uniform` (with the optional limits `ceiling` and, for `uniform`, `floor` of the widened range),
    `normal: sd`, and `choice: [values]` with `weights: [probabilities]`.

    Parameters
    ----------
    path : path-like
        The YAML file.

    Raises
    ------
    ConfigError
        If the file is missing or not YAML, or a name or a distribution in it is wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if len(text) > _MOST_LETTERS:
        raise ConfigError(f"{path}: {len(text):,} letters; a prior has no more than {_MOST_LETTERS:,}")
    try:
        content = yaml.load(text, _Loader)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        raise ConfigError(f"{path}: not YAML" + (f", line {place.line + 1}" if place else "")) from None
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError, AttributeError) as error:
        # a date or number that is none
        raise ConfigError(f"{path}: not YAML: {str(error)[:200]}") from None
    try:
        part = _mapping(content, "the file", {"base", "mixture", "city", "service"})
        name = part.get("base", "informed")
        if not isinstance(name, str) or name not in PRIORS:
            raise ConfigError(f"base: must be one of {', '.join(PRIORS)}, not {short(name)}")
        base = PRIORS[name]()
        city = _merge(base.city, part.get("city", {}), "city")
        kinds = _mapping(part.get("service", {}), "service", set(base.service))
        service = {kind: _merge(own, kinds.get(kind, {}), kind) for kind, own in base.service.items()}
        mixture = part.get("mixture", list(base.mixture))
        main, near, wide = _numbers(mixture, "mixture", 3)
        return Prior(city, service, (main, near, wide), base.base)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _merge(base: Mapping[str, Distribution], changes: Any, where: str) -> dict[str, Distribution]:
    changes = _mapping(changes, where, set(base))
    return {name: _from_entry(changes[name], name) if name in changes else d for name, d in base.items()}


def _to_entry(d: Distribution) -> dict[str, Any]:
    match d:
        case Uniform(low=low, high=high):
            entry: dict[str, Any] = {"uniform": [low, high]}
        case LogUniform(low=low, high=high):
            entry = {"log_uniform": [low, high]}
        case Normal(sd=sd):
            entry = {"normal": sd}
        case Choice(values=values, weights=weights):
            entry = {"choice": list(values), "weights": list(weights)}
    entry["nominal"] = d.nominal
    for limit in ("floor", "ceiling"):
        if math.isfinite(getattr(d, limit, math.inf)):
            entry[limit] = getattr(d, limit)
    return entry


def _from_entry(entry: Any, name: str) -> Distribution:
    shapes = {"uniform", "log_uniform", "normal", "choice"}
    entry = _mapping(entry, name, shapes | {"nominal", "weights", "floor", "ceiling"})
    shape = shapes & entry.keys()
    if len(shape) != 1 or "nominal" not in entry:
        raise ConfigError(f"{name}: needs nominal and one of {', '.join(sorted(shapes))}")
    nominal = _numbers([entry["nominal"]], name, 1)[0]
    limits = {limit: _numbers([entry[limit]], name, 1)[0] for limit in ("floor", "ceiling") if limit in entry}
    kind = shape.pop()
    value = entry[kind]
    try:
        if kind == "uniform":
            low, high = _numbers(value, name, 2)
            return Uniform(low, high, nominal, **limits)
        if kind == "log_uniform":
            low, high = _numbers(value, name, 2)
            return LogUniform(low, high, nominal, **limits)
        if kind == "normal":
            return Normal(nominal, _numbers([value], name, 1)[0], **limits)
        values = _numbers(value, name)
        weights = _numbers(entry.get("weights"), f"weights of {name}", len(values))
        return Choice(tuple(values), tuple(weights), nominal, **limits)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    except TypeError:
        raise ConfigError(f"{name}: {kind} has no {', '.join(limits)}") from None


def _mapping(content: Any, where: str, known: set[str]) -> dict[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: must be a mapping of names")
    unknown = [str(name)[:60] for name in content if name not in known]
    if unknown:
        raise ConfigError(f"{where}: unknown {', '.join(unknown[:6])}; known: {', '.join(sorted(known))}")
    return content


def _numbers(values: Any, where: str, count: int | None = None) -> list[float]:
    numbers = isinstance(values, list) and all(
        isinstance(x, (int, float)) and not isinstance(x, bool) and abs(x) <= _LARGEST for x in values
    )
    if not numbers or (count is not None and len(values) != count) or not values:
        raise ConfigError(f"{where}: must be {count or 'one or more'} finite numbers, not {short(values)}")
    return [float(x) for x in values]
