"""Fixtures shared by all tests."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

DATA_DIR = Path(os.environ.get("SIMMST_DATA_DIR", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Path of a real traffic file; the test is skipped where the file is missing."""

    def find(name: str) -> Path:
        path = DATA_DIR / name
        if not path.is_file():
            pytest.skip(f"{name} is not in {DATA_DIR} (set SIMMST_DATA_DIR)")
        return path

    return find
