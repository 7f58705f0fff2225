"""A folder of invented measurement files, and how it is read."""

import gzip
import importlib.util
from pathlib import Path

import pytest

from simmst.traffic.pm.read import from_pm

_SPEC = importlib.util.spec_from_file_location("invented", Path(__file__).with_name("invented.py"))
_INVENTED = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_INVENTED)

VOLUME = {"Vol": ("MB", "sum")}


@pytest.fixture(scope="session")
def invented():
    """The module that writes files of the two formats."""
    return _INVENTED


@pytest.fixture
def export(tmp_path):
    """``export(*texts, pack=False)`` writes files, ``export.read(counters, **options)`` reads them."""

    class Export:
        folder = tmp_path / "pm"
        count = 0

        def __call__(self, *texts, pack=False):
            self.folder.mkdir(exist_ok=True)
            for text in texts:
                data = text if isinstance(text, bytes) else text.encode()
                name = self.folder / f"A{self.count:04}{'.xml.gz' if pack else '.xml'}"
                name.write_bytes(gzip.compress(data) if pack else data)
                self.count += 1
            return self

        def read(self, counters=VOLUME, timezone="Europe/Rome", **options):
            return from_pm(self.folder, counters, timezone, **options)

    return Export()
