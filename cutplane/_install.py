"""The command that installs an extra: from where the package came, for the name on a registry may be another's."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

_UNKNOWN = "FOLDER-OF-CUTPLANE"


def install_command(extra: str) -> str:
    """Return the command for an extra ("" for the package itself), to be called from any folder."""
    wanted = f"[{extra}]" if extra else ""
    origin = _origin()
    url = str(origin.get("url", ""))
    folder = url2pathname(urlsplit(url).path)
    if "dir_info" in origin and Path(folder).is_dir():
        editable = "-e " if origin["dir_info"].get("editable") else ""
        return f"pip install {editable}{shlex.quote(folder + wanted)}"
    if "archive_info" in origin and url:
        return f"pip install {shlex.quote(f'cutplane{wanted} @ {url}')}"
    return f"pip install {shlex.quote(_UNKNOWN + wanted)}"


def _origin() -> dict[str, Any]:
    """What pip noted of where the distribution came from (PEP 610)."""
    from importlib.metadata import PackageNotFoundError, distribution  # it parses mail: for an error message alone

    try:
        found = json.loads(distribution("cutplane").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
