"""`simmst doctor`, shell completion, and what a user sees where the extra is not installed."""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import pytest
from typer.testing import CliRunner

from cutplane._install import install_command
from simmst.cli import doctor as cli_doctor
from simmst.cli import main as cli


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
    assert found.exit_code == code and f"{extra}: {part.remedy}" in found.output


@pytest.mark.parametrize("missing", [False, True])
def test_no_name_of_a_package_is_cut_at_80_columns(monkeypatch, missing):
    long = "halfspace-optimizer"
    found = cli_doctor.Part("bench", () if missing else (f"{long} 0.1.0",), (long,) if missing else ())
    base = cli_doctor.Part("", ("highspy 1.10.0", "numpy 2.4.6"), ("types-pyyaml 6.0.12.20261113 (needs >=7)",))
    monkeypatch.setattr(cli_doctor, "parts", lambda: [base, found])
    monkeypatch.setenv("COLUMNS", "80")
    text = outcome().output
    assert long in text and "6.0.12.20261113" in text and "…" not in text
    assert max(map(len, text[text.index("┏") : text.index("┘")].splitlines())) <= 80


def test_a_package_that_is_too_old_counts_as_missing(monkeypatch):
    monkeypatch.setattr(cli_doctor, "version", lambda name: "0.1" if name == "highspy" else version(name))
    base = next(part for part in cli_doctor.parts() if part.extra == "")
    assert base.missing == ("highspy 0.1 (needs >=1.10)",) and base.remedy.startswith("pip install ")
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
    assert done.stderr == f"simmst: error: typer is missing; install by: {install_command('simmst')}\n"


def test_without_the_extra_doctor_says_what_is_missing():
    names = "typer", "rich", "click", "torch", "packaging"
    code = f"import sys; sys.modules.update(dict.fromkeys({names!r})); sys.argv = ['simmst', 'doctor']; "
    code += "import runpy; runpy.run_module('simmst', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert not done.stderr
    assert "torch is missing" in done.stdout and "(base): " in done.stdout and "missing: " in done.stdout
