"""npz files that are well-formed and wrong: other types, shapes and names, bombs, pickled objects."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cutplane.errors import InputError
from cutplane.state import State
from simmst.errors import DataError
from simmst.io.npz import read_npz

FUZZ = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
WORDS = st.sampled_from(
    ["", "0", "-1", "nan", "1e400", "../../etc/passwd", "/etc/passwd", "2024-13-99", "x" * 300]
)
SCALARS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    WORDS,
    st.just(np.datetime64("NaT")),
    st.complex_numbers(),
)
ARRAYS = st.one_of(
    SCALARS.map(np.array),
    hnp.arrays(
        st.sampled_from(["f8", "f4", "f2", "i8", "u1", "i1", "?", "c8"]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    hnp.arrays(st.sampled_from(["U3", "M8[s]", "m8[D]"]), hnp.array_shapes(max_dims=2, max_side=3)),
)


def packed(arrays: dict[str, Any], compressed: bool = False) -> bytes:
    """Return an npz file."""
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


def unpacked(sample: bytes) -> dict[str, Any]:
    """Return the arrays of a good file."""
    with np.load(io.BytesIO(sample)) as archive:
        return {name: archive[name] for name in archive.files}


def reshaped(array: np.ndarray, how: str) -> np.ndarray:
    """Change an array a little."""
    return {
        "empty": array[:0] if array.ndim else array[None][:0],
        "shorter": array[:-1] if array.ndim else array,
        "longer": np.concatenate([array, array]) if array.ndim else array,
        "flat": array.ravel(),
        "turned": array.T,
        "deeper": array[None],
        "text": array.astype(str),
        "nan": array * np.nan if array.dtype.kind == "f" else array,
        "negative": -array if array.dtype.kind in "fi" else array,
        "huge": array * np.array(2**62, dtype=array.dtype)
        if array.dtype.kind in "fi" and array.itemsize > 4
        else array,
    }[how]


HOWS = st.sampled_from("empty shorter longer flat turned deeper text nan negative huge".split())


def test_a_key_is_missing(npz_reader: Any) -> None:
    arrays = unpacked(npz_reader.sample)
    for name in arrays:
        npz_reader.survives(packed({key: value for key, value in arrays.items() if key != name}))
    assert not npz_reader.survives(packed({}))


def test_a_key_holds_something_else(npz_reader: Any) -> None:
    arrays = unpacked(npz_reader.sample)

    @FUZZ
    @given(st.sampled_from(sorted(arrays)), ARRAYS)
    def check(name: str, other: np.ndarray) -> None:
        npz_reader.survives(packed({**arrays, name: other}))

    check()


def test_keys_of_other_shapes(npz_reader: Any) -> None:
    arrays = unpacked(npz_reader.sample)

    @FUZZ
    @given(st.lists(st.tuples(st.sampled_from(sorted(arrays)), HOWS), min_size=1, max_size=3))
    def check(todo: list[tuple[str, str]]) -> None:
        changed = dict(arrays)
        with np.errstate(all="ignore"):
            for name, how in todo:
                changed[name] = reshaped(changed[name], how)
        npz_reader.survives(packed(changed))

    check()


def member(name: str, content: bytes, claimed: int | None = None) -> bytes:
    """Return a zip file with one stored member, perhaps of another size than it claims."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    file = bytearray(stream.getvalue())
    if claimed is not None:
        directory = file.rindex(b"PK\x01\x02")
        struct.pack_into("<I", file, directory + 24, claimed)
    return bytes(file)


def header(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    """Return the header of an array."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def bomb() -> bytes:
    """Return a gigabyte of zeros that is deflated to a megabyte."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    begin = deflate.compress(header((1 << 27,))) + deflate.flush(zlib.Z_FULL_FLUSH)
    zeros = deflate.compress(bytes(1 << 24)) + deflate.flush(zlib.Z_FULL_FLUSH)
    size = len(header((1 << 27,))) + (1 << 30)
    file = bytearray(member("values.npy", begin + 64 * zeros + deflate.flush(), claimed=size))
    struct.pack_into("<H", file, 8, zipfile.ZIP_DEFLATED)
    struct.pack_into("<I", file, 22, size)
    struct.pack_into("<H", file, file.rindex(b"PK\x01\x02") + 10, zipfile.ZIP_DEFLATED)
    return bytes(file)


HOSTILE = {
    "an array of a petabyte": lambda: member("values.npy", header((1 << 47,)) + bytes(64)),
    "an array of a petabyte, as the archive says, too": lambda: member(
        "values.npy", header((1 << 47,)) + bytes(64), claimed=0xFFFFFFF0
    ),
    "endless texts of no length": lambda: member("values.npy", header((1 << 60,), "<U0")),
    "a product that overflows": lambda: member("values.npy", header((1 << 33, 1 << 33, 1 << 33))),
    "a negative side": lambda: member("values.npy", header((-1, -8)) + bytes(64)),
    "a zip bomb": bomb,
    "a way out of the folder": lambda: member("../../../../tmp/values.npy", header((1,)) + bytes(8)),
    "an absolute path": lambda: member("/etc/values.npy", header((1,)) + bytes(8)),
    "no array at all": lambda: member("values.npy", b"#!/bin/sh\nexit 1\n"),
    "code in a header": lambda: member("values.npy", b"\x93NUMPY\x01\x00\x1c\x00__import__('os').system('')\n"),
    "a header without end": lambda: member("values.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"(" * 5000),
    "brackets within brackets": lambda: member("values.npy", b"\x93NUMPY\x01\x00\x88\x13" + b"[" * 5000),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_no_reader_takes_a_hostile_file(npz_reader: Any, what: str) -> None:
    content = HOSTILE[what]()
    tracemalloc.start()
    try:
        assert not npz_reader.survives(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100e6


def test_pickled_arrays_are_never_read(npz_reader: Any, tmp_path: Path) -> None:
    class Burglar:
        def __reduce__(self) -> tuple[Any, Any]:
            return Path.touch, (tmp_path / "was here",)

    for name, array in unpacked(npz_reader.sample).items():
        trap = np.full(array.shape, Burglar(), dtype=object)
        assert not npz_reader.survives(packed({**unpacked(npz_reader.sample), name: trap}))
    assert not (tmp_path / "was here").exists()


def test_the_reason_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for what, words in {
        "an array of a petabyte": "claims an array of 1,125,899,906,842,624 bytes and holds 64",
        "a zip bomb": "claim to hold 1,073,741,952, as a zip bomb would",
        "a way out of the folder": r"'../../../../tmp/values.npy' is not the name of an array",
    }.items():
        path.write_bytes(HOSTILE[what]())
        with pytest.raises(DataError, match=words):
            read_npz(path)
        with pytest.raises(InputError, match="is not a saved state"):
            State.load(path)


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,6}(/[a-z]{1,4})?", fullmatch=True), ARRAYS, max_size=4), st.booleans()
)
@FUZZ
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, Any], small: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.npz"
    path.write_bytes(packed(arrays, small))
    found = read_npz(path)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
