"""The code that README and docs print runs as printed."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_code_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        needed = re.match(r"# needs (\w+)\n", block)
        if needed and find_spec(needed[1]) is None:
            continue
        exec(compile(block, str(page), "exec"), names)


def test_the_readme_example_certifies_its_answer(capsys):
    block = BLOCK.search((ROOT / "README.md").read_text(encoding="utf-8")).group(1)
    names = {"__name__": "page"}
    exec(compile(block, "README.md", "exec"), names)
    assert len([line for line in block.splitlines() if line.strip()]) <= 12
    result = names["result"]
    assert result.success and result.gap <= 1e-6
    assert "certified" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_of_a_page_leads_somewhere(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", prose):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_examples_in_docstrings_print_what_they_say():
    import doctest

    from cutplane import choice, solver

    for module in (choice, solver):
        outcome = doctest.testmod(module)
        assert outcome.attempted > 0 and outcome.failed == 0


SHELL = re.compile(r"^```(?:console|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = [
    (page, line.removeprefix("$ "))
    for page in PAGES
    for block in SHELL.findall(page.read_text(encoding="utf-8"))
    for line in block.splitlines()
    if line.removeprefix("$ ").startswith("simmst ")
]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page.stem}: {line}" for page, line in COMMANDS])
def test_every_printed_command_has_options_that_exist(page, line):
    from typer.main import get_command

    from simmst.cli.main import app

    command, words = get_command(app), shlex.split(line, comments=True)[1:]
    while words and words[0] in getattr(command, "commands", ()):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("simmst", words)  # parses, and calls nothing
