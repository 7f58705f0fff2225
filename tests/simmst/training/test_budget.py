"""A budget in epochs or seconds becomes a plan."""


import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.training import budget as budget_module
from simmst.training.budget import Budget
from simmst.training.config import TrainerConfig


@pytest.mark.parametrize(
    ("text", "found"), [("3e", Budget(3)), ("2m", Budget(None, 120.0)), ("90s", Budget(None, 90.0))]
)
def test_budgets_are_read(text, found):
    assert Budget.parse(text) == found
    assert Budget.parse(str(found)) == found


@pytest.mark.parametrize("text", ["", "3", "0e", "1.5e", "-2m", "two", "2h"])
def test_what_is_no_budget_is_refused(text):
    with pytest.raises(ConfigError, match="write epochs as 3e"):
        Budget.parse(text)


@given(st.floats(1, 500), st.floats(0.01, 1.0), st.floats(0.01, 5.0), st.sampled_from([None, 500, 20_000]))
def test_a_plan_in_seconds_takes_no_longer_nor_more_than_the_recipe(seconds, step, validation, samples):
    recipe = TrainerConfig(epochs=12, batch_size=256, epoch_samples=samples)
    windows = range(30_000)

    def measured(config, *_):  # a step costs in proportion to its batch
        return step * config.batch_size / 256, validation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget_module, "_measure", measured)
        plan = Budget(seconds=seconds).plan(recipe, None, windows, windows)
    steps = -(-plan.epoch_samples // plan.batch_size)
    cost = plan.epochs * (steps * step * plan.batch_size / 256 + validation)
    assert plan.epochs <= 12 and plan.epoch_samples <= (samples or 30_000) and 16 <= plan.batch_size <= 256
    # One epoch of one step is the least; a part batch counts as a whole one.
    least = plan.epochs == 1 and steps == 1
    assert cost <= seconds * 1.001 + plan.epochs * step * plan.batch_size / 256 or least


def test_epochs_replace_the_recipes_and_no_budget_keeps_them():
    recipe = TrainerConfig(epochs=12)
    assert Budget(epochs=3).plan(recipe, None, range(9), range(9)).epochs == 3
    assert Budget().plan(recipe, None, range(9), range(9)) == recipe
    assert Budget(seconds=60).share(4).seconds == 15 and Budget(epochs=3).share(4).epochs == 3
