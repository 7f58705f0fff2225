"""The page on measurement files, as a new user reads it: its commands print what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "how-to" / "pm-files.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_commands_of_the_page_print_what_it_says(tmp_path, monkeypatch):
    commands = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
    printed = re.findall(
        r"^```text\n((?:simmst: error|\d+ measurement files).*?)^```", PAGE, re.MULTILINE | re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    told = []
    for command in commands:
        program, *words = shlex.split(command)
        call = [sys.executable, *(["-m", "simmst"] if program == "simmst" else []), *words]
        done = subprocess.run(call, capture_output=True, text=True)
        told.append(done.stderr if done.returncode else done.stdout)
    assert len(commands) == 3 and len(printed) == 2
    assert told[1] == printed[0]
    assert told[2].split("\n", 1)[1] == printed[1], "the first line is of progress"
