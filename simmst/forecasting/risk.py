"""Probabilities that traffic is above a threshold, from quantiles, and nodes by risk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import norm

from simmst.errors import ConfigError, DataError
from simmst.io.spreadsheet import unguarded
from simmst.pretraining.reading import LEVELS, MEDIAN
from simmst.traffic.anomalies import few
from simmst.traffic.dataset import TrafficData

Array = npt.NDArray[np.float64]
Threshold = float | Mapping[str, float] | npt.NDArray[np.floating]
#: No probability is below this, or above one minus this.
LEAST = 0.001
_COLUMNS = ("node", "service", "value")


def exceedance(quantiles: npt.NDArray[np.floating], threshold: npt.NDArray[np.floating]) -> Array:
    """Probability `[..., N, S]` of more than a threshold.

    Between two quantiles the normal deviate is linear in traffic; beyond the outermost it goes on as that of a
    normal variable whose distance from the median it is. So it is the inverse of `calibration.quantile_at`.

    Parameters
    ----------
    quantiles : float array `[..., N, S, Q]`
        Ascending, at `LEVELS`.
    threshold : float array `[N, S]`
        NaN where there is none.
    """
    deviates = norm.ppf(LEVELS)
    found = np.asarray(quantiles, dtype=np.float64)
    at = np.broadcast_to(np.asarray(threshold, dtype=np.float64), found.shape[:-1])
    below = (found <= at[..., None]).sum(axis=-1)  # of equal ends the last: traffic at a threshold is not above it
    right = np.clip(below, 1, len(LEVELS) - 1)
    left, right = right - 1, right
    left = np.where(below == len(LEVELS), MEDIAN, left)
    right = np.where(below == 0, MEDIAN, right)
    low, high = (np.take_along_axis(found, one[..., None], -1)[..., 0] for one in (left, right))
    width = high - low
    share = np.divide(at - low, width, out=np.where(at < low, -np.inf, np.inf), where=width > 0)
    deviate = deviates[left] + share * (deviates[right] - deviates[left])
    probability = np.clip(norm.sf(deviate), LEAST, 1 - LEAST)
    return np.where(np.isnan(at), np.nan, probability)


def thresholds(given: Threshold, data: TrafficData) -> Array:
    """Bring thresholds into the shape `[N, S]` of a data set's nodes and services, NaN where there is none.

    Raises
    ------
    ConfigError
        If one is negative or no number, a service is not there, or the shape is another.
    """
    shape = len(data.node_ids), len(data.services)
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in data.services]
        if unknown or not given:
            raise ConfigError(f"threshold: must name services ({few(data.services)}), got {few(unknown)}")
        row = [float(given.get(name, np.nan)) for name in data.services]
        if not all(np.isfinite(float(one)) for one in given.values()):
            raise ConfigError(f"threshold {dict(given)}: must be numbers")
        out = np.broadcast_to(np.array(row), shape).copy()
    else:
        out = np.asarray(given, dtype=np.float64)
        if out.shape not in ((), shape):
            raise ConfigError(f"threshold: must be a number, one a service, or of shape {shape}, got {out.shape}")
        out = np.broadcast_to(out, shape).copy()
    if np.isnan(out).all() or np.isinf(out).any() or (out < 0).any():
        raise ConfigError("threshold: must be 0 or more, and a number")
    return out


def read_thresholds(path: Path, data: TrafficData) -> Array:
    """Read thresholds `[N, S]` of each node from a CSV with the columns node, service and value.

    Services that the file does not name have none (NaN); of a service that it names it must name every node.

    Raises
    ------
    DataError
        If a column, a node or a value is missing, or one is given twice.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"threshold {path}: cannot be read ({' '.join(str(error).split())[:200]})") from None
    if missing := [name for name in _COLUMNS if name not in table.columns]:
        raise DataError(f"threshold {path}: lacks the columns {', '.join(missing)}; it has {few(table.columns)}")
    table = table.select(unguarded(pl.col("node")), unguarded(pl.col("service")), pl.col("value"))
    out = np.full((len(data.node_ids), len(data.services)), np.nan)
    nodes = {name: i for i, name in enumerate(data.node_ids)}
    services = {name: i for i, name in enumerate(data.services)}
    for line, (node, service, value) in enumerate(table.iter_rows(), start=2):
        place = nodes.get(node), services.get(service)
        if place[1] is None:
            raise DataError(f"threshold {path}, line {line}: {service!r} is no service ({few(data.services)})")
        if place[0] is None:
            continue  # a list of all cells of a network may have more than the file of traffic
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = np.nan
        if not np.isfinite(number) or number < 0:
            raise DataError(f"threshold {path}, line {line}: {value!r} must be 0 or more, and a number")
        if not np.isnan(out[place]):
            raise DataError(f"threshold {path}, line {line}: {node}/{service} is given twice")
        out[place] = number
    named = ~np.isnan(out).all(axis=0)
    if not named.any():
        raise DataError(f"threshold {path}: names no node of the traffic ({few(data.node_ids)})")
    lacking = np.argwhere(np.isnan(out) & named)
    if len(lacking):
        names = [f"{data.node_ids[n]}/{data.services[s]}" for n, s in lacking]
        raise DataError(f"threshold {path}: lacks {few(names)}")
    return out


def read_given(given: list[str], data: TrafficData) -> Array:
    """Read what `--threshold` was given: SERVICE=VALUE, several times, or one file.

    Raises
    ------
    SimmstError
        If it is neither.
    """
    if len(given) == 1 and (given[0].lower().endswith(".csv") or "=" not in given[0]):
        return read_thresholds(Path(given[0]), data)
    named: dict[str, float] = {}
    for one in given:
        service, mark, value = one.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = np.nan
        if not mark or not np.isfinite(number):
            raise ConfigError(f"--threshold {one}: must be SERVICE=VALUE, or a CSV of node, service, value alone")
        if service in named:
            raise ConfigError(f"--threshold {one}: {service} is given twice")
        named[service] = number
    return thresholds(named, data)


def risk_list(
    data: TrafficData,
    times: npt.NDArray[np.datetime64],
    ends: tuple[Array, Array],
    limits: Array,
    probability: Array,
) -> pl.DataFrame:
    """Nodes and services by risk; the columns are those of `Forecast.risk`.

    Parameters
    ----------
    data : TrafficData
        The history.
    times : datetime64 array `[H]`
    ends : pair of float array `[H, N, S]`
        Forecast and upper end.
    limits : float array `[N, S]`
    probability : float array `[H, N, S]`
    """
    n, s = np.nonzero(~np.isnan(limits))
    each = probability[:, n, s]
    hour = each.argmax(axis=0)
    highest = np.nanmax(np.where(data.known, data.values, np.nan), axis=0, initial=0.0)[n, s]
    return pl.DataFrame(
        {
            "node": [data.node_ids[i] for i in n],
            "service": [data.services[i] for i in s],
            "threshold": limits[n, s],
            "time": times[hour].astype("datetime64[us]"),
            "probability": each.max(axis=0),
            "expected_hours": each.sum(axis=0),
            "any_hour_at_most": np.minimum(each.sum(axis=0), 1 - LEAST).clip(min=each.max(axis=0)),
            "forecast": ends[0][hour, n, s],
            "upper": ends[1][hour, n, s],
            "highest_seen": highest,
        }
    ).sort("probability", "expected_hours", "node", descending=[True, True, False])
