"""Any saved forecaster from its folder, whoever wrote it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from simmst.errors import DataError
from simmst.experiments.network import Network
from simmst.experiments.short_run import SELECTED
from simmst.experiments.sim_mst import SimMSTNet
from simmst.forecasting.adapted import Adapted
from simmst.forecasting.closed_form import Naive, Ridge
from simmst.forecasting.folder import NOTE, read_note
from simmst.forecasting.forecaster import Forecaster
from simmst.forecasting.generations import served
from simmst.forecasting.pretrained import Pretrained
from simmst.forecasting.selected import Selected
from simmst.forecasting.simple import Autoregression, Blend, LastWeek, Profile, Row, Yesterday


def load(folder: str | PathLike[str]) -> Forecaster:
    """Read a forecaster that `Forecaster.save` or `simmst run` wrote.

    Parameters
    ----------
    folder : path-like
        Its folder: of a saved forecaster, or a run directory (or the checkpoint in it).

    Raises
    ------
    SimmstError
        If it holds none, an unfinished run, or damaged files.
    """
    path = Path(folder)
    now = served(path) if path.is_dir() else path  # after updates
    if (now / SELECTED / NOTE).is_file():  # a run on a file that was too short to train on
        path = now / SELECTED
    if not (path / NOTE).is_file():
        return SimMSTNet.load(path)
    kinds: dict[str, type[Naive | Ridge | Network | Pretrained | Row]] = {
        "naive": Naive, "ridge": Ridge, "network": Network, "pretrained": Pretrained, "adapted": Adapted,
        **{row.name: row for row in (Autoregression, Blend, LastWeek, Profile, Yesterday)},
    }  # fmt: skip
    kind = read_note(path)["kind"]
    if kind == Selected.name:
        return Selected.load(path, load)
    if kind not in kinds:
        raise DataError(f"{path / NOTE}: kind {kind!r} is unknown; known: {', '.join([*kinds, Selected.name])}")
    return kinds[kind].load(path)
