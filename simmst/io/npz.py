"""Npz files: written whole, and read only after a look at what they claim, for anybody may have made them."""

from __future__ import annotations

import math
import os
import re
import threading
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError
from simmst.io.atomic import atomically

Arrays = dict[str, NDArray[Any]]
# A compressed file may grow by so much, and any file to so many bytes: more is taken for a zip bomb. Traffic that
# is nearly all zeros was seen to grow by 20.
_MOST_GROWTH = 100
_ALWAYS_FINE = 1 << 28
_MOST_ARRAYS = 1000
_KINDS = "biufcMmU"
# NumPy parses an array's header with Python's parser, which before 3.11.8 and 3.12.2 counted its depth for all
# threads together: of two at once, one fails with a SystemError.
_PARSER = threading.Lock()


def read_npz(path: str | os.PathLike[str], wanted: Collection[str] | None = None) -> Arrays:
    """Read the arrays of an npz file.

    Nothing is unpickled, and nothing is loaded whose size the file misstates: an array's header must agree with
    the bytes that the archive lists for it, and these must be in proportion to the file.

    Parameters
    ----------
    path : path-like
        The file.
    wanted : collection of str, optional
        Names of arrays to read, where the file has them; all by default.

    Raises
    ------
    DataError
        If there is no such file, or it is damaged or hostile; always with the path and the reason.
    """
    file = Path(path)
    if file.is_dir():
        raise DataError(f"{file}: is a directory; name a file")
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    if not zipfile.is_zipfile(file):
        raise DataError(f"{file}: not an npz file (or cut off)")
    try:
        with zipfile.ZipFile(file) as archive:
            names = _names(archive)
            chosen = [name for name in names if wanted is None or name in wanted]
            _check_growth(file.stat().st_size, sum(names[name].file_size for name in chosen))
            return {name: _read(archive, names[name]) for name in chosen}
    except Exception as error:  # a damaged archive fails in as many ways as zipfile and numpy have branches
        # zipfile may quote bytes of the file, as many as there are
        raise DataError(f"{file}: not a readable npz file: {str(error)[:200] or type(error).__name__}") from None


def check_array(name: str, array: NDArray[Any], kinds: str, *sides: int | None) -> None:
    """Refuse an array of another type or shape than a file must hold.

    Parameters
    ----------
    name : str
        What the message calls it.
    array : array
        What was read.
    kinds : str
        Kinds of type that are taken, as NumPy's `dtype.kind` names them: "f", "iu", "U".
    sides : int or None
        The shape; None stands for any length from 1 on.

    Raises
    ------
    DataError
        If it differs, or floats in it are not finite.
    """
    fits = len(sides) == array.ndim and all(
        found == side or (side is None and found > 0) for side, found in zip(sides, array.shape, strict=True)
    )
    if array.dtype.kind not in kinds or not fits:
        wanted = " x ".join("any" if side is None else str(side) for side in sides) or "one value"
        raise DataError(f"{name}: {array.dtype} of shape {array.shape} in place of {wanted} of kind {kinds}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{name}: holds values that are not finite")


def _names(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Members by the name of their array."""
    members = archive.infolist()
    if len(members) > _MOST_ARRAYS:
        raise ValueError(f"it lists {len(members)} arrays")
    names: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        if not re.fullmatch(r"[\w\- ]+(/[\w\- ]+)*\.npy", member.filename):
            raise ValueError(f"{member.filename[:80]!a} is not the name of an array")
        name = member.filename.removesuffix(".npy")
        if name in names:
            raise ValueError(f"{name} is in it twice")
        names[name] = member
    return names


def _check_growth(packed: int, size: int) -> None:
    if size > max(_ALWAYS_FINE, _MOST_GROWTH * packed):
        raise ValueError(f"its {packed:,} bytes claim to hold {size:,}, as a zip bomb would")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Read one array after a look at its header."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ValueError(f"{member.filename} is of version {version}")
        with _PARSER:
            shape, _, dtype = read_header(stream)
        begin = stream.tell()
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which are never read")
    count = math.prod(shape)
    if dtype.kind not in _KINDS or min(shape, default=0) < 0 or (dtype.itemsize == 0 and count > 0):
        raise ValueError(f"{member.filename} is an array {dtype.str} of shape {shape}")
    claimed, held = count * dtype.itemsize, member.file_size - begin
    if claimed != held:
        raise ValueError(f"{member.filename} claims an array of {claimed:,} bytes and holds {held:,}")
    with archive.open(member) as stream, _PARSER:
        return np.lib.format.read_array(stream, allow_pickle=False)


def save_npz(target: Path, arrays: Arrays) -> None:
    """Write arrays under their names; the file is whole or untouched."""

    def write(path: Path) -> None:
        with path.open("wb") as stream:  # a path would be given the ending .npz
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    atomically(target, write)


def load_npz(path: Path) -> Arrays:
    """Read what `save_npz` wrote; a damaged file is an error that says so."""
    try:
        return read_npz(path)
    except DataError as error:
        raise ConfigError(f"{path}: damaged ({error}); delete it and resume again") from None
