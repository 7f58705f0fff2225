"""The command that installs an extra names where the package came from, never a name that may be another's."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from cutplane import _install

ROOT = Path(__file__).parents[2]
FROM_FOLDER = '{"dir_info": %s, "url": "file://%s"}'


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (FROM_FOLDER % ("{}", "{folder}"), "pip install '{folder}[rt]'"),
        (FROM_FOLDER % ('{"editable": true}', "{folder}"), "pip install -e '{folder}[rt]'"),
        (FROM_FOLDER % ("{}", "{folder}/moved"), "pip install 'FOLDER-OF-CUTPLANE[rt]'"),
        ('{"url": "https://example.org/c.whl", "archive_info": {}}', "pip install 'cutplane[rt] @ https://example.org/c.whl'"),
        (None, "pip install 'FOLDER-OF-CUTPLANE[rt]'"),
        ("{", "pip install 'FOLDER-OF-CUTPLANE[rt]'"),
        ("[]", "pip install 'FOLDER-OF-CUTPLANE[rt]'"),
    ],
)  # fmt: skip
def test_it_finds_the_package_where_it_was_installed_from(monkeypatch, tmp_path, origin, command):
    text = origin and origin.replace("{folder}", str(tmp_path))
    found = SimpleNamespace(read_text=lambda file: text)
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: found)
    assert _install.install_command("rt") == command.replace("{folder}", str(tmp_path))


def test_no_message_names_a_package_of_the_registry():
    sources = [
        *(ROOT / "simmst").rglob("*.py"),
        *(ROOT / "cutplane").rglob("*.py"),
        *(ROOT / "benchmarks").rglob("*.py"),
    ]
    bad = [path for path in sources if re.search(r"pip install ['\"]?cutplane", path.read_text(encoding="utf-8"))]
    assert bad == []
