"""A stage of training must earn its place."""

import pytest
import torch
from torch import nn

from simmst.errors import SimmstError
from simmst.training.stages import BestStage


def model_of(value: float) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def test_a_worse_stage_is_undone_and_a_better_one_kept() -> None:
    best, model = BestStage(), model_of(1.0)
    kept = []
    for stage, value, error in (("a", 1.0, 0.5), ("b", 2.0, 0.6), ("c", 3.0, 0.4), ("d", 4.0, 0.4)):
        nn.init.constant_(model.weight, value)
        best.keep(stage, model, error)
        kept.append((best.stage, model.weight.item()))
    assert kept == [("a", 1.0), ("a", 1.0), ("c", 3.0), ("c", 3.0)]
    assert best.errors == {"a": 0.5, "b": 0.6, "c": 0.4, "d": 0.4}


def test_what_is_kept_does_not_change_with_the_network() -> None:
    best, model = BestStage(), model_of(1.0)
    best.keep("a", model, 0.5)
    with torch.no_grad():
        model.weight.add_(1.0)
    best.keep("b", model, float("nan"))
    assert (best.stage, model.weight.item()) == ("a", 1.0)


def test_a_first_error_that_is_no_number_is_refused() -> None:
    with pytest.raises(SimmstError, match="no network to keep"):
        BestStage().keep("a", model_of(1.0), float("nan"))
