"""What is shown and written while training goes on."""

import io
import sys
import types

import pytest
from rich.console import Console

from simmst.errors import ConfigError
from simmst.training.config import EpochRecord, Progress
from simmst.training.progress import ProgressBar
from simmst.training.tensorboard import TensorBoardLog

RECORD = EpochRecord(epoch=1, train=[0.5, 0.4], validation=[0.3, 0.2], weights=[0.6, 0.4], error=0.25)
STEP, END = Progress(1, 3, 2, 10), Progress(1, 3, 10, 10, RECORD)


def shown(terminal: bool) -> str:
    out = io.StringIO()
    with ProgressBar(Console(file=out, force_terminal=terminal, width=100)) as bar:
        bar(STEP)
        bar(END)
    return out.getvalue()


def test_a_terminal_shows_a_bar_over_all_steps() -> None:
    assert "epoch 2" in shown(terminal=True)
    assert "20/30" in shown(terminal=True)
    assert "validation error 0.25" in shown(terminal=True)


def test_elsewhere_each_epoch_is_one_line() -> None:
    assert shown(terminal=False) == "epoch 2 of 3: validation error 0.25\n"


def test_tensorboard_gets_errors_and_weights_by_task(monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[tuple[str, int], float] = {}

    class Writer:
        def __init__(self, folder: str) -> None:
            written["folder", 0] = folder

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written[name, step] = value

        def flush(self) -> None: ...

        def close(self) -> None:
            written["closed", 0] = 1.0

    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    with TensorBoardLog("curves", ("call", "sms")) as log:
        log(STEP)
        log(END)
    assert written == {
        ("folder", 0): "curves",
        ("training/call", 2): 0.5,
        ("training/sms", 2): 0.4,
        ("validation/call", 2): 0.3,
        ("validation/sms", 2): 0.2,
        ("loss weight/call", 2): 0.6,
        ("loss weight/sms", 2): 0.4,
        ("validation/mean", 2): 0.25,
        ("closed", 0): 1.0,
    }


def test_without_tensorboard_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"tensorboard is not installed; run `pip install tensorboard`"):
        TensorBoardLog("curves", ("call",))
