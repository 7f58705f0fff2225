"""The library's word on random problems with answers known from elsewhere: no false bound, no false success."""

import pytest

pytest.importorskip("cvxpy")
from trust.table import RUNNERS, run_many

CHUNK = 250
CHUNKS = {"convex": 20, "misdeclared": 8, "undeclared": 4}


def expect_none(reports):
    """Fail with the kinds and seeds of what went wrong; ``run.py --one KIND SEED`` shows one again."""
    found = [
        f"{r.kind} {r.seed} {r.method}/{r.formulation}: {name}: {words}"
        for r in reports for name, words in r.failures
    ]  # fmt: skip
    assert not found, f"{len(found)} failures\n" + "\n".join(found)
    assert any(r.success for r in reports)  # a library that never claims anything passes nothing


@pytest.mark.parametrize(("kind", "count"), [("convex", 16), ("misdeclared", 12), ("undeclared", 12)])
def test_a_few_random_problems(kind, count):
    expect_none(run_many(kind, 100_000, count))


@pytest.mark.parametrize("seed", [50651, 50874, 70039, 70657])
def test_ways_down_from_corners_that_were_once_missed(seed):
    reports = run_many("undeclared", seed, 1)
    assert not reports[0].failures


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "chunk"), [(kind, k) for kind in RUNNERS for k in range(CHUNKS[kind])])
def test_many_random_problems(kind, chunk):
    expect_none(run_many(kind, chunk * CHUNK, CHUNK))
