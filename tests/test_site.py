"""The documentation builds without a warning, into pages that need no network."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import cutplane

ROOT = Path(__file__).parents[1]

needs_mkdocs = pytest.mark.skipif(
    find_spec("material") is None or find_spec("mkdocstrings") is None, reason="needs the extra `docs`"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return out


@needs_mkdocs
def test_every_page_of_the_folder_is_built_and_listed(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        built = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        built = built.replace("README.html", "index.html")
        assert (site / built).is_file() and f'href="{built}"' in home, f"{built} is not listed"


@needs_mkdocs
def test_every_public_name_of_cutplane_has_an_entry_with_text(site):
    page = (site / "api" / "cutplane.html").read_text(encoding="utf-8")
    for name in cutplane.__all__:
        assert f'id="cutplane.{name}"' in page, name


@needs_mkdocs
def test_pages_load_nothing_from_outside(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]+src=\"(https?:[^\"]+)", text)
        loaded += re.findall(r"<link[^>]+rel=\"stylesheet\"[^>]+href=\"(https?:[^\"]+)", text)
        assert not loaded, page
