"""The Telecom Italia daily files from Dataverse: resumed after dropped connections, checked by their hashes."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import requests

from simmst.errors import ConfigError, DataError
from simmst.io.atomic import atomic_file
from simmst.traffic.telecom.ingest import FILE_NAME

SERVER = "https://dataverse.harvard.edu"
#: The data sets by city (Barlacchi et al. 2015, ODbL 1.0).
DATASETS = {"milano": "doi:10.7910/DVN/EGZHFV", "trento": "doi:10.7910/DVN/QLCABU"}
#: The list that `download` leaves beside the files: name, hash and address, in pooch's own format.
REGISTRY = "registry.txt"
_HASH_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_PARTIAL, _RANGE_REFUSED, _TOO_MANY = 206, 416, 429
_TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 16
# Attempts in a row that bring nothing new before giving up.
_ATTEMPTS = 5
_PAUSE = 1.0  # seconds before the second attempt; doubles


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a data set, as the server lists it.

    Parameters
    ----------
    name : str
        Name of a daily file.
    url : str
        Where it is.
    known_hash : str
        Its hash as "md5:..." (or sha1, sha256, sha512).
    size : int
        Its size in bytes.
    """

    name: str
    url: str
    known_hash: str
    size: int


def list_files(city: str, server: str = SERVER) -> list[RemoteFile]:
    """Ask a Dataverse server for the daily files of a city, with their hashes.

    Parameters
    ----------
    city : str
        "milano" or "trento".
    server : str
        Address of the server.

    Raises
    ------
    ConfigError
        If the city or the address has no meaning.
    DataError
        If the server does not answer, or its list lacks what is needed.
    """
    if city not in DATASETS:
        raise ConfigError(f"city={city!r}: must be one of {', '.join(DATASETS)}")
    if not re.match(r"https?://\w", server):
        raise ConfigError(f"server={server!r}: must begin with https://")
    url = f"{server.rstrip('/')}/api/datasets/:persistentId"
    try:
        answer = requests.get(url, params={"persistentId": DATASETS[city]}, timeout=_TIMEOUT)
        answer.raise_for_status()
        listed = answer.json()["data"]["latestVersion"]["files"]
        files = [_remote_file(entry["dataFile"], server) for entry in listed if _is_daily(entry)]
    except requests.exceptions.JSONDecodeError:
        raise DataError(f"{url}: the answer is not JSON; is {server} a Dataverse server?") from None
    except requests.RequestException as error:
        raise DataError(f"{url}: {_words(error)}") from None
    except DataError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{url}: not a list of files ({error}); is {server} a Dataverse server?") from None
    if not files:
        raise DataError(f"{url}: the list holds no daily file of {city}")
    return sorted(files, key=lambda file: file.name)


def _is_daily(entry: dict[str, Any]) -> bool:
    # Nothing else is taken, so a name cannot lead out of the folder.
    return FILE_NAME.fullmatch(entry["dataFile"]["filename"]) is not None


def _remote_file(entry: dict[str, Any], server: str) -> RemoteFile:
    name = entry["filename"]
    checksum = entry.get("checksum") or {"type": "MD5", "value": entry.get("md5")}
    kind, value = str(checksum["type"]).lower().replace("-", ""), str(checksum["value"]).lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_HASH_LENGTHS.get(kind, 1)}}}", value) or kind not in _HASH_LENGTHS:
        raise DataError(f"{server}: lists {name} without a hash that can be checked ({kind}: {value})")
    url = f"{server.rstrip('/')}/api/access/datafile/{int(entry['id'])}"
    return RemoteFile(name, url, f"{kind}:{value}", int(entry["filesize"]))


