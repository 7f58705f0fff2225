"""Draws that are frozen for a block."""

import pytest
import torch

from simmst.nn.draws import frozen_draws

CPU = torch.device("cpu")


def draw(*key: int) -> torch.Tensor:
    with frozen_draws(CPU, *key):
        return torch.rand(5)


def test_the_same_key_gives_the_same_draws_and_another_key_others() -> None:
    assert torch.equal(draw(3, 1), draw(3, 1))
    assert not torch.equal(draw(3, 1), draw(3, 2))
    assert not torch.equal(draw(3, 1), draw(1, 3))


def test_the_generator_is_put_back_even_after_an_error() -> None:
    before = torch.random.get_rng_state()
    draw(0)
    with pytest.raises(ZeroDivisionError), frozen_draws(CPU, 0):
        raise ZeroDivisionError
    assert torch.equal(torch.random.get_rng_state(), before)
