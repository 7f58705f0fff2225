"""Traffic from the body of a request: bounded, and read by the readers that files are read by."""

from __future__ import annotations

import asyncio
import io
import tempfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simmst.errors import DataError, SimmstError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.table.read import read_table

JSON, CSV, NPZ = "application/json", "text/csv", "application/octet-stream"
MOST_BYTES = 32 << 20
_SECONDS = 60
_MOST_UNPACKED = 256 << 20
_COLUMNS = "time", "node"

Name = Annotated[str, Field(min_length=1, max_length=200)]


class TrafficBody(BaseModel):
    """Recent traffic at regular steps; `values` is a list of steps of nodes of services."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    start: Annotated[str, Field(max_length=40, pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d$")]
    step_minutes: Annotated[int, Field(ge=1, le=60)] = 60
    services: Annotated[list[Name], Field(min_length=1)]
    nodes: Annotated[list[Name], Field(min_length=1)]
    units: Annotated[str, Field(max_length=400)]
    values: Annotated[list[list[list[Annotated[float, Field(ge=0, le=1e30)]]]], Field(min_length=1)]


class TooLarge(Exception):
    """The body has more bytes than are read."""


async def read_body(stream: AsyncIterator[bytes], most: int) -> bytes:
    """Read a body, counting what comes in and not what its header says.

    Raises
    ------
    TooLarge
        If more than `most` bytes come.
    TimeoutError
        If they do not come within a minute.
    """
    parts, size = [], 0
    async with asyncio.timeout(_SECONDS):
        async for part in stream:
            size += len(part)
            if size > most:
                raise TooLarge
            parts.append(part)
    return b"".join(parts)


def traffic_of(body: bytes, kind: str, units: str) -> TrafficData:
    """Read traffic from a body.

    Parameters
    ----------
    body : bytes
    kind : str
        `JSON`, `CSV` (columns time, node, and one for each service) or `NPZ` (a traffic file).
    units : str
        Of the values of a CSV, which does not say.

    Raises
    ------
    SimmstError
        If it holds no traffic; the message names what is wrong, and no file.
    """
    read = {JSON: _json, NPZ: _npz}.get(kind)
    return _csv(body, units) if read is None else read(body)


def _json(body: bytes) -> TrafficData:
    try:
        given = TrafficBody.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise DataError(f"{where}: {first['msg']}") from None
    try:
        values = np.array(given.values, dtype=np.float32)
    except ValueError:
        raise DataError("values: lists of unlike lengths; a step is a list of nodes, each of services") from None
    try:
        start = np.datetime64(given.start, "m")
    except ValueError:
        raise DataError(f"start: {given.start} is no time; write it as 2024-08-01T00:00") from None
    names = tuple(given.services), tuple(given.nodes)
    return TrafficData(values, start, given.step_minutes, *names, units=given.units)


def _csv(body: bytes, units: str) -> TrafficData:
    try:
        header = pl.read_csv(io.BytesIO(body), n_rows=0).columns
    except pl.exceptions.PolarsError as error:
        raise DataError(f"body: no CSV that can be read ({str(error).splitlines()[0][:100]})") from None
    services = [name for name in header if name not in _COLUMNS]
    if len(header) - len(services) != len(_COLUMNS) or not services:
        raise DataError("body: a CSV needs the columns time, node, and one for each service")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "body.csv"
        file.write_bytes(body)
        try:
            return read_table(file, *_COLUMNS, services, units)
        except SimmstError as error:
            raise DataError(_without(folder, file, str(error))) from None


def _npz(body: bytes) -> TrafficData:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            unpacked = sum(one.file_size for one in archive.infolist())
    except Exception:  # a damaged archive fails in as many ways as zipfile has branches
        raise DataError("body: not an npz file (or cut off)") from None
    if unpacked > _MOST_UNPACKED:
        raise DataError(f"body: claims to hold {unpacked:,} bytes, at most {_MOST_UNPACKED:,} are unpacked")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "body.npz"
        file.write_bytes(body)
        try:
            return TrafficData.load(file)
        except SimmstError as error:
            raise DataError(_without(folder, file, str(error))) from None


def _without(folder: str, file: Path, message: str) -> str:
    return message.replace(str(file), "body").replace(folder, "")
