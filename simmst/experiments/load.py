"""Any saved forecaster from its folder, whoever wrote it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from simmst.errors import DataError
from simmst.experiments.network import Network
from simmst.experiments.sim_mst import SimMSTNet
from simmst.forecasting.closed_form import Naive, Ridge
from simmst.forecasting.folder import NOTE, read_note
from simmst.forecasting.forecaster import Forecaster
from simmst.forecasting.pretrained import Pretrained


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
    if not (path / NOTE).is_file():
        return SimMSTNet.load(path)
    kinds: dict[str, type[Naive | Ridge | Network | Pretrained]] = {
        "naive": Naive, "ridge": Ridge, "network": Network, "pretrained": Pretrained,
    }  # fmt: skip
    kind = read_note(path)["kind"]
    if kind not in kinds:
        raise DataError(f"{path / NOTE}: kind {kind!r} is unknown; known: {', '.join(kinds)}")
    return kinds[kind].load(path)
