"""The configuration of a run: frozen, checked, unknown keys are errors; written beside the results."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simmst.errors import ConfigError, short

#: Raised with every change after which an older program could not read the file, or would read it wrongly.
FORMAT = 4
# Format 3 says no model, which is what the length of the file decides.
_OLDEST = 3
#: What a reader must know before the figures of the preset "smoke".
SMOKE = "Preset “smoke”: a check that the program works, with far too little training to forecast well."
Count = Field(ge=1)
#: Hours of history that a network of the main job can see.
LONGEST_LOOKBACK = 168


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SimulateConfig(_Frozen):
    """Simulated training worlds.

    Attributes
    ----------
    worlds : int
        Number of cities drawn from the prior.
    origin_hours : int
        Hours of each at which a window's horizon may begin; a world is longer by lookback and horizon.
    windows_per_world : int
        Training windows cut from each.
    """

    worlds: int = Count
    origin_hours: int = Count
    windows_per_world: int = Count


class ReweightConfig(_Frozen):
    """How the weights of the simulated windows are learned (`cutplane.BilevelSolver` says what each means).

    Attributes
    ----------
    real_windows : int
        Windows of the training days in the upper level.
    share : float
        Mean weight, kept exactly.
    iterations : int
        Linear masters solved.
    """

    real_windows: int = Count
    share: float = Field(gt=0, le=1)
    iterations: int = Count


class TrainConfig(_Frozen):
    """One call of the trainer (`simmst.training.config.TrainerConfig` says what each means).

    Attributes
    ----------
    epochs, epoch_samples, batch_size, patience : int
        The last in epochs without a better error on the validation days.
    learning_rate : float
    """

    epochs: int = Count
    epoch_samples: int = Count
    batch_size: int = Count
    learning_rate: float = Field(gt=0)
    patience: int = Count


class TargetConfig(_Frozen):
    """The synthetic target city of a run without a data file.

    Attributes
    ----------
    days, nodes : int
        Days of traffic, and squares of the city.
    services : tuple of str
    """

    days: int = Count
    nodes: int = Count
    services: tuple[str, ...] = Field(min_length=1, strict=False)


class RunConfig(_Frozen):
    """All that decides a run's result, but for the data file's content, which `data_sha256` pins.

    Attributes
    ----------
    format : int
        Version of this layout.
    preset : str
        The preset that the other values started from.
    data : str or None
        Path of the traffic file; None for the synthetic target.
    services : tuple of str or None
        Tasks, in order; None for all of the file.
    seed : int
    model : str or None
        "simmstnet": train it; "pretrained": the pretrained network, as it is and adapted, beside simple rows;
        None: the first where the file has the days to train on, else the second.
    horizon, lookback : int
        Forecast steps H and history steps L, in hours. Attention sees the last 48 of them at most.
    validation_windows : int
        Windows of the validation days, drawn once, that the epoch is chosen by.
    """

    format: int = FORMAT
    preset: Literal["smoke", "laptop"]
    data: str | None = None
    data_sha256: str | None = None
    services: tuple[str, ...] | None = Field(default=None, min_length=1, strict=False)
    seed: int = Field(default=0, ge=0)
    model: Literal["simmstnet", "pretrained"] | None = None
    horizon: int = Field(default=24, ge=1, le=168)
    lookback: int = Field(default=168, ge=1, le=LONGEST_LOOKBACK)
    target: TargetConfig
    simulate: SimulateConfig
    reweight: ReweightConfig
    train: TrainConfig
    finetune: TrainConfig
    validation_windows: int = Count

    @property
    def world_hours(self) -> int:
        """Length of a simulated world."""
        return self.lookback + self.simulate.origin_hours + self.horizon - 1

    @classmethod
    def of_preset(cls, preset: str, **changes: Any) -> Self:
        """Values of a preset, some of them changed.

        Raises
        ------
        ConfigError
            If the preset is unknown or a value is impossible.
        """
        if preset not in PRESETS:
            raise ConfigError(f"preset {preset}: unknown; known: {', '.join(PRESETS)}")
        return cls._checked({"preset": preset, **PRESETS[preset], **changes}, "")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a run wrote.

        Raises
        ------
        ConfigError
            If the file is damaged, has unknown keys, or comes from a newer version.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: cannot be read as JSON ({error})") from None
        version = content.get("format") if isinstance(content, dict) else None
        if not isinstance(version, int):
            raise ConfigError(f"{path}: is no configuration of a run (the key 'format' is missing)")
        if version > FORMAT:
            raise ConfigError(
                f"{path}: written by a newer version (format {short(version)}, this program knows {FORMAT}); "
                "update it"
            )
        if version < _OLDEST:
            raise ConfigError(
                f"{path}: written by an older program (format {short(version)}, this one knows {_OLDEST} and "
                f"{FORMAT}), whose network was another: it cannot go on here; begin a new run"
            )
        config = cls._checked(content, f"{path}: ")
        if config.data is not None and not (Path(config.data).is_absolute() and config.data_sha256):
            raise ConfigError(f"{path}: data: must be an absolute path, with data_sha256 beside it")
        return config

    @classmethod
    def _checked(cls, content: Mapping[str, Any], where: str) -> Self:
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
            raise ConfigError(f"{where}{_plainly(name, first)}{more}") from None


def _plainly(name: str, error: Mapping[str, Any]) -> str:
    """One of pydantic's errors in the words of a user."""
    bounds = {
        "greater_than_equal": "at least {ge}",
        "greater_than": "above {gt}",
        "less_than_equal": "at most {le}",
        "less_than": "below {lt}",
    }
    if error["type"] in bounds:
        return f"{name} {short(error['input'])}: must be {bounds[error['type']].format(**error['ctx'])}"
    return f"{name}: {error['msg']}, got {short(error['input'])}"


PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Seconds: that everything works. Nothing is learnt.
    "smoke": {
        "lookback": 24,
        "horizon": 6,
        "target": {"days": 14, "nodes": 4, "services": ["call", "internet"]},
        "simulate": {"worlds": 4, "origin_hours": 48, "windows_per_world": 16},
        "reweight": {"real_windows": 64, "share": 0.3, "iterations": 12},
        "train": {
            "epochs": 2, "epoch_samples": 48, "batch_size": 16, "learning_rate": 4e-3, "patience": 2,
        },
        "finetune": {
            "epochs": 2, "epoch_samples": 48, "batch_size": 16, "learning_rate": 2e-3, "patience": 2,
        },
        "validation_windows": 24,
    },
    # Minutes on two cores.
    "laptop": {
        "target": {"days": 22, "nodes": 36, "services": ["call", "sms", "internet"]},
        "simulate": {"worlds": 200, "origin_hours": 264, "windows_per_world": 100},
        "reweight": {"real_windows": 2000, "share": 0.3, "iterations": 30},
        "train": {
            "epochs": 6, "epoch_samples": 3000, "batch_size": 32, "learning_rate": 4e-3, "patience": 6,
        },
        "finetune": {
            "epochs": 10, "epoch_samples": 4000, "batch_size": 32, "learning_rate": 4e-3, "patience": 3,
        },
        "validation_windows": 1500,
    },
}  # fmt: skip
