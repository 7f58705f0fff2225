"""The page on the solvers underneath names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_that_the_page_names_is_there_and_every_row_names_one():
    page = (ROOT / "docs" / "solvers.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "| test |" not in line]
    assert len(rows) > 8 and all("`test_" in row for row in rows)
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "cutplane").rglob("test_*.py"))
    assert {name for name in re.findall(r"`(test_\w+)`", page) if f"def {name}(" not in code} == set()
