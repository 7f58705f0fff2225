"""Sim-MSTNet: multi-task cellular traffic forecasting, trained on re-weighted simulated data."""

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simmst.errors import ConfigError, DataError, SimmstError
    from simmst.evaluation.backtest import Backtest, backtest
    from simmst.experiments.load import load
    from simmst.experiments.network import Network
    from simmst.experiments.sim_mst import SimMSTNet
    from simmst.forecasting.adapted import Adapted
    from simmst.forecasting.closed_form import Naive, Ridge
    from simmst.forecasting.forecast import Forecast
    from simmst.forecasting.forecaster import Forecaster
    from simmst.forecasting.pretrained import pretrained
    from simmst.forecasting.selected import Selected
    from simmst.forecasting.simple import Autoregression, Blend, Profile
    from simmst.reports.backtest import write_backtest
    from simmst.traffic.dataset import TrafficData
    from simmst.traffic.gap import Gap
    from simmst.traffic.pm.read import read_pm
    from simmst.traffic.table.read import read_table

__version__ = _version("cutplane")  # one distribution holds both packages

# What users import, and the module that it is in; read when it is first asked for, as torch takes a second.
_HOMES = {
    "ConfigError": "errors", "DataError": "errors", "SimmstError": "errors",
    "TrafficData": "traffic.dataset", "Gap": "traffic.gap", "read_table": "traffic.table.read",
    "read_pm": "traffic.pm.read",
    "Forecast": "forecasting.forecast", "Forecaster": "forecasting.forecaster",
    "Naive": "forecasting.closed_form", "Ridge": "forecasting.closed_form",
    "Adapted": "forecasting.adapted", "pretrained": "forecasting.pretrained", "Selected": "forecasting.selected",
    "Autoregression": "forecasting.simple", "Blend": "forecasting.simple", "Profile": "forecasting.simple",
    "Network": "experiments.network", "SimMSTNet": "experiments.sim_mst", "load": "experiments.load",
    "Backtest": "evaluation.backtest", "backtest": "evaluation.backtest", "write_backtest": "reports.backtest",
}  # fmt: skip
__all__ = [
    "Adapted",
    "Autoregression",
    "Backtest",
    "Blend",
    "ConfigError",
    "DataError",
    "Forecast",
    "Forecaster",
    "Gap",
    "Naive",
    "Network",
    "Profile",
    "Ridge",
    "Selected",
    "SimMSTNet",
    "SimmstError",
    "TrafficData",
    "backtest",
    "load",
    "pretrained",
    "read_pm",
    "read_table",
    "write_backtest",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'simmst' has no attribute {name!r}")
    found = getattr(import_module(f"simmst.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted([*globals(), *__all__])
