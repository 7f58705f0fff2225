"""Files are whole or absent, leave nothing beside them, and get the mode that the umask gives."""

import os

import pytest

from simmst.io.atomic import atomic_file, atomically


def write_by_stream(target, content):
    with atomic_file(target) as stream:
        stream.write(content)


def write_by_path(target, content):
    atomically(target, lambda path: path.write_bytes(content))


BOTH = pytest.mark.parametrize("write", [write_by_stream, write_by_path])


@BOTH
def test_the_file_has_the_content_and_the_mode_of_the_umask(tmp_path, write):
    before = os.umask(0o027)
    try:
        write(tmp_path / "a.bin", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def fail_by_stream(target):
    with atomic_file(target) as stream:
        stream.write(b"half")
        raise RuntimeError("stopped")


def fail_by_path(target):
    def write(path):
        path.write_bytes(b"half")
        raise RuntimeError("stopped")

    atomically(target, write)


@pytest.mark.parametrize("fail", [fail_by_stream, fail_by_path])
def test_an_error_half_way_leaves_the_old_file_and_nothing_else(tmp_path, fail):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="stopped"):
        fail(target)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_missing_folder_is_made_for_a_stream(tmp_path):
    write_by_stream(tmp_path / "new" / "a.bin", b"x")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"x"
