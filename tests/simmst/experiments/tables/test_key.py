"""A cell's key changes with all that decides its result, and with nothing else."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from simmst.errors import ConfigError
from simmst.evaluation.benchmark import make_benchmark
from simmst.evaluation.cell import Cell
from simmst.experiments.tables import key
from simmst.experiments.tables.grid import Grid
from simmst.models.lstm import LSTM
from simmst.models.registry import REGISTRY
from simmst.traffic.gap import Gap
from simmst.training.budget import Budget

CELLS = {
    "ridge": Cell("ridge", "real", None, None),
    "dlinear": Cell("dlinear", "real", None, 0),
    "ours": Cell("simmstnet", "real", None, 0),
    "re-weighted": Cell("simmstnet", "reweighted", None, 0),
}


def forget() -> None:
    for one in (key.closure, key.sources, key.code_version):
        one.cache_clear()


@pytest.fixture(autouse=True)
def forgotten():
    yield
    forget()


def keys(target) -> dict[str, str]:
    forget()
    grid = Grid(make_benchmark(target), "smoke", Budget(), Path("nowhere"))
    return {name: grid.key(cell) for name, cell in CELLS.items()}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in CELLS if before[name] != after[name]}


TRAINED, OURS = {"dlinear", "ours", "re-weighted"}, {"ours", "re-weighted"}


@pytest.mark.parametrize(
    ("module", "cells"),
    [
        ("simmst.traffic.split", set(CELLS)),
        ("simmst.evaluation.benchmark", set(CELLS)),
        ("simmst.traffic.window_subset", TRAINED),  # draws the windows that choose the epoch
        ("simmst.models.card", TRAINED),
        ("simmst.models.registry", set()),  # of a card what counts is its values, see below
        ("simmst.training.state", TRAINED),
        ("simmst.models.simmstnet", OURS),
        ("simmst.nn.interaction", OURS),
        ("simmst.experiments.job", {"re-weighted"}),  # seeds the worlds
        ("simmst.experiments.reweight_stage", {"re-weighted"}),
        ("simmst.simulator.city", {"re-weighted"}),
        ("cutplane.masters", {"re-weighted"}),
        ("simmst.models.lstm", set()),
        ("simmst.reports.run", set()),
        ("simmst.reports.table", set()),
    ],
)
def test_a_changed_module_changes_the_cells_that_use_it_and_no_other(city, monkeypatch, module, cells):
    before, read = keys(city(22)), key._text
    monkeypatch.setattr(key, "_text", lambda name: read(name) + "\nCHANGED = 1\n" * (name == module))
    assert changed(before, keys(city(22))) == cells


def test_a_model_fed_patches_hangs_on_its_own_module_whatever_else_is_fed_so(register, patch_mean):
    register(patch_mean)
    found = key.sources("patchmean")
    assert "simmst.models.dlinear" in found and "simmst.models.simmstnet" not in found


def test_a_new_model_leaves_the_cells_of_the_others(city, register, patch_mean):
    before = keys(city(22))
    register(patch_mean)
    assert changed(before, keys(city(22))) == set()


def with_recipe(**changes):
    card = REGISTRY["dlinear"]
    return {"recipes": {**card.recipes, "smoke": replace(card.recipes["smoke"], **changes)}}


@pytest.mark.parametrize(
    "change",
    [
        {"make": LSTM},
        {"feed": "node"},
        {"takes": ("nodes",)},
        {"multi_task": True},
        {"ours": True},
        with_recipe(sizes={"window": 5}),
        with_recipe(training={**REGISTRY["dlinear"].recipes["smoke"].training, "clip": 9.0}),
        with_recipe(lookback=100),
    ],
    ids=str,
)
def test_a_changed_card_changes_its_own_cells_alone(city, register, change):
    before = keys(city(22))
    register(replace(REGISTRY["dlinear"], **change))
    assert changed(before, keys(city(22))) == {"dlinear"}


def test_what_a_card_says_for_a_reader_and_its_other_recipes_change_no_cell(city, register):
    before, card = keys(city(22)), REGISTRY["dlinear"]
    recipes = {**card.recipes, "laptop": card.recipes["paper"]}
    register(replace(card, label="D-Linear", adaptation="made up", recipes=recipes))
    assert changed(before, keys(city(22))) == set()


@pytest.mark.parametrize("name", REGISTRY)
def test_the_code_that_makes_a_model_is_in_its_key(name):
    assert REGISTRY[name].make.__module__ in key.sources(name)


def test_a_model_made_where_no_key_looks_is_refused(register):
    def inside(**sizes):
        return LSTM(**sizes)

    for make in (lambda **sizes: LSTM(**sizes), partial(LSTM, hidden=8), nn.LSTM, inside, replace):
        register(replace(REGISTRY["lstm"], make=make))
        forget()
        with pytest.raises(ConfigError, match="LSTM: its card's `make` must be a class or function of a module"):
            key.sources("lstm")


@pytest.mark.parametrize(("package", "cells"), [("numpy", set(CELLS)), ("torch", TRAINED), ("rich", set())])
def test_another_version_of_what_computes_is_another_cell(city, monkeypatch, package, cells):
    before, read = keys(city(22)), key.version
    monkeypatch.setattr(key, "version", lambda name: "9" * (name == package) + read(name))
    assert changed(before, keys(city(22))) == cells


def test_traffic_counts_by_value_and_not_by_the_name_of_its_file(city):
    before = keys(city(22))
    assert changed(before, keys(replace(city(22), name="renamed.npz"))) == set()
    other = city(22)
    other.data.values[5, 0, 0] += 1
    assert changed(before, keys(other)) == set(CELLS)
    gap = Gap("net", np.datetime64("2024-01-02T00:00"), np.datetime64("2024-01-02T05:00"))
    filled = replace(city(22).data, gaps=(gap,), fill="by the hour before")
    assert changed(before, keys(replace(city(22), data=filled))) == set(CELLS)


def test_modules_set_aside_are_ones_that_results_import(monkeypatch):
    for name in key.SET_ASIDE:
        monkeypatch.setattr(key, "SET_ASIDE", {k: v for k, v in key.SET_ASIDE.items() if k != name})
        forget()
        assert name in key.sources("simmstnet") | key.simulation_sources(), name
        monkeypatch.undo()


def test_imports_are_followed_wherever_they_stand(monkeypatch, tmp_path):
    files = {
        "__init__": "", "first": "import simmst.group.second", "group/__init__": "from simmst import third",
        "group/second": "def f():\n    from simmst.fourth import name", "third": "", "fourth": "", "fifth": "",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(key, "_ROOTS", {"simmst": tmp_path})
    key._imports.cache_clear()
    forget()
    found = {"simmst.first", "simmst.group", "simmst.group.second", "simmst.third", "simmst.fourth"}
    assert key.closure("simmst.first") == found
    assert key.closure("simmst.first", without=frozenset({"simmst.group"})) == {"simmst.first"}
    key._imports.cache_clear()


def test_a_key_is_of_what_code_means_not_of_how_it_is_written():
    plain = "def f(x):\n    return x + 1\n"
    written = '"""About."""\n\n\ndef f(x):\n    """Add one."""\n    # why\n    return (x + 1)\n'
    assert key._meaning(plain) == key._meaning(written) != key._meaning(plain.replace("1", "2"))


def test_a_key_does_not_hang_on_where_modules_stand(monkeypatch):
    here = (
        "from simmst.traffic.scaling import FloatArray, NodeScaler\nfrom simmst.errors import DataError\n\nx = 1\n"
    )
    there = (
        "from simmst.errors import DataError\nfrom simmst.traffic import FloatArray\n"
        "from simmst.traffic.scaling import NodeScaler\n\nx = 1\n"
    )
    assert key._meaning(here) == key._meaning(there) != key._meaning(here.replace("NodeScaler", "Scaler"))
    assert key._meaning("from numpy import x\n") != key._meaning("from torch import x\n")
    before, read = key.code_version(frozenset({"simmst.traffic.scaling"})), key._text
    monkeypatch.setattr(
        key, "_text", lambda name: read({"simmst.moved": "simmst.traffic.scaling"}.get(name, name))
    )
    assert (
        key.code_version(frozenset({"simmst.moved"})) == before != key.code_version(frozenset({"simmst.errors"}))
    )
