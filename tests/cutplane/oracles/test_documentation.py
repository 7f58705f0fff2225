"""The examples of the pages on oracles and on the zoo run as they are printed."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["oracles.md", "zoo.md"])
def test_examples_run(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    if "import cvxpy" in text:
        pytest.importorskip("cvxpy")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), page, "exec"), {})
