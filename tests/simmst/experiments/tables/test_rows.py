"""Which rows a table has, and what each is trained on."""

from dataclasses import replace

import pytest

from simmst.errors import ConfigError
from simmst.experiments.tables.rows import cells, chosen_models


def test_the_tables_have_their_rows():
    assert chosen_models(1, None)[0] == "last" and "stnet" in chosen_models(1, None)
    assert "mttc" in chosen_models(2, None) and "lstm" in chosen_models(2, "all")
    assert chosen_models(2, "ridge, mttc,ridge") == ("ridge", "mttc")
    with pytest.raises(ConfigError, match="unknown nonsense; known: last"):
        chosen_models(2, "mttc,nonsense")


def test_a_baseline_that_is_fed_patches_is_a_baseline(register, patch_mean):
    multi = replace(patch_mean, name="patches", multi_task=True)
    register(patch_mean, multi)
    assert "patchmean" in chosen_models(1, None) and "patches" in chosen_models(2, None)
    assert chosen_models(2, "all").index("patchmean") < chosen_models(2, "all").index("patches")
    rows = {cell.row for cell in cells(("patchmean",), 1, 3, None)}
    assert {kind for _, kind, _ in rows} == {"real", "pooled"}  # re-weighted windows by default are ours alone


def test_with_scarce_data_a_row_comes_with_each_source_that_it_can_take():
    rows = {cell.row for cell in cells(("ridge", "dlinear", "mttc", "simmstnet"), 2, 3, None)}
    assert rows == {
        ("ridge", "real", 3), ("ridge", "real", None),
        ("dlinear", "real", 3), ("dlinear", "real", None),
        ("mttc", "real", 3), ("mttc", "real", None), ("mttc", "pooled", 3),
        ("simmstnet", "real", 3), ("simmstnet", "real", None), ("simmstnet", "pooled", 3),
        ("simmstnet", "reweighted", 3), ("simmstnet", "reweighted", None),
    }  # fmt: skip


def test_without_scarce_data_only_ours_takes_simulated_windows():
    found = cells(("last", "mttc", "simmstnet"), 3, None, None)
    assert [cell.row for cell in found if cell.seed in (None, 0)] == [
        ("last", "real", None), ("mttc", "real", None), ("simmstnet", "real", None),
        ("simmstnet", "reweighted", None),
    ]  # fmt: skip
    assert len(found) == 1 + 3 * 3
