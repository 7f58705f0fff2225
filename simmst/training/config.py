"""How to train, and what training reports."""

from dataclasses import dataclass

from simmst.errors import ConfigError
from simmst.training.losses import WEIGHTINGS, ErrorName


@dataclass(frozen=True, slots=True)
class TrainerConfig:
    """How to train.

    Parameters
    ----------
    epochs, batch_size : int
        The batch is that of all processes together.
    epoch_samples : int or None
        Windows drawn for one epoch, without repetition; None passes over all of them.
    learning_rate, weight_decay : float
        Of AdamW; the rate falls to 0 along half a cosine over all epochs.
    clip : float
        Largest gradient norm.
    patience : int
        Epochs without a better validation error after which training stops.
    error : {"mae", "mse", "huber"}
        The loss, in scaled units.
    weighting : {"dynamic", "equal", "dwa", "uncertainty"}
        Rule that balances the tasks.
    seed : int
        Fixes data order, dropout and ProbSparse draws.
    device : {"auto", "cpu", "cuda", "mps"}
        "auto" takes a GPU where torch sees one; "cuda:1" names a card.
    mixed_precision : bool
        bfloat16 autocast in the forward pass; the weights stay in float32.
    compile : bool
        Call the network through torch.compile (needs a C++ compiler on a CPU; the first step takes a minute).
    """

    epochs: int = 20
    batch_size: int = 64
    epoch_samples: int | None = None
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    clip: float = 1.0
    patience: int = 5
    error: ErrorName = "mae"
    weighting: str = "dynamic"
    seed: int = 0
    device: str = "cpu"
    mixed_precision: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.epoch_samples is not None and self.epoch_samples < 1:
            raise ConfigError(f"epoch_samples must be at least 1 or None, got {self.epoch_samples}")
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        if not self.weight_decay >= 0:
            raise ConfigError(f"weight_decay must be at least 0, got {self.weight_decay}")
        if self.weighting not in WEIGHTINGS:
            raise ConfigError(f"weighting must be one of {', '.join(WEIGHTINGS)}, got {self.weighting!r}")


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch.

    Attributes
    ----------
    epoch : int
        Its number, from 0.
    train, validation : list of float
        Training loss and validation error by task.
    weights : list of float
        Weights of the tasks at its end.
    error : float
        Mean of `validation`: what early stopping watches.
    """

    epoch: int
    train: list[float]
    validation: list[float]
    weights: list[float]
    error: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands.

    Attributes
    ----------
    epoch, epochs : int
        Number of the epoch, from 0, and how many there are at most.
    step, steps : int
        Steps done in the epoch, and how many it has.
    record : EpochRecord or None
        Given at the end of an epoch only.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    record: EpochRecord | None = None


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What training gave; the model itself holds the weights of the best epoch."""

    history: tuple[EpochRecord, ...]
    best_epoch: int
    best_error: float
    stopped_early: bool
