"""safetensors files whose header is well-formed and wrong."""

from __future__ import annotations

import json
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def parts(sample: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and tensors of a file."""
    (length,) = struct.unpack("<Q", sample[:8])
    return json.loads(sample[8 : 8 + length]), sample[8 + length :]


def joined(header: dict[str, Any], tensors: bytes) -> bytes:
    """Return a file, without a digest: whoever changes one can write its digest anew."""
    about = dict(header.get("__metadata__", {}))
    if "simmst-checked" in about:  # as a file of before, without a digest, which would refuse all that follows
        about = {"simmst": json.loads(about["simmst-checked"])["note"]}
    header = {**header, "__metadata__": about}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


@pytest.mark.parametrize("length", [0, 1, 2**32, 2**62, 2**64 - 1])
def test_a_header_of_another_length(tensor_reader: Any, length: int) -> None:
    tracemalloc.start()
    assert not tensor_reader.survives(struct.pack("<Q", length) + tensor_reader.sample[8:])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_a_tensor_that_is_another(tensor_reader: Any) -> None:
    header, tensors = parts(tensor_reader.sample)
    names = sorted(name for name in header if name != "__metadata__")

    @FUZZ
    @given(
        st.sampled_from(names),
        st.sampled_from(["dtype", "shape", "data_offsets"]),
        st.sampled_from(
            ["I64", "BOOL", "", [], [0], [2**40], [2**62, 2**62], [-1], [0, 2**63], [8, 0], None, 1.5]
        ),
    )
    def check(name: str, key: str, junk: Any) -> None:
        tensor_reader.survives(joined({**header, name: {**header[name], key: junk}}, tensors))

    check()


def test_a_tensor_that_is_missing_or_renamed(tensor_reader: Any) -> None:
    header, tensors = parts(tensor_reader.sample)
    for name in [name for name in header if name != "__metadata__"][::40]:
        rest = {key: value for key, value in header.items() if key != name}
        assert not tensor_reader.survives(joined(rest, tensors))
        for other in ("../../etc/passwd", "a.b.c.d", "optimizer.x.y", "best."):
            assert not tensor_reader.survives(joined({**rest, other: header[name]}, tensors))


def note_places(note: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all nodes of the note."""
    found = [here]
    items = note.items() if isinstance(note, dict) else enumerate(note) if isinstance(note, list) else ()
    for key, value in items:
        found += note_places(value, (*here, key))
    return found


def test_a_note_that_says_something_else(tensor_reader: Any) -> None:
    header, tensors = parts(tensor_reader.sample)
    note = json.loads(json.loads(header["__metadata__"]["simmst-checked"])["note"])

    def changed(content: Any, where: tuple[Any, ...], junk: Any) -> Any:
        if not where:
            return junk
        copy = dict(content) if isinstance(content, dict) else list(content)
        copy[where[0]] = changed(copy[where[0]], where[1:], junk)
        return copy

    @settings(FUZZ, max_examples=50)
    @given(
        st.sampled_from(note_places(note)),
        st.sampled_from(
            [None, -1, 0, 1.5, 10**40, 2**40, "", "../..", [], {}, {"a": 1}, [[]], float("nan"), True]
        ),
    )
    def check(where: tuple[Any, ...], junk: Any) -> None:
        text = json.dumps(changed(note, where, junk))
        tensor_reader.survives(joined({**header, "__metadata__": {"simmst": text}}, tensors))

    check()
    for text in ("", "{", "[" * 100_000, "null", "9" * 10_000):
        assert not tensor_reader.survives(joined({**header, "__metadata__": {"simmst": text}}, tensors))
    assert not tensor_reader.survives(joined({**header, "__metadata__": {}}, tensors))
