"""Training curves in TensorBoard, for those who have it installed."""

import os
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from simmst.errors import ConfigError
from simmst.training.config import Progress


class TensorBoardLog:
    """A callback of `Trainer.fit` that writes, for each epoch and task, errors and loss weights.

    Parameters
    ----------
    folder : path-like
        Folder of event files, for ``tensorboard --logdir``.
    tasks : sequence of str
        Names of the tasks, in order.

    Raises
    ------
    ConfigError
        If the package `tensorboard` is not installed.

    Examples
    --------
    ::

        with TensorBoardLog("runs/curves", ("call", "sms")) as log:
            trainer.fit(model, train, validation, callback=log)
    """

    def __init__(self, folder: str | os.PathLike[str], tasks: Sequence[str]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "TensorBoardLog: the package tensorboard is not installed; run `pip install tensorboard`"
            ) from error
        self._tasks = tuple(tasks)
        self._writer = SummaryWriter(str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def __call__(self, progress: Progress) -> None:
        """Write the record of an epoch."""
        record = progress.record
        if record is None:
            return
        groups = {"training": record.train, "validation": record.validation, "loss weight": record.weights}
        for group, values in groups.items():
            for task, value in zip(self._tasks, values, strict=True):
                self._writer.add_scalar(f"{group}/{task}", value, record.epoch + 1)
        self._writer.add_scalar("validation/mean", record.error, record.epoch + 1)
        self._writer.flush()
