"""Whatever happens to a file's bytes, its reader takes it or says in one line of our own what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ = settings(
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, float, float, bytes]]:
    """One to four changes; places are shares of the length, so that they suit every file."""
    share = st.floats(0, 1, exclude_max=True)
    kind = st.sampled_from(["flip", "cut", "drop", "repeat", "write", "insert"])
    return draw(
        st.lists(st.tuples(kind, share, share, st.binary(min_size=1, max_size=16)), min_size=1, max_size=4)
    )


def damaged(sample: bytes, todo: list[tuple[str, float, float, bytes]]) -> bytes:
    """Apply the changes one after the other."""
    content = bytearray(sample)
    for kind, first, second, junk in todo:
        at, to = sorted((int(first * len(content)), int(second * len(content))))
        if kind == "flip" and content:
            content[at] ^= junk[0] or 1
        elif kind == "cut":
            del content[at:]
        elif kind == "drop":
            del content[at : min(to, at + 64)]
        elif kind == "repeat":
            content[at:at] = content[at : min(to, at + 256)]
        elif kind == "write":
            content[at : at + len(junk)] = junk
        elif kind == "insert":
            content[at:at] = junk
    return bytes(content)


def test_damage_anywhere(reader: Any) -> None:
    @FUZZ
    @given(changes())
    def check(todo: list[tuple[str, float, float, bytes]]) -> None:
        reader.survives(damaged(reader.sample, todo))

    check()


def test_a_file_cut_off_anywhere(reader: Any) -> None:
    size = len(reader.sample)
    for length in sorted({*range(0, size, max(1, size // 25)), size - 1}):
        reader.survives(reader.sample[:length])


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"\xff" * 100, b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_such_file(reader: Any, content: bytes) -> None:
    taken = reader.survives(content)
    # A prior may be empty: it names only what it changes.
    assert not taken or (reader.name == "prior" and content == b"")


def test_another_kind_of_file(reader: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name, content in {
        "png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "text": "Grüße, 世界\n".encode() * 50,
        "utf-16": '{"format": 2}'.encode("utf-16"),
        "pickle": b"\x80\x04\x95\x1b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93.",
    }.items():
        assert not reader.survives(content), name


def test_an_archive_that_the_library_quotes_at_length(reader: Any) -> None:
    if reader.sample[:2] == b"PK":  # a long name's length written over a member's: zipfile quotes as many bytes
        at = reader.sample.index(b"PK\x03\x04", 4) + 26
        reader.survives(reader.sample[:at] + (2000).to_bytes(2, "little") + reader.sample[at + 2 :])


@pytest.mark.slow
def test_much_damage(reader: Any) -> None:
    @settings(FUZZ, max_examples=3000)
    @given(changes())
    def check(todo: list[tuple[str, float, float, bytes]]) -> None:
        reader.survives(damaged(reader.sample, todo))

    check()
