"""`simmst doctor`, shell completion, and what a user sees where the extra is not installed."""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import pytest
from typer.testing import CliRunner

from simmst import cli, cli_doctor


def outcome():
    return CliRunner().invoke(cli.app, ["doctor"])


def test_it_names_versions_device_and_folders():
    found = outcome()
    assert found.exit_code == 0, found.output
    for word in ("Python", "device", "compiled kernels", "$SIMMST_DATA", "numpy", "torch", "(base)"):
        assert word in found.output


@pytest.mark.parametrize(("package", "extra", "code"), [("sionna-rt", "rt", 0), ("polars", "simmst", 1)])
def test_a_missing_package_comes_with_the_command_that_gets_it(monkeypatch, package, extra, code):
    def here(name: str) -> str:
        if name == package:
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(cli_doctor, "version", here)
    part = next(part for part in cli_doctor.parts() if part.extra == extra)
    assert package in part.missing
    found = outcome()
    assert found.exit_code == code and f"{extra}: pip install 'cutplane[{extra}]'" in found.output


def test_a_package_that_is_too_old_counts_as_missing(monkeypatch):
    monkeypatch.setattr(cli_doctor, "version", lambda name: "0.1" if name == "highspy" else version(name))
    base = next(part for part in cli_doctor.parts() if part.extra == "")
    assert base.missing == ("highspy 0.1 (needs >=1.10)",) and base.remedy == "pip install cutplane"
    assert outcome().exit_code == 1


def test_an_unwritable_cache_of_kernels_is_said(monkeypatch):
    monkeypatch.setattr(cli_doctor.os, "access", lambda path, mode: False)
    assert "NUMBA_CACHE_DIR" in dict(cli_doctor.facts())["compiled kernels"]


def test_the_shell_completes_commands():
    words = {"_SIMMST_COMPLETE": "complete_bash", "COMP_WORDS": "simmst fore", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "simmst"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **words}, timeout=60)
    assert done.stdout.split() == ["forecast"], done.stderr


def test_without_the_extra_the_command_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; import runpy; runpy.run_module('simmst', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "simmst: error: typer is missing; install by: pip install 'cutplane[simmst]'\n"
