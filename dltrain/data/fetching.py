"""Fetching public data sets into ./data: from several mirrors, proved by checksum, whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dltrain.data.collection import RemoteFile, collection
from dltrain.errors import StorageError
from dltrain.runs.files import explained, make_folders

TIMEOUT = 30  # seconds without a byte
CHUNK = 1 << 16

Report = Callable[[str, int, int], None]


def fetch(name: str, folder: Path, report: Report | None = None) -> list[Path]:
    """Fetch the files of a data set that are not there yet, or are damaged.

    A file is written beside its place and moved there when it is whole and its checksum right; what
    was fetched before an interruption is kept.

    Parameters:
        name: of the data set
        folder: where its folder is made
        report: called with a file's name, the bytes that are there and their total

    Returns:
        The paths of its files.

    Raises:
        UsageError: when there is no such data set.
        StorageError: when pooch is not installed, no mirror gives a file, or a disk is full.
    """
    files, target = collection(name).files, folder / name
    imported()  # else an empty folder would stay behind
    make_folders(target)
    return [fetch_file(file, target, report or (lambda name, done, total: None)) for file in files]


def fetch_file(file: RemoteFile, folder: Path, report: Report) -> Path:
    """One file, from the first mirror that gives it whole."""
    pooch = imported()
    path, faults = folder / file.name, []
    if path.is_file() and path.stat().st_size == file.size and pooch.file_hash(str(path)) == file.sha256:
        report(file.name, file.size, file.size)
        return path
    for url in file.urls:
        progress = Progress(file, report)
        loader = pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT, chunk_size=CHUNK)
        try:
            with explained(path, "write the file"):
                pooch.retrieve(url, f"sha256:{file.sha256}", file.name, folder, downloader=loader)
            return path
        except (ValueError, OSError, StorageError) as error:
            fault = fault_of(error)
            if not fault:
                raise
            faults.append(f"{host(url)}: {fault}")
    raise StorageError(
        "no mirror gives this file",
        where=file.name,
        got="; ".join(faults),
        hint=f"check the network, or put the file into {folder} yourself",
    )


def fault_of(error: BaseException) -> str:
    """What a mirror did wrong in a few words; empty when the fault is not the mirror's but the disk's.

    Example:
        >>> fault_of(TooMuch("more bytes than expected"))
        'more bytes than expected'
    """
    import requests

    cause = error.__cause__ if isinstance(error, StorageError) and error.__cause__ is not None else error
    if isinstance(cause, TooMuch):
        return str(cause)
    if isinstance(cause, requests.HTTPError) and cause.response is not None:
        return f"answer {cause.response.status_code}"
    if isinstance(cause, requests.Timeout):
        return "no answer in time"
    if isinstance(cause, requests.ConnectionError):
        return "no connection"
    if isinstance(cause, requests.RequestException):
        return "the answer broke off"
    return "wrong checksum" if isinstance(cause, ValueError) else ""


def host(url: str) -> str:
    """The host of an address.

    Example:
        >>> host("https://a.org:8/b/c")
        'a.org:8'
    """
    return url.partition("://")[2].partition("/")[0]


class TooMuch(ValueError):
    """A mirror sends more bytes than the file has."""


class Progress:
    """Counts the bytes of a download as pooch tells them, and ends one that is too long.

    Parameters:
        file: what is fetched
        report: called with a file's name, the bytes that are there and their total
    """

    def __init__(self, file: RemoteFile, report: Report) -> None:
        self.file, self.report, self.done, self.total = file, report, 0, file.size

    def update(self, count: int) -> None:
        """So many more bytes are there.

        Raises:
            TooMuch: when they are more than the file has.
        """
        self.done += count
        if self.done >= self.file.size + CHUNK:  # pooch tells whole chunks, the last one too
            raise TooMuch("more bytes than expected")
        self.report(self.file.name, min(self.done, self.file.size), self.file.size)

    def reset(self) -> None:
        """Start anew; pooch calls it at the end, before it tells the total once more."""
        self.done = 0

    def close(self) -> None:
        """The download is over."""


def imported() -> Any:
    """The library pooch, without its own messages.

    Raises:
        StorageError: when it is not installed.
    """
    try:
        import pooch
    except ImportError as error:
        hint = 'install it with `pip install "dltrain[fetch]"`'
        raise StorageError("fetching needs the package pooch, which is absent", hint=hint) from error
    pooch.get_logger().setLevel(logging.WARNING)
    return pooch
