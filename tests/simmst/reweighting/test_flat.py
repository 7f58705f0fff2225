"""A model's parameters as one vector."""

import pytest
import torch

from simmst.errors import ConfigError
from simmst.reweighting.flat import FlatModel, flatten, load_flat


def model() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))


def test_a_vector_loaded_into_a_model_comes_out_again() -> None:
    net, vector = model(), torch.arange(26.0)
    load_flat(net, vector)
    assert torch.equal(flatten(net), vector)


def test_a_call_at_a_vector_equals_the_model_that_holds_it() -> None:
    net, other, x = model(), model(), torch.ones(5, 3)
    assert torch.equal(FlatModel(net).at(flatten(other))(x), other(x))


def test_models_without_one_kind_of_trainable_parameters_are_refused() -> None:
    frozen, mixed = model().requires_grad_(False), model()
    mixed[0].double()
    for net, message in ((frozen, "no parameter"), (mixed, "differ in dtype")):
        with pytest.raises(ConfigError, match=message):
            flatten(net)
