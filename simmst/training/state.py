"""What changes while training, and how it is kept, so that a resumed run equals one that never stopped."""

import math
import os
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from simmst.errors import ConfigError, DataError
from simmst.models.simmstnet import SimMSTNet
from simmst.training.checkpoint import load_checkpoint, save_checkpoint
from simmst.training.config import EpochRecord, TrainerConfig

#: Settings that say where a run computes, and not what: they may differ when it is resumed.
_PLACE = ("device", "compile")
#: What binds a checkpoint to the run directory that it is of; files of before do not say.
_RUN = "run"


@dataclass
class State:
    """Everything that changes, beside the model's and the optimiser's tensors.

    Attributes
    ----------
    memory : Tensor
        Of the rule that weighs the tasks.
    sums : Tensor `[S]`
        Task losses of the epoch so far, times windows; `seen` counts the windows.
    best : dict of str to Tensor
        The model of the best epoch.
    """

    memory: Tensor
    sums: Tensor
    best: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    seen: int = 0
    best_epoch: int = -1
    best_error: float = math.inf
    done: bool = False
    stopped_early: bool = False
    history: list[EpochRecord] = field(default_factory=list)


_NUMBERS = ("epoch", "step", "seen", "best_epoch", "best_error", "done", "stopped_early")
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_NUMBERS, (int,)), "best_error": (int, float), "done": (bool,), "stopped_early": (bool,),
}  # fmt: skip


def fingerprint(
    config: TrainerConfig,
    model: nn.Module,
    windows: tuple[int, int],
    weights: NDArray[np.float32] | None,
    run: str = "",
) -> dict[str, Any]:
    """Return what must agree for a resumed run to be the same run; `windows` counts both parts, `run` names it."""
    shapes = [tuple(p.shape) for p in model.parameters()]
    # settings that no shape shows, where the network keeps them
    network = [part.config for part in model.modules() if isinstance(part, SimMSTNet)]
    sizes = repr((shapes, network)).replace("lookback=", "history=")  # as files of 0.1.0 have it
    settings = {key: value for key, value in asdict(config).items() if key not in _PLACE}
    # What a run of 0.1.0 does not know: it is refused here, and not as damaged where its tensors have other names.
    scale = {"scale of the loss": model.loss_scale} if hasattr(model, "loss_scale") else {}
    return (
        settings
        | scale
        | ({_RUN: run} if run else {})
        | {
            "windows": windows[0],
            "validation windows": windows[1],
            "sample_weights": None if weights is None else zlib.crc32(weights.tobytes()),
            "parameters": zlib.crc32(sizes.encode()),
        }
    )


def save_state(
    path: str | os.PathLike[str],
    state: State,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    run: dict[str, Any],
) -> None:
    """Write all that `load_state` needs; `run` is the fingerprint."""
    tensors = {"memory": state.memory, "sums": state.sums}
    tensors |= {f"model.{key}": value for key, value in model.state_dict().items()}
    tensors |= {f"best.{key}": value for key, value in state.best.items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in moments.items()}
    note = {key: getattr(state, key) for key in _NUMBERS}
    note["history"] = [asdict(record) for record in state.history]
    save_checkpoint(path, tensors, {"training": note, "run": run})


def load_state(
    path: str | os.PathLike[str], model: nn.Module, optimizer: torch.optim.Optimizer, run: dict[str, Any]
) -> State:
    """Read a checkpoint of the same run into model and optimiser, and return the state.

    Raises
    ------
    ConfigError
        If it is of another run.
    DataError
        If it is damaged.
    """
    tensors, note = load_checkpoint(path)
    theirs = note.get("run")
    theirs = theirs if isinstance(theirs, dict) else {}
    known = {key: mine for key, mine in run.items() if key in theirs or key != _RUN}
    changed = [f"{key} {theirs.get(key)!r} -> {mine!r}" for key, mine in known.items() if theirs.get(key) != mine]
    if changed:
        raise ConfigError(f"checkpoint {path} is of another run ({'; '.join(changed)}): resume with its settings")
    try:
        return _rebuilt(tensors, note["training"], model, optimizer)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:500]
        raise DataError(f"checkpoint {path} is damaged ({reason}); delete it to train again") from error


def _rebuilt(
    tensors: dict[str, Tensor], note: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> State:
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for key, value in tensors.items():
        kind, _, name = key.partition(".")
        if name:
            groups[kind][name] = value
    if groups["best"]:  # none before the first epoch's end; loaded once, so that damage is found now
        model.load_state_dict(groups["best"])
    model.load_state_dict(groups["model"])
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in groups["optimizer"].items():
        number, name = key.split(".")
        moments.setdefault(int(number), {})[name] = value
    _check_moments(moments, list(model.parameters()))
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    state = State(tensors["memory"], tensors["sums"], groups["best"])
    for key in _NUMBERS:
        value = note[key]
        if type(value) not in _KINDS[key] or value < -1:
            raise ValueError(f"{key} is {value!r}")
        setattr(state, key, value)
    state.history = [EpochRecord(**record) for record in note["history"]]
    return state


def _check_moments(moments: dict[int, dict[str, Tensor]], parameters: list[nn.Parameter]) -> None:
    """Refuse what the optimiser would only stumble over at its next step."""
    names = {frozenset(own) for own in moments.values()}
    if len(names) > 1:
        raise ValueError("some of the optimiser's tensors are missing")
    for number, own in moments.items():
        for name, value in own.items():
            if not 0 <= number < len(parameters) or (value.ndim and value.shape != parameters[number].shape):
                raise ValueError(f"optimizer.{number}.{name} fits no parameter")
