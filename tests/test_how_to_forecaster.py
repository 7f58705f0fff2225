"""The page on adding a forecaster, followed to the letter in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from simmst.experiments.tables import key

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to" / "forecaster.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The page's first block of a language."""
    return re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]


def entered(package: Path) -> None:
    """Put the class and the added lines where the page says, each after the line above it."""
    (package / "simmst/models/nlinear.py").write_text(block("python"))
    for part in block("diff").split("--- ")[1:]:
        name, *lines = part.splitlines()
        text = (package / name).read_text(encoding="utf-8")
        for line in lines:
            if line.startswith(" "):
                above = line[1:] + "\n"
                assert text.count(above) == 1, f"{name} has no such line: {above}"
            else:
                text = text.replace(above, above + line[1:] + "\n")
                above += line[1:] + "\n"
        (package / name).write_text(text, encoding="utf-8")


SCRIPT = """
import sys, pytest
from simmst.experiments.tables import key, rows
from simmst.models.registry import REGISTRY
assert list(REGISTRY)[1] == "nlinear" and "nlinear" in rows.chosen_models(1, None)
assert "simmst.models.nlinear" in key.sources("nlinear")
print(key.code_version(key.sources("dlinear")))
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", "nlinear or test_registry", *sys.argv[1:]]))
"""


def test_a_forecaster_entered_as_the_page_says_keeps_the_contract_and_leaves_other_cells(tmp_path):
    shutil.copytree(ROOT / "simmst", tmp_path / "simmst", ignore=shutil.ignore_patterns("__pycache__"))
    entered(tmp_path)
    tests = [f"tests/simmst/models/{name}.py" for name in ("test_contract", "test_registry")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *tests],
        cwd=ROOT, env={**environment, "PYTHONSAFEPATH": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0] == key.code_version(key.sources("dlinear"))
