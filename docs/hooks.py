"""A page that the navigation of mkdocs.yml does not name yet is listed under "More", not lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def _pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(part)


def on_config(config: Any) -> Any:
    """Append what is missing."""
    folder, listed = Path(config.docs_dir), set(_pages(config.nav))
    pages = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.md")))
    if missing := [page for page in pages if page not in listed]:
        config.nav.append({"More": missing})
    return config
