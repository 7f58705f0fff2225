"""The gallery's scripts are short, run without a warning, and have their pictures in the documentation."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for path in (ROOT / "examples").glob("*.py") if path.stem != "gallery")
RUN = """
import runpy, sys, warnings
warnings.simplefilter("error")
folder, *scripts = sys.argv[1:]
for script in scripts:
    sys.argv = [script, folder]
    runpy.run_path(script)
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """All pictures, drawn by one process: importing takes longer than most scripts."""
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("gallery")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "examples")}
    command = [sys.executable, "-c", RUN, str(folder), *map(str, SCRIPTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_draws_its_picture(script, pictures):
    assert len(script.read_text(encoding="utf-8").splitlines()) < 100
    drawn = (pictures / f"{script.stem}.png").read_bytes()
    assert drawn.startswith(b"\x89PNG") and len(drawn) > 10_000


def test_the_gallery_shows_every_script_with_its_picture():
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\(pictures/gallery/(\w+)\.png\)", page))
    assert shown == {script.stem for script in SCRIPTS} == set(re.findall(r"^`(\w+)\.py`:", page, re.MULTILINE))
    assert all((ROOT / "docs" / "pictures" / "gallery" / f"{name}.png").is_file() for name in shown)
