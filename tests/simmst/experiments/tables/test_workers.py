"""A table computed by two processes: the same figures, every cell once."""

import pytest

from simmst.errors import SimmstError
from simmst.experiments.tables import make
from simmst.experiments.tables.make import Options, make_table
from simmst.io.distribute import Workers


def test_two_processes_compute_what_one_does_and_read_what_is_finished(city, tmp_path):
    city(22).data.save(tmp_path / "town.npz")

    def made(folder: str, workers: Workers) -> tuple[dict[str, float], list[tuple]]:
        begun: list[tuple] = []
        options = Options(
            2, "Table 2", str(tmp_path / "town.npz"), tmp_path / folder, "daily,ridge,mttc", 1, "smoke", "1e",
            horizon=6, workers=workers,
        )  # fmt: skip
        table = make_table(options, lambda *at: begun.append(at[:3]), lambda *at: None)
        return {row.label: row.mean(6, None, "mae") for row in table.rows}, begun

    together, begun = made("two", Workers(2))
    assert begun == [(done, len(together), len(together)) for done in range(1, len(together) + 1)]
    assert made("two", Workers(2)) == (together, [])
    alone = made("two", Workers())[0]
    assert alone == together and len(together) == 3


def test_the_weights_are_learned_by_one_cell_before_the_others_of_its_seed(monkeypatch, tmp_path):
    waves = []
    monkeypatch.setattr(
        make, "distribute", lambda function, tasks, *rest: waves.append([task[1] for task in tasks])
    )
    cells = [make.Cell(model, kind, days, seed) for model, kind, days, seed in [
        ("mttc", "real", None, 0), ("simmstnet", "reweighted", None, 0), ("average", "reweighted", None, 0),
        ("simmstnet", "reweighted", None, 1), ("average", "reweighted", 7, 0), ("ointer", "reweighted", None, 1),
    ]]  # fmt: skip
    options = Options(3, "Table 3", None, tmp_path, workers=Workers(2))
    make._elsewhere(options, make._grid(options))(cells, lambda cell: None)
    assert waves == [[cells[0], cells[1], cells[3], cells[4]], [cells[2], cells[5]]]


def test_a_worker_that_computed_something_else_is_an_error(city, tmp_path, monkeypatch):
    city(22).data.save(tmp_path / "town.npz")
    monkeypatch.setattr(make, "distribute", lambda *rest: None)
    options = Options(2, "Table 2", str(tmp_path / "town.npz"), tmp_path, "daily", horizon=6, workers=Workers(2))
    with pytest.raises(SimmstError, match="other code or data"):
        make_table(options, lambda *at: None, lambda *at: None)
