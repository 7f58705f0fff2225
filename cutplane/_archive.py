"""Arrays from an npz file that anybody may have made: what it claims is checked before memory is given to it."""

import math
import os
import zipfile
from typing import BinaryIO

import numpy as np

from cutplane._arrays import Array

# States are written uncompressed; somebody may have packed one.
_MOST_GROWTH = 100
_ALWAYS_FINE = 1 << 28


def load_arrays(handle: BinaryIO) -> dict[str, Array]:
    """Read all arrays; nothing is unpickled, and a misstated size is an error.

    Parameters
    ----------
    handle : file
        Open for reading.

    Raises
    ------
    Exception
        If it is damaged, in any way that NumPy or zipfile has.
    """
    with zipfile.ZipFile(handle) as archive:
        members = archive.infolist()
        packed, size = os.fstat(handle.fileno()).st_size, sum(member.file_size for member in members)
        if size > max(_ALWAYS_FINE, _MOST_GROWTH * packed):
            raise ValueError(f"its {packed:,} bytes claim to hold {size:,}")
        return {member.filename.removesuffix(".npy"): _read(archive, member) for member in members}


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"{member.filename} is of another version")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        begin = stream.tell()
    if dtype.kind not in "biufU" or begin + math.prod(shape) * dtype.itemsize != member.file_size:
        raise ValueError(f"{member.filename} is not the array that it claims to be")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
