"""How errors are counted: by service and lead, over what was recorded."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from simmst.errors import SimmstError

Values = npt.NDArray[np.floating]
_SCORES = ("mae", "rmse", "wape")


def scores(
    forecast: Values,
    actual: Values,
    services: Sequence[str],
    kept: npt.NDArray[np.bool_] | None = None,
) -> Mapping[str, Any]:
    """Count errors per service, over all leads and per lead.

    MAE = mean |e|, RMSE = sqrt(mean e^2), both in the units of the data; WAPE = sum |e| / sum |y|, in 0..,
    None where the truth sums to 0. Means run over origins, nodes and (for the overall figure) leads. A lead
    without a recorded truth has no figures.

    Parameters
    ----------
    forecast, actual : array [O, H, N, S]
        In raw units.
    services : sequence of str
        Names along the last axis.
    kept : bool array [O, H, S] or [O, H, N, S], optional
        From `counted`: what is not kept is not counted. At least one step of every service must be.

    Returns
    -------
    mapping
        ``{"tasks": {service: figures}, "mean": {"mae", "rmse", "wape"}}``, where figures are
        ``{"mae", "rmse", "wape", "by_lead": {"mae": [H], "rmse": [H], "wape": [H]}}`` and the mean is the
        plain mean over services.

    Raises
    ------
    SimmstError
        If the shapes differ, or a forecast is not finite.
    """
    return by_service(forecast, actual, services, kept, _SCORES, lambda error, true, s: basic_figures(error, true))


def by_service(
    forecast: Values,
    actual: Values,
    services: Sequence[str],
    kept: npt.NDArray[np.bool_] | None,
    names: Sequence[str],
    figures: Callable[[Values, Values, int], Mapping[str, float | None]],
) -> dict[str, Any]:
    """Count any figures per service, over all leads and per lead, and their means over services.

    Parameters
    ----------
    forecast, actual : float array `[O, H, N, S]`
        As in `scores`.
    services : sequence of str
        As in `scores`.
    kept : bool array `[O, H, S]`, `[O, H, N, S]` or None
        As in `scores`.
    names : sequence of str
        Of the figures.
    figures : callable
        ``figures(error, true, s)`` of service number `s`, from what is kept: float64 arrays [..., N], NaN where a
        node's own step is not. It is not called, and all figures are None, where nothing is.

    Returns
    -------
    dict
        As `scores`; a mean is None where that figure of a service is.

    Raises
    ------
    SimmstError
        If the shapes differ, or a forecast is not finite.
    """
    if forecast.shape != actual.shape or forecast.ndim != 4 or forecast.shape[3] != len(services):
        raise SimmstError(
            f"forecast: needs the shape [O, H, N, S] of the truth {actual.shape}, {len(services)} services, "
            f"got {forecast.shape}"
        )
    if not np.isfinite(forecast).all():
        raise SimmstError(f"forecast: {np.count_nonzero(~np.isfinite(forecast))} values are not finite")

    def found(s: int, leads: slice | int) -> Mapping[str, float | None]:
        true = actual[:, leads, :, s].astype(np.float64)
        error = forecast[:, leads, :, s] - true
        if kept is not None and kept.ndim == 3:
            error, true = error[kept[:, leads, s]], true[kept[:, leads, s]]
        elif kept is not None:
            own = kept[:, leads, :, s]
            if not own.any():
                return dict.fromkeys(names)
            error, true = np.where(own, error, np.nan), np.where(own, true, np.nan)
        return figures(error, true, s) if error.size else dict.fromkeys(names)

    tasks: dict[str, Any] = {}
    for s, service in enumerate(services):
        at_lead = [found(s, lead) for lead in range(forecast.shape[1])]
        by_lead = {name: [one[name] for one in at_lead] for name in names}
        tasks[service] = {**found(s, slice(None)), "by_lead": by_lead}
    return {"tasks": tasks, "mean": {name: _mean([task[name] for task in tasks.values()]) for name in names}}


def basic_figures(error: Values, true: Values) -> dict[str, float | None]:
    """MAE, RMSE and WAPE, see `scores`; what is NaN is not counted."""
    known = ~np.isnan(true)
    if not known.all():
        error, true = error[known], true[known]
    total = float(np.abs(true).sum())
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "wape": float(np.abs(error).sum()) / total if total > 0 else None,
    }


def _mean(figures: list[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if len(known) == len(figures) else None


def table_horizons(horizon: int) -> tuple[int, ...]:
    """Horizons that get a table: 1, 6 and 24 steps as far as the network reaches, and its own."""
    return (*(h for h in (1, 6, 24) if h < horizon), horizon)


def truth(values: Values, origins: npt.NDArray[np.integer], horizon: int) -> Values:
    """What was to be forecast: [O, H, N, S] from values [T, N, S]."""
    actual: Values = values[origins[:, None] + np.arange(horizon)]
    return actual


def counted(
    filled: npt.NDArray[np.bool_], origins: npt.NDArray[np.integer], horizon: int
) -> npt.NDArray[np.bool_] | None:
    """Which forecasts have a recorded truth: bool [O, H, (N,) S] from filled steps [T, (N,) S]; None for all."""
    if not filled.any():
        return None
    recorded: npt.NDArray[np.bool_] = ~filled[origins[:, None] + np.arange(horizon)]
    return recorded