def download(
    city: str,
    folder: str | os.PathLike[str],
    server: str = SERVER,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Path]:
    """Download the daily files of a city; what is there already, whole, is kept.

    A file that is on its way is called `<name>.part`; a dropped connection, or a later call, goes on where it
    ends. It takes its own name only when its hash is the listed one. The list itself is left in the folder as
    `registry.txt`.

    Parameters
    ----------
    city : str
        "milano" or "trento".
    folder : path-like
        Where to put the files.
    server : str
        Address of the Dataverse server.
    progress : callable, optional
        Called with a file's name, its bytes so far and its size.

    Returns
    -------
    list of Path
        The files, by day.

    Raises
    ------
    ConfigError
        If the city or the address has no meaning.
    DataError
        If the server cannot be reached, a file's hash is wrong, or the disk is too small.
    """
    files = list_files(city, server)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    missing = sum(max(file.size - _bytes_here(folder, file), 0) for file in files)
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise DataError(f"{folder}: {missing / 1e9:.1f} GB are still to come, but {free / 1e9:.1f} GB are free")
    fetcher = pooch.create(
        path=folder,
        base_url="",
        registry={file.name: file.known_hash for file in files},
        urls={file.name: file.url for file in files},
    )
    lines = (f"{file.name} {file.known_hash} {file.url}\n" for file in files)
    with atomic_file(folder / REGISTRY) as stream:
        stream.write("".join(lines).encode())
    paths = []
    for file in files:
        try:
            paths.append(Path(fetcher.fetch(file.name, downloader=_Resuming(file, folder, progress))))
        except DataError:
            raise
        except ValueError:  # pooch's word for a wrong hash
            raise DataError(
                f"{file.name}: what came from {file.url} does not have the hash {file.known_hash}; it was "
                f"removed, try again"
            ) from None
        if progress is not None:
            progress(file.name, file.size, file.size)
    return paths


def _bytes_here(folder: Path, file: RemoteFile) -> int:
    for path in (folder / file.name, folder / f"{file.name}.part"):
        if path.is_file():
            return path.stat().st_size
    return 0


class _Resuming:
    """A downloader for pooch, which checks the hash and gives the file its name."""

    def __init__(self, file: RemoteFile, folder: Path, progress: Callable[[str, int, int], None] | None) -> None:
        self._file, self._progress = file, progress
        self._part = folder / f"{file.name}.part"

    def __call__(self, url: str, output_file: str, pooch: pooch.Pooch) -> None:
        """Fill the `.part` file, then hand it over."""
        self._part.touch()
        idle = 0
        while (here := self._part.stat().st_size) < self._file.size:
            try:
                self._go_on(url, here)
                trouble = "the connection was closed early"
            except requests.RequestException as error:
                trouble = _words(error)
                status = None if error.response is None else error.response.status_code
                if status == _RANGE_REFUSED:
                    self._part.write_bytes(b"")
                elif status is not None and status < 500 and status != _TOO_MANY:
                    raise DataError(f"{url}: {trouble}") from None
            idle = 0 if self._part.stat().st_size > here else idle + 1
            if idle == _ATTEMPTS:
                raise DataError(
                    f"{url}: {trouble}; gave up after {idle} attempts at byte {here} of {self._file.size}. "
                    f"The same command goes on from there"
                )
            if idle:
                time.sleep(_PAUSE * 2 ** (idle - 1))
        os.replace(self._part, output_file)

    def _go_on(self, url: str, here: int) -> None:
        # Bytes must be counted as they are stored, so no compression on the way.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            answer.raise_for_status()
            if answer.status_code == _PARTIAL:
                told = answer.headers.get("Content-Range", "nothing")
                if not told.startswith(f"bytes {here}-"):
                    raise DataError(f"{url}: asked for bytes from {here} on, the server sent {told}")
            # A server that does not know ranges begins again, and so does the file.
            with self._part.open("ab" if answer.status_code == _PARTIAL else "wb") as stream:
                for chunk in answer.iter_content(_CHUNK):
                    stream.write(chunk)
                    if self._progress is not None:
                        self._progress(self._file.name, stream.tell(), self._file.size)
                    if stream.tell() > self._file.size:
                        break  # more than was listed: the hash will be wrong


def _words(error: requests.RequestException) -> str:
    """Say in a few words what went wrong."""
    if error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    for kind, words in (
        (requests.exceptions.SSLError, "the server's certificate is not valid"),
        (requests.Timeout, f"no answer within {_TIMEOUT} s"),
        (requests.ConnectionError, "the server cannot be reached, or the connection was dropped"),
        (requests.exceptions.ChunkedEncodingError, "the connection was dropped"),
    ):
        if isinstance(error, kind):
            return words
    return type(error).__name__
